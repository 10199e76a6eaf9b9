/** A key that never leaves the store: what is in a record about a secret says nothing without it. */

import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { absent, writeAtomically } from './atomic.ts';

const BYTES = 32;

/** The store's key, made when it is first asked for. @throws ERR_STORE_UNUSABLE */
export async function secretKey(store: string): Promise<Uint8Array> {
  const path = join(store, 'secret-key');
  const known = await readKey(path);
  if (known !== undefined) return known;
  const made = randomBytes(BYTES);
  await writeAtomically(join(store, 'tmp'), path, made);
  // Another process may have been later: its key is the one that stays.
  return (await readKey(path)) ?? made;
}

async function readKey(path: string): Promise<Uint8Array | undefined> {
  const bytes = await readFile(path).catch((error: unknown) => absent(path, error));
  return bytes?.length === BYTES ? bytes : undefined;
}
