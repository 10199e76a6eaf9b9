/** What is copied from, and where a copied file's bytes are. */

import type { FileEntry } from '../tree/entry.ts';
import type { ImageTree } from '../tree/image-tree.ts';

/** A tree to copy from. */
export interface SourceTree {
  readonly tree: ImageTree;
  /** The build context's files belong to 0:0, whoever owns them on this machine (CP-12). */
  readonly resetOwner: boolean;
}

/** Where a file's bytes are: in a layer of a tree (a place in its list), under a path. */
export interface ContentOrigin<O extends SourceTree> {
  readonly origin: O;
  readonly layer: number;
  readonly entry: FileEntry;
  /** The path that was copied: the entry's own, or that of a hard link to it. */
  readonly name: string;
  /** Which of the step's copies it is part of: hard links are kept within one. */
  readonly copy: number;
}
