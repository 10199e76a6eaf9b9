/**
 * Workspaces: `tmp/RANDOM/`, one for each running build, with a lease that says whose it is.
 *
 *     {"pid":4711,"started":"8124510","boot":"9c0f…","namespace":"pid:[4026531836]"}
 *
 * A pid alone does not name a process: it is used again, means another process in another container,
 * and nothing after a reboot. So its start time (clock ticks since boot), the boot and the pid
 * namespace are noted, too.
 */

import { randomBytes } from 'node:crypto';
import { mkdir, readdir, readFile, readlink, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { absent, errnoOf, unusable } from './atomic.ts';

/** A directory for one build's temporary files, on the store's filesystem. */
export interface Workspace {
  readonly path: string;
  /** Removes it. What other ids own and we may not remove stays, as a stale workspace. */
  close(): Promise<void>;
}

interface Lease {
  readonly pid: number;
  readonly started: string;
  readonly boot: string;
  readonly namespace: string;
}

const LEASE = 'lease';
/** How long something is left alone whose owner cannot be asked, in milliseconds. */
const PATIENCE = 24 * 60 * 60 * 1000;

/** @throws ERR_STORE_UNUSABLE */
export async function openWorkspace(temporaries: string): Promise<Workspace> {
  const path = join(temporaries, randomBytes(8).toString('hex'));
  try {
    await mkdir(path, { mode: 0o700 });
    await writeFile(join(path, LEASE), JSON.stringify(await ownLease()));
  } catch (error) {
    await rm(path, { recursive: true, force: true });
    throw unusable(path, error);
  }
  return { path, close: () => removeWorkspace(path) };
}

/** The lease goes last: until then the rest is known to be nobody's once this process is gone. */
async function removeWorkspace(path: string): Promise<void> {
  try {
    for (const name of await readdir(path)) {
      if (name !== LEASE) await rm(join(path, name), { recursive: true, force: true });
    }
    await rm(path, { recursive: true, force: true });
  } catch (error) {
    const code = errnoOf(error);
    // EACCES, EPERM: files of sub-uids. Only the helper can remove those: the next build has it do so.
    if (code !== 'ENOENT' && code !== 'EACCES' && code !== 'EPERM') throw unusable(path, error);
  }
}

/** What dead processes left behind: workspaces, and files that were never renamed. @throws ERR_STORE_UNUSABLE */
export async function staleWorkspaces(temporaries: string): Promise<string[]> {
  const names = await readdir(temporaries).catch((error: unknown) => absent(temporaries, error));
  const own = await ownLease();
  const stale: string[] = [];
  for (const name of names ?? []) {
    const path = join(temporaries, name);
    if (await isStale(path, own)) stale.push(path);
  }
  return stale;
}

async function isStale(path: string, own: Lease): Promise<boolean> {
  const lease = await readLease(join(path, LEASE));
  if (lease !== undefined && lease.boot !== own.boot) return true;
  if (lease !== undefined && lease.namespace === own.namespace) {
    return (await startTime(lease.pid)) !== lease.started;
  }
  // Of another container, or just being made: only its age can tell.
  const found = await stat(path).catch((error: unknown) => absent(path, error));
  return found !== undefined && Date.now() - found.mtimeMs > PATIENCE;
}

async function readLease(path: string): Promise<Lease | undefined> {
  const text = await readFile(path, 'utf8').catch((error: unknown) => absent(path, error));
  try {
    return text === undefined ? undefined : (JSON.parse(text) as Lease);
  } catch {
    // Cut off while it was written: nobody is known to own it.
    return undefined;
  }
}

async function ownLease(): Promise<Lease> {
  return {
    pid: process.pid,
    started: (await startTime(process.pid)) ?? '',
    boot: (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim(),
    namespace: await readlink('/proc/self/ns/pid'),
  };
}

/** When a process started, in clock ticks since boot; undefined when there is none. */
async function startTime(pid: number): Promise<string | undefined> {
  const path = `/proc/${pid}/stat`;
  const text = await readFile(path, 'utf8').catch((error: unknown) =>
    // ESRCH: it ended while we read.
    errnoOf(error) === 'ESRCH' ? undefined : absent(path, error),
  );
  // Field 22; the second one is a name in parentheses that may contain anything.
  return text?.slice(text.lastIndexOf(')') + 2).split(' ')[22 - 3];
}
