/**
 * Workspaces: `tmp/IDENTITY.RANDOM/`, one for each running build, with a lease that says whose it is.
 *
 *     {"pid":4711,"started":"8124510","boot":"9c0f…","namespace":"pid:[4026531836]"}
 *
 * The name says it as well: a build can be killed before it has written the lease.
 */

import { randomBytes } from 'node:crypto';
import { mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { absent, errnoOf, unusable } from './atomic.ts';
import {
  decodeIdentity,
  encodeIdentity,
  hasEnded,
  ownIdentity,
  type ProcessIdentity,
} from './process-identity.ts';

/** A directory for one build's temporary files, on the store's filesystem. */
export interface Workspace {
  readonly path: string;
  /** Removes it. What other ids own and we may not remove stays, as a stale workspace. */
  close(): Promise<void>;
}

const LEASE = 'lease';
/** How long something is left alone whose owner cannot be asked, in milliseconds. */
const PATIENCE = 24 * 60 * 60 * 1000;

/** @throws ERR_STORE_UNUSABLE */
export async function openWorkspace(temporaries: string): Promise<Workspace> {
  const owner = await ownIdentity();
  const path = join(temporaries, `${encodeIdentity(owner)}.${randomBytes(8).toString('hex')}`);
  try {
    await mkdir(path, { mode: 0o700 });
    await writeFile(join(path, LEASE), JSON.stringify(owner));
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
  const stale: string[] = [];
  for (const name of names ?? []) {
    const path = join(temporaries, name);
    if (await isStale(path)) stale.push(path);
  }
  return stale;
}

async function isStale(path: string): Promise<boolean> {
  const owner = (await readLease(join(path, LEASE))) ?? decodeIdentity(basename(path));
  const ended = owner === undefined ? undefined : await hasEnded(owner);
  if (ended !== undefined) return ended;
  // Of another container, or not ours at all: only its age can tell.
  const found = await stat(path).catch((error: unknown) => absent(path, error));
  return found !== undefined && Date.now() - found.mtimeMs > PATIENCE;
}

async function readLease(path: string): Promise<ProcessIdentity | undefined> {
  const text = await readFile(path, 'utf8').catch((error: unknown) => absent(path, error));
  try {
    return text === undefined ? undefined : (JSON.parse(text) as ProcessIdentity);
  } catch {
    // Cut off while it was written: nobody is known to own it.
    return undefined;
  }
}
