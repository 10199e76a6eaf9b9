import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { hasCode } from '../../src/errors.ts';
import { parseReference, type Reference } from '../../src/oci/reference.ts';
import {
  createRegistryClient,
  type RegistryClient,
  registrySource,
} from '../../src/registry/index.ts';
import { freePort } from '../support/free-port.ts';
import { makeImage, makeIndex, type TestBlob, type TestImage } from '../support/image.ts';
import { withDirectory } from '../support/temporary.ts';

const PROGRAM = '/usr/bin/docker-registry';
const AMD64 = { os: 'linux', architecture: 'amd64' };
const signal = new AbortController().signal;

/** Starts Debian's registry on a directory of its own. */
async function serve(directory: string, port: number): Promise<ChildProcess> {
  const config = join(directory, 'config.yml');
  await writeFile(
    config,
    `version: 0.1
log: { level: error }
storage: { filesystem: { rootdirectory: ${directory}/data } }
http: { addr: 127.0.0.1:${port} }
`,
  );
  const child = spawn(PROGRAM, ['serve', config], { stdio: 'ignore' });
  for (let tries = 0; tries < 100; tries++) {
    const isUp = await fetch(`http://127.0.0.1:${port}/v2/`).then(
      (response) => response.ok,
      () => false,
    );
    if (isUp) return child;
    await delay(50);
  }
  child.kill('SIGKILL');
  throw new Error(`${PROGRAM} did not start`);
}

async function withServer(
  use: (host: string, client: RegistryClient, directory: string) => Promise<void>,
): Promise<void> {
  await withDirectory(async (directory) => {
    const port = await freePort();
    const child = await serve(directory, port);
    const client = createRegistryClient({ retryDelay: 10 });
    try {
      await use(`127.0.0.1:${port}`, client, directory);
    } finally {
      await client.close();
      child.kill();
      await once(child, 'exit');
    }
  });
}

async function push(client: RegistryClient, reference: Reference, image: TestImage): Promise<void> {
  const common = { reference, access: 'pull,push', signal } as const;
  for (const { descriptor, bytes } of [image.config, ...image.layers]) {
    const start = await client.request({ ...common, method: 'POST', path: 'blobs/uploads/' });
    start.body.destroy();
    const path = new URL(start.headers.location ?? '');
    path.searchParams.set('digest', descriptor.digest);
    const headers = { 'content-type': 'application/octet-stream' };
    const end = await client.request({ ...common, method: 'PUT', path, headers, body: bytes });
    end.body.destroy();
  }
  await putManifest(client, reference, image.manifest);
}

async function putManifest(
  client: RegistryClient,
  reference: Reference,
  { descriptor, bytes }: TestBlob,
): Promise<void> {
  const headers = { 'content-type': descriptor.mediaType };
  const path = `manifests/${reference.tag ?? descriptor.digest}`;
  const common = { reference, access: 'pull,push', signal } as const;
  const end = await client.request({ ...common, method: 'PUT', path, headers, body: bytes });
  end.body.destroy();
}

describe(`registrySource(), against ${PROGRAM}${existsSync(PROGRAM) ? '' : ' (skipped: it is not installed)'}`, () => {
  before(function () {
    if (!existsSync(PROGRAM)) this.skip();
  });

  it('pulls what was pushed: OCI and Docker images, and indexes over them', () =>
    withServer(async (host, client, directory) => {
      for (const isDocker of [false, true]) {
        const image = await makeImage({ isDocker, layerSize: 2_000_000 });
        const tag = isDocker ? 'docker' : 'oci';
        await push(client, parseReference(`${host}/a/app:${tag}`), image);
        const source = registrySource(parseReference(`${host}/a/app:${tag}`), { client });
        const pulled = await source.resolve(AMD64, signal);
        assert.equal(pulled.root, image.manifest.descriptor.digest);
        for (const [i, layer] of pulled.layers.entries()) {
          const to = join(directory, `${tag}-${i}`);
          await source.fetchBlob(layer, to, signal);
          assert.deepEqual(await readFile(to), Buffer.from(image.layers[i]?.bytes ?? ''));
        }
        if (isDocker) continue;
        await putManifest(client, parseReference(`${host}/a/app:all`), makeIndex([image]));
        const all = registrySource(parseReference(`${host}/a/app:all`), { client });
        const { descriptor } = await all.resolve(AMD64, signal);
        assert.deepEqual(descriptor, image.manifest.descriptor);
      }
    }));

  it('fails with ERR_IMAGE_NOT_FOUND for what it does not have', () =>
    withServer(async (host, client) => {
      const source = registrySource(parseReference(`${host}/none:v1`), { client });
      await assert.rejects(source.resolve(AMD64, signal), (error) =>
        hasCode(error, 'ERR_IMAGE_NOT_FOUND'),
      );
    }));
});
