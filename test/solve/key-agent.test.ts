import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { processesWith } from '../support/sandbox.ts';
import { withDirectory } from '../support/temporary.ts';

/** A busy machine's, in milliseconds. */
const PATIENCE = 30_000;
const KEY_AGENT = fileURLToPath(new URL('../../src/solve/key-agent.ts', import.meta.url));

/** Starts its command as ssh-agent does, and does not notice when that ends. */
const FORGETFUL = `#!/bin/sh
shift 2
sleep 600 > /dev/null &
export SSH_AGENT_PID=$!
exec "$@"
`;

const BUILDER = `
const { startKeyAgent } = await import(process.argv[1]);
await startKeyAgent(process.argv[2], 'socket');
process.kill(process.pid, 'SIGKILL');
`;

describe('startKeyAgent()', () => {
  it('ends the agent also when this process is killed, and does not wait until it notices', async () => {
    await withDirectory(async (directory) => {
      await writeFile(join(directory, 'ssh-agent'), FORGETFUL, { mode: 0o755 });
      const path = `${directory}:${process.env['PATH']}`;
      const args = ['--input-type=module', '-e', BUILDER, KEY_AGENT, directory];
      const builder = spawn(process.execPath, args, { env: { PATH: path }, stdio: 'inherit' });
      const [, signal] = (await once(builder, 'exit')) as [number | null, NodeJS.Signals | null];
      assert.equal(signal, 'SIGKILL');
      const deadline = performance.now() + PATIENCE;
      const left = async () => await processesWith(`PATH=${path}`);
      while ((await left()).length > 0 && performance.now() < deadline) await setTimeout(5);
      const pids = await left();
      for (const pid of pids) process.kill(pid, 'SIGKILL');
      assert.deepEqual(pids, []);
    });
  });
});
