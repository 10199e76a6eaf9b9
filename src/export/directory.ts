/** Files into a directory of the user's: what is there and not in the way stays (LOC-3). */

import { randomUUID } from 'node:crypto';
import type { Stats } from 'node:fs';
import { chmod, lstat, readdir, realpath, rename, rm, stat, utimes } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { isErrno, outputFailure, refused } from './failure.ts';
import { withParents } from './new-parents.ts';

const SLASH = Buffer.of(0x2f);

export interface DirectoryOptions {
  /** Makes a new directory with the files: complete, or not at all. */
  readonly make: (path: string) => Promise<void>;
  /** Removes one, whatever the modes in it. */
  readonly remove: (path: string) => Promise<void>;
  /** What the files are not shall not be in the directory. */
  readonly deletes: boolean;
  readonly signal: AbortSignal;
}

/**
 * A directory that does not exist appears complete or not at all. Into one that does, each file comes
 * complete. @throws ERR_OUTPUT_FAILED
 */
export async function writeDirectory(
  destination: string,
  { make, remove, deletes, signal }: DirectoryOptions,
): Promise<void> {
  const target = resolve(destination);
  try {
    signal.throwIfAborted();
    const old = await statOf(target);
    if (old === undefined) return await withParents(target, () => make(target));
    if (!old.isDirectory()) throw refused(destination, 'It is a file.');
    const real = await realpath(target);
    // In it and not beside it: it may be a mount of its own, and all there is that we may write to.
    const staging = join(real, `.tsbuild-${randomUUID()}.tmp`);
    try {
      await make(staging);
      const kept = Buffer.from(staging);
      await merge({ from: kept, to: Buffer.from(real), kept, deletes, signal });
    } finally {
      await remove(staging);
    }
  } catch (error) {
    throw outputFailure(error, destination, signal);
  }
}

interface Merge {
  readonly from: Buffer;
  readonly to: Buffer;
  /** Not of the user's files. */
  readonly kept: Buffer;
  readonly deletes: boolean;
  readonly signal: AbortSignal;
}

/** Names are bytes: they need not be UTF-8. */
async function merge({ from, to, kept, deletes, signal }: Merge): Promise<void> {
  const entries = await readdir(from, { withFileTypes: true, encoding: 'buffer' });
  const names = new Set(entries.map(({ name }) => name.toString('latin1')));
  for (const name of await readdir(to, { encoding: 'buffer' })) {
    const old = under(to, name);
    if (!deletes || names.has(name.toString('latin1')) || old.equals(kept)) continue;
    signal.throwIfAborted();
    await rm(old, { recursive: true, force: true });
  }
  for (const entry of entries) {
    signal.throwIfAborted();
    const source = under(from, entry.name);
    const target = under(to, entry.name);
    const old = await lstatOf(target);
    const isBoth = old?.isDirectory() === true && entry.isDirectory();
    if (isBoth) await mergeDirectory({ from: source, to: target, kept, deletes, signal });
    else await replace(source, target, old);
  }
}

/** Its mode may keep even its owner out, until all is in its place. */
async function mergeDirectory(directories: Merge): Promise<void> {
  const { from, to } = directories;
  const { mode, atimeMs, mtimeMs } = await stat(from);
  await chmod(from, (mode & 0o7777) | 0o700);
  await chmod(to, ((await stat(to)).mode & 0o7777) | 0o700);
  await merge(directories);
  await chmod(to, mode & 0o7777);
  // A Date would round to milliseconds.
  await utimes(to, atimeMs / 1000, mtimeMs / 1000);
}

async function replace(source: Buffer, target: Buffer, old: Stats | undefined): Promise<void> {
  const found = await lstat(source);
  // A rename replaces neither a directory by a file nor the other way round.
  if (old !== undefined && (old.isDirectory() || found.isDirectory())) {
    await rm(target, { recursive: true, force: true });
  }
  if (!found.isDirectory()) return await rename(source, target);
  // Its entry ".." changes, which takes the right to write to it.
  await chmod(source, (found.mode & 0o7777) | 0o700);
  await rename(source, target);
  await chmod(target, found.mode & 0o7777);
}

function under(directory: Buffer, name: Buffer): Buffer {
  return Buffer.concat([directory, SLASH, name]);
}

async function statOf(path: string): Promise<Stats | undefined> {
  return await stat(path).catch(orNothing);
}

async function lstatOf(path: Buffer): Promise<Stats | undefined> {
  return await lstat(path).catch(orNothing);
}

function orNothing(error: unknown): undefined {
  if (isErrno(error, 'ENOENT')) return undefined;
  throw error;
}
