/** An entry of a source as COPY puts it at a destination. Pure. */

import type { Chmod } from '../plan/step.ts';
import { applyChmod } from '../tree/chmod.ts';
import { metadataOf } from '../tree/entry.ts';
import type { Found } from '../tree/image-tree.ts';
import type { ContentOrigin, SourceTree } from './content-origin.ts';
import type { Placed } from './placed.ts';

/** What a COPY changes of what it copies. */
export interface Changes {
  readonly owner?: { readonly uid: number; readonly gid: number } | undefined;
  readonly chmod?: Chmod | undefined;
  readonly mtime?: number | undefined;
}

/** A tree to copy from, and the number of this copy. */
export interface CopySource<O extends SourceTree> {
  readonly origin: O;
  readonly copy: number;
}

/** The entry at its destination, and where its content is. */
export function convertEntry<O extends SourceTree>(
  { origin, copy }: CopySource<O>,
  found: Found,
  path: string,
  { owner, chmod, mtime }: Changes,
): Placed<ContentOrigin<O>> {
  const content = origin.tree.contentOf(found);
  // Of a file with several names, the first alone lists the extended attributes.
  const { entry } = content ?? found;
  const time = mtime === undefined ? undefined : { mtime, mtimeNsec: 0 };
  const metadata = { ...metadataOf(entry), path, ...owner, ...time };
  const mode =
    chmod === undefined || entry.type === 'symlink'
      ? entry.mode
      : applyChmod(chmod, entry.mode, entry.type === 'directory');
  if (content !== undefined) {
    const { size, sha256 } = content.entry;
    const known = sha256 === undefined ? undefined : { sha256 };
    return {
      entry: { ...metadata, mode, type: 'file', size, ...known },
      content: { origin, ...content, name: found.entry.path, copy },
    };
  }
  if (entry.type === 'directory') {
    return { entry: { ...metadata, mode, type: 'directory' }, content: undefined };
  }
  return { entry: { ...entry, ...metadata, mode }, content: undefined };
}
