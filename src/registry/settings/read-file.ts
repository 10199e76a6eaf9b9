/** Settings files: small, often not there, and wrong now and then. */

import { readFile } from 'node:fs/promises';
import { TsbuildError } from '../../errors.ts';

/** A file's text; undefined when it is not there. @throws ERR_USAGE */
export async function readSettings(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw unreadable(path, { hint: undefined, cause: error });
  }
}

export type Json = Readonly<Record<string, unknown>>;

/** An object's JSON; undefined for whatever else it is. */
export function parseJson(text: string): Json | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : undefined;
  } catch {
    // What is no JSON may have logins in it all the same: its text goes into no error.
    return undefined;
  }
}

export function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The texts of a list; none when it is no list. */
export function texts(value: unknown): readonly string[] {
  if (!Array.isArray(value)) return [];
  return value.filter((each) => typeof each === 'string' && each !== '');
}

export function unreadable(
  path: string,
  { hint, cause }: { readonly hint: string | undefined; readonly cause?: unknown },
): TsbuildError {
  return new TsbuildError('ERR_USAGE', {
    message: `Cannot read the registry settings in "${path}"`,
    details: undefined,
    hint,
    cause,
  });
}
