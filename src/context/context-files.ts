/** Single text files of a context, before it is listed: the Dockerfile and the ignore files. */

import { readFile, realpath } from 'node:fs/promises';
import { join, sep } from 'node:path';
import type { TsbuildError } from '../errors.ts';

/** Reads text files of a context by their paths in it. */
export interface ContextFiles {
  /** As messages name a file of it. */
  readonly nameOf: (path: string) => string;
  /** Undefined when there is no such file. @throws Unreadable */
  readonly readText: (path: string) => Promise<string | undefined>;
}

/** Why a file that is there cannot be read; whoever knows what it is for puts it into words. */
export class Unreadable extends Error {}

/** A Dockerfile larger than this is something else. */
export const MAX_TEXT = 64 * 1024 * 1024;
export const TOO_LARGE = 'it is larger than 64 MiB';

/** Of the user's own directory: symlinks may lead out of it (CTX-2). */
export function directoryFiles(directory: string): ContextFiles {
  return {
    nameOf: (path) => join(directory, path),
    readText: (path) => readTextFile(join(directory, path)),
  };
}

/** Of files that came from elsewhere: what a symlink names outside of them is not there (CTX-9). */
export function confinedFiles(directory: string): ContextFiles {
  return {
    nameOf: (path) => path,
    readText: async (path) => {
      const root = await realpath(directory);
      const file = await realpath(join(root, path)).catch(() => undefined);
      return file?.startsWith(root + sep) ? await readTextFile(file) : undefined;
    },
  };
}

/** The text of a file of this machine; undefined when there is none. @throws Unreadable */
export async function readTextFile(path: string): Promise<string | undefined> {
  try {
    return textOf(await readFile(path));
  } catch (error) {
    if (!(error instanceof Error) || error instanceof Unreadable) throw error;
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    if (code === 'EISDIR') throw new Unreadable('it is a directory', { cause: error });
    if (code === 'EACCES') throw new Unreadable('permission denied', { cause: error });
    throw new Unreadable(error.message, { cause: error });
  }
}

/** @throws Unreadable */
export function textOf(bytes: Uint8Array): string {
  if (bytes.length > MAX_TEXT) throw new Unreadable(TOO_LARGE);
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8');
}

/** Puts a failure to read into words. */
export function unreadableAs(
  error: unknown,
  explain: (why: string, cause: unknown) => TsbuildError,
): unknown {
  return error instanceof Unreadable ? explain(error.message, error.cause) : error;
}
