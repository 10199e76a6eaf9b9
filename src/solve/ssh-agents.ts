/**
 * The ssh agents of a build (RUN-22): sockets that exist, or private keys, for which the system's
 * ssh-agent is started when a RUN first wants them, and ended with the build.
 */

import { readFile, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { TsbuildError } from '../errors.ts';
import { type KeyAgent, startKeyAgent } from './key-agent.ts';
import { Once } from './schedule.ts';

/** By id: one socket, or files with private keys. */
export type SshSources = Readonly<Record<string, readonly string[]>>;

export class SshAgents {
  readonly #sources: ReadonlyMap<string, readonly string[]>;
  readonly #directory: string;
  readonly #agents: KeyAgent[] = [];
  readonly #sockets = new Once<string>();
  #names = 0;

  /** `directory` is the build's own, for sockets. */
  constructor(sources: SshSources, directory: string) {
    this.#sources = new Map(Object.entries(sources));
    this.#directory = directory;
  }

  /** The socket of an agent; undefined when none was given. @throws ERR_SSH_MISSING when it cannot be had */
  async socket(id: string): Promise<string | undefined> {
    const paths = this.#sources.get(id);
    if (paths === undefined) return undefined;
    return await this.#sockets.get(id, () => this.#open(id, paths));
  }

  /** Ends what was started. */
  async close(): Promise<void> {
    await this.#sockets.settled();
    for (const agent of this.#agents.splice(0)) await agent.close();
  }

  async #open(id: string, paths: readonly string[]): Promise<string> {
    if (await isSocket(id, paths)) return resolve(paths[0] ?? '');
    const agent = await startKeyAgent(this.#directory, `keys-${this.#names++}.socket`).catch(
      (cause: unknown) => {
        throw unusable(id, '"ssh-agent" cannot be started', {
          hint: 'Install OpenSSH’s client programs, or give the socket of an agent.',
          cause,
        });
      },
    );
    this.#agents.push(agent);
    for (const path of paths) await addKey(agent, id, path);
    return agent.socket;
  }
}

/** Before anything is built. @throws ERR_SSH_MISSING for what is neither a socket nor keys */
export async function checkSshSources(sources: SshSources): Promise<void> {
  for (const [id, paths] of Object.entries(sources)) await isSocket(id, paths);
}

/** Whether it is one socket; else it is keys. @throws ERR_SSH_MISSING */
async function isSocket(id: string, paths: readonly string[]): Promise<boolean> {
  const kinds = await Promise.all(paths.map((path) => kindOf(id, path)));
  const sockets = kinds.filter((kind) => kind === 'socket').length;
  if (kinds.length === 0 || (sockets > 0 && kinds.length > 1)) {
    throw unusable(id, 'it is one socket of an agent, or files with private keys');
  }
  return sockets === 1;
}

async function kindOf(id: string, path: string): Promise<'socket' | 'key'> {
  const found = await stat(path).catch((cause: unknown) => {
    throw unusable(id, `"${path}" cannot be read`, { cause });
  });
  if (found.isSocket()) return 'socket';
  if (found.isFile()) return 'key';
  throw unusable(id, `"${path}" is neither a socket nor a file`);
}

async function addKey(agent: KeyAgent, id: string, path: string): Promise<void> {
  const key = await readFile(path).catch((cause: unknown) => {
    throw unusable(id, `"${path}" cannot be read`, { cause });
  });
  await agent.add(key).catch((cause: unknown) => {
    throw unusable(id, `"ssh-add" refuses the key "${path}"`, {
      hint: 'A key with a passphrase must be in an agent: ssh-add it, and give the agent’s socket.',
      cause,
    });
  });
}

function unusable(
  id: string,
  why: string,
  more: { readonly hint?: string; readonly cause?: unknown } = {},
): TsbuildError {
  return new TsbuildError('ERR_SSH_MISSING', {
    message: `Cannot use ssh agent ${id}: ${why}`,
    details: { id },
    ...more,
  });
}
