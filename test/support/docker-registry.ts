/** Debian's docker-registry on loopback: an implementation of the distribution spec that is not ours. */

import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { BaseLayout } from './debian.ts';
import { freePort } from './free-port.ts';

const run = promisify(execFile);

/** A registry that runs until it is closed. */
export interface DockerRegistry {
  /** `127.0.0.1:PORT` */
  readonly address: string;
  /** Puts a layout's image there, and answers with its name. */
  readonly push: (layout: BaseLayout) => Promise<string>;
  readonly close: () => Promise<void>;
}

export interface DockerRegistryOptions {
  /** TLS; with `clients`, an authority, only for those that have a certificate of it. */
  readonly tls?: { readonly cert: string; readonly key: string; readonly clients?: string };
  /** Only "ann" with the password "se:cret-password" gets in. */
  readonly hasUsers?: boolean;
}

/** Of "se:cret-password", by bcrypt. */
const HTPASSWD = 'ann:$2b$04$pu5CttUlrz9pVC/yNj.uIuYNCoHffeiQ/StlYsiga95XuzGIxO4bu\n';

/** Starts one that keeps its data in `folder`. */
export async function startDockerRegistry(
  folder: string,
  { tls, hasUsers = false }: DockerRegistryOptions = {},
): Promise<DockerRegistry> {
  const address = `127.0.0.1:${await freePort()}`;
  const config = join(folder, 'registry.json'); // YAML is a superset
  const settings = {
    version: 0.1,
    log: { level: 'error', accesslog: { disabled: true } },
    storage: { filesystem: { rootdirectory: join(folder, 'registry') } },
    http: {
      addr: address,
      ...(tls !== undefined && {
        tls: {
          certificate: tls.cert,
          key: tls.key,
          ...(tls.clients !== undefined && { clientcas: [tls.clients] }),
        },
      }),
    },
    ...(hasUsers && { auth: { htpasswd: { realm: 'test', path: join(folder, 'htpasswd') } } }),
  };
  if (hasUsers) await writeFile(join(folder, 'htpasswd'), HTPASSWD);
  await writeFile(config, JSON.stringify(settings));
  const child = spawn('docker-registry', ['serve', config], { stdio: 'ignore' });
  const ended = once(child, 'exit');
  const close = async (): Promise<void> => {
    child.kill();
    await ended;
  };
  try {
    await waitUntilReady(address, () => child.exitCode !== null);
  } catch (error) {
    await close();
    throw error;
  }
  return {
    address,
    push: async ({ folder: layout, reference }) => {
      const name = `${address}/${reference}`;
      const target = `docker://${name}`;
      await run('skopeo', ['copy', '--dest-tls-verify=false', `oci:${layout}:latest`, target]);
      return name;
    },
    close,
  };
}

/** A minute, on a machine that has other things to do. */
const ATTEMPTS = 1200;

async function waitUntilReady(address: string, hasEnded: () => boolean): Promise<void> {
  for (let attempt = 0; attempt < ATTEMPTS && !hasEnded(); attempt++) {
    try {
      const [host = '', port] = address.split(':');
      const socket = connect(Number(port), host);
      await once(socket, 'connect');
      socket.destroy();
      return;
    } catch {
      await sleep(50); // not listening yet
    }
  }
  throw new Error(`docker-registry does not answer at ${address}`);
}
