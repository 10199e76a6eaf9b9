/**
 * How anything gets into the store: written under a name of its own in `tmp`, then renamed. A
 * reader sees all of it or nothing, whenever a writer is killed.
 */

import { createHash, randomBytes } from 'node:crypto';
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { getSystemErrorMap } from 'node:util';
import { TsbuildError } from '../src/errors.ts';
import type { JsonValue } from './keys.ts';
import { encodeIdentity, ownIdentity } from './process-identity.ts';
import { makeDirectory } from './make-directory.ts';

/** Puts bytes at a path, replacing what is there. @throws ERR_STORE_UNUSABLE */
export async function writeAtomically(
  temporaries: string,
  path: string,
  bytes: Uint8Array | string,
): Promise<void> {
  const owner = encodeIdentity(await ownIdentity());
  const temporary = join(temporaries, `file-${owner}.${randomBytes(8).toString('hex')}`);
  try {
    await writeFile(temporary, bytes, { flag: 'wx' });
    await moveInto(temporary, path);
  } catch (error) {
    // What cannot be removed now will be found stale; the first failure is the one to tell.
    await rm(temporary, { force: true }).catch(() => undefined);
    throw error instanceof TsbuildError ? error : unusable(path, error);
  }
}

/** Renames a file into the store, replacing what is there. @throws ERR_STORE_UNUSABLE */
export async function moveInto(temporary: string, path: string): Promise<void> {
  try {
    await rename(temporary, path);
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw unusable(path, error);
    // The folder may be missing: records are spread over folders that are made when needed.
    await makeDirectory(dirname(path));
    await rename(temporary, path).catch((again: unknown) => {
      throw unusable(path, again);
    });
  }
}

/** Writes JSON behind its own sha256, so that a torn or edited file is told from a whole one. */
export async function writeChecked(
  temporaries: string,
  path: string,
  value: object,
): Promise<void> {
  const json = JSON.stringify(value);
  await writeAtomically(temporaries, path, `${sha256(json)}\n${json}\n`);
}

/** What `writeChecked()` wrote; undefined when it is missing, torn or foreign. */
export async function readChecked(path: string): Promise<JsonValue | undefined> {
  const text = await readFile(path, 'utf8').catch((error: unknown) => absent(path, error));
  if (text === undefined) return undefined;
  const [digest, json = '', end] = text.split('\n');
  if (end !== '' || digest !== sha256(json)) return undefined;
  return JSON.parse(json) as JsonValue;
}

/** Undefined for the failure that means "not there"; anything else makes the store unusable. */
export function absent(path: string, error: unknown): undefined {
  const code = errnoOf(error);
  // EISDIR and ENOTDIR: something foreign has the name; a write will say so.
  if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'EISDIR') return undefined;
  throw unusable(path, error);
}

/** The failure of everything in this folder. */
export function unusable(path: string, cause: unknown): TsbuildError<'ERR_STORE_UNUSABLE'> {
  const code = errnoOf(cause);
  return new TsbuildError('ERR_STORE_UNUSABLE', {
    message: `Cannot use the store at "${path}": ${reasonOf(cause)}`,
    details: { path },
    hint:
      code === 'ENOSPC' || code === 'EDQUOT'
        ? 'The disk is full. Free some space, or set TSBUILD_STORE to a directory on another one.'
        : 'Set TSBUILD_STORE to a directory that you may write to, on a local disk.',
    cause,
  });
}

/** The system's words for a failed call. */
function reasonOf(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  const { errno } = cause as NodeJS.ErrnoException;
  return (errno === undefined ? undefined : getSystemErrorMap().get(errno)?.[1]) ?? cause.message;
}

/** `ENOENT` and the like; undefined for what is no failed system call. */
export function errnoOf(error: unknown): string | undefined {
  if (!(error instanceof Error) || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
