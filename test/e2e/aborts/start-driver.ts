/** Starts `driver.ts` as an account, and speaks with it. */

import assert from 'node:assert/strict';
import { chmod } from 'node:fs/promises';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { Account } from '../../support/accounts.ts';
import type { BuildAnswer, BuildOrder } from './driver.ts';

export interface Driver {
  readonly pid: number;
  /** Builds; one at a time. */
  readonly ask: (order: BuildOrder) => Promise<BuildAnswer>;
  /** Settles when the process is gone. */
  readonly close: () => Promise<void>;
}

const PROJECT = fileURLToPath(new URL('../../..', import.meta.url));

/** With a socket in a folder of the account, and a variable in its environment. */
export async function startDriver(
  account: Account,
  { folder, env }: { readonly folder: string; readonly env: Readonly<Record<string, string>> },
): Promise<Driver> {
  const path = join(folder, 'socket');
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(path, resolve));
  await chmod(path, 0o777);
  const connected = new Promise<Socket>((resolve) => server.once('connection', resolve));
  // A user sees the project inside its home.
  const project = account.kind === 'root' ? PROJECT : join(account.home, 'tsbuild');
  const [node = ''] = account.command;
  const program = join(project, 'test/e2e/aborts/driver.ts');
  const started = account.startProgram(node, [program, path], env);
  const ended = started.outcome.then(({ stderr }) => assert.fail(`the driver ended: ${stderr}`));
  ended.catch(() => undefined);
  const socket = await Promise.race([connected, ended]);
  const lines = createInterface(socket)[Symbol.asyncIterator]();
  return {
    pid: started.pid,
    ask: async (order) => {
      socket.write(`${JSON.stringify(order)}\n`);
      const { value: line } = await Promise.race([lines.next(), ended]);
      return JSON.parse(line ?? '') as BuildAnswer;
    },
    close: async () => {
      socket.end();
      await started.outcome;
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
