/** Lists for the helper to compose. */

import { writeFile } from 'node:fs/promises';
import type { Entry } from '../tree/entry.ts';
import { encodeIndex } from '../tree/index-codec.ts';
import type { Places } from './places.ts';

/** What compose reads: a list, and the places that its sources point into. */
export interface ComposeSources {
  readonly list: string;
  readonly places: Places;
}

/** Writes a list: entries in an index's order, files with their sources. */
export async function writeList(path: string, entries: Iterable<Entry>): Promise<void> {
  await writeFile(path, encodeIndex(entries).bytes);
}
