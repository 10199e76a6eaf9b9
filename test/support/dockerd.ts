/** Debian's dockerd with a data root of its own, for as long as a test takes. Needs root. */

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, rm } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';

export interface Dockerd {
  /** For DOCKER_HOST. */
  readonly address: string;
  /** Ends it, and removes all it had. */
  readonly close: () => Promise<void>;
}

const TRIES = 600;

/** Starts one in a folder: no network of its own, plain directories for layers. */
export async function startDockerd(folder: string): Promise<Dockerd> {
  const home = join(folder, 'dockerd');
  await mkdir(home);
  const socket = join(home, 'docker.sock');
  const daemon = spawn(
    'dockerd',
    [
      ...['--data-root', join(home, 'data'), '--exec-root', join(home, 'exec')],
      ...['--pidfile', join(home, 'pid'), '-H', `unix://${socket}`],
      ...['--storage-driver', 'vfs', '--iptables=false', '--bridge=none'],
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
  let said = '';
  daemon.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
  const ended = once(daemon, 'close');
  const close = async (): Promise<void> => {
    daemon.kill('SIGTERM');
    await ended;
    await rm(home, { recursive: true, force: true });
  };
  for (let i = 0; !(await isListening(socket)); i++) {
    if (daemon.exitCode !== null || i === TRIES) {
      await close();
      throw new Error(`No dockerd: ${said}`);
    }
    await wait(100);
  }
  return { address: `unix://${socket}`, close };
}

async function isListening(socket: string): Promise<boolean> {
  return await new Promise((resolve) => {
    const connection = connect(socket, () => {
      connection.destroy();
      resolve(true);
    });
    connection.once('error', () => resolve(false));
  });
}
