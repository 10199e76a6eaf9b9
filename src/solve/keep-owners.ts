/**
 * Ownership where only one id exists (rung 3): whatever a command touched belongs to root on disk.
 * The index is the truth: what belonged to somebody in the parent's tree still does.
 */

import type { Entry } from '../tree/entry.ts';
import type { ImageTree } from '../tree/image-tree.ts';
import { type EncodedIndex, encodeIndex } from '../tree/index-codec.ts';
import { indexFromBytes } from '../tree/layer-index.ts';

/** A scanned index with the parent's owners where the type is still the same. */
export function keepOwners(scanned: Uint8Array, parent: ImageTree): EncodedIndex {
  return encodeIndex(withOwners(indexFromBytes(scanned).within(''), parent));
}

function* withOwners(entries: Iterable<Entry>, parent: ImageTree): Generator<Entry> {
  for (const entry of entries) {
    const before = entry.type === 'whiteout' ? undefined : parent.lookup(entry.path)?.entry;
    if (before?.type !== entry.type) yield entry;
    else yield { ...entry, uid: before.uid, gid: before.gid };
  }
}
