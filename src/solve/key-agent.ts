/** The system's ssh-agent with keys of one build in its memory: nowhere else, and not for longer. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';

export interface KeyAgent {
  readonly socket: string;
  /** Adds a private key; rejects with what ssh-add said. */
  add(key: Uint8Array): Promise<void>;
  /** Settles when the process is gone. */
  close(): Promise<void>;
}

/**
 * The agent lives as long as the command that it starts, but may need ten seconds to notice its end. The
 * command reads from us until we end, however that happens, and ends its agent.
 */
const COMMAND = 'echo "$SSH_AGENT_PID" && cat; kill "$SSH_AGENT_PID"';

/** Starts an agent with a socket of this name in a directory. Rejects with ENOENT when there is no ssh-agent. */
export async function startKeyAgent(directory: string, name: string): Promise<KeyAgent> {
  // By a relative path: an absolute one may be longer than a socket's can be.
  const args = ['-a', name, 'sh', '-c', COMMAND];
  const child = spawn('ssh-agent', args, {
    cwd: directory,
    env: ENVIRONMENT,
    stdio: ['pipe', 'pipe', 'ignore'],
    // A Ctrl-C at the terminal is for the build.
    detached: true,
  });
  child.stdin.on('error', () => undefined);
  const ended = endOf(child);
  const said = await Promise.race([once(child.stdout, 'data'), ended]);
  const pid = Array.isArray(said) ? Number(String(said[0])) : 0;
  if (pid === 0) throw new Error('ssh-agent ended at once');
  return {
    socket: join(directory, name),
    add: (key) => addKey(key, directory, name),
    close: async () => {
      signalTo(pid, 'SIGTERM');
      child.stdin.end();
      await ended;
      while (await isRunning(pid)) await setTimeout(5);
    },
  };
}

/** Nothing that could ask the user for a passphrase, and nothing of the user's own agent. */
const ENVIRONMENT = { PATH: process.env['PATH'] };

/** From stdin, where it does not matter who else may read the file. */
async function addKey(key: Uint8Array, directory: string, socket: string): Promise<void> {
  const child = spawn('ssh-add', ['-q', '-'], {
    cwd: directory,
    env: { ...ENVIRONMENT, SSH_AUTH_SOCK: socket },
    stdio: ['pipe', 'ignore', 'pipe'],
    // No terminal to ask on.
    detached: true,
  });
  let words = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (words += text));
  child.stdin.on('error', () => undefined);
  // OpenSSH wants a line break at the end, which is lost in many a secret.
  child.stdin.end(Buffer.concat([key, new TextEncoder().encode('\n')]));
  const code = await endOf(child);
  if (code !== 0) throw new Error(words.trim().split('\n')[0] ?? '');
}

async function endOf(child: ChildProcess): Promise<number | null> {
  return await new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code: number | null) => resolve(code));
  });
}

function signalTo(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It is gone.
  }
}

/** Whose parent does not wait for it is over all the same. */
async function isRunning(pid: number): Promise<boolean> {
  const status = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
  return status !== undefined && !/\) [ZX] /.test(status);
}
