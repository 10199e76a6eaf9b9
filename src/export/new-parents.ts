/** Creates the directories above an output, and takes them back when there is no output. */

import { rmdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { makeDirectory } from '../../cache/index.ts';

/** Runs `write` with the parents of `path` in place. After a failure those it created are gone, if empty. */
export async function withParents(path: string, write: () => Promise<void>): Promise<void> {
  const parent = dirname(path);
  const highest = await makeDirectory(parent);
  try {
    await write();
  } catch (error) {
    if (highest !== undefined) await removeUpTo(parent, highest);
    throw error;
  }
}

async function removeUpTo(directory: string, highest: string): Promise<void> {
  try {
    await rmdir(directory);
    if (directory !== highest) await removeUpTo(dirname(directory), highest);
  } catch {
    // Somebody else put something there in the meantime: it is theirs now.
  }
}
