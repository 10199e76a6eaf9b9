/** Files that were one file in the source are one file in the layer (CP-19). Pure. */

import type { Entry } from '../tree/entry.ts';
import { metadataOf } from '../tree/entry.ts';
import { comparePaths } from '../tree/path.ts';
import type { ContentOrigin, SourceTree } from './content-origin.ts';
import type { Placed } from './placed.ts';

/** Collects the places of contents with several names, and then says which of them are links. */
export class HardLinks<O extends SourceTree> {
  /** By content: where its names may have gone. */
  readonly #places = new Map<string, Set<string>>();

  /** A content that has several names, and places that it may have been put at. */
  add(content: ContentOrigin<O>, paths: readonly string[]): void {
    const key = keyOf(content);
    const places = this.#places.get(key) ?? new Set();
    this.#places.set(key, places);
    for (const path of paths) places.add(path);
  }

  /** The same for a content that matters only if it has several names. */
  addKnown(content: ContentOrigin<O>, path: string): void {
    this.#places.get(keyOf(content))?.add(path);
  }

  get isEmpty(): boolean {
    return this.#places.size === 0;
  }

  /**
   * By path of a link: its target. The first place in the index's order keeps the content. What was
   * put over one of them is none of them.
   */
  targets(placedAt: (path: string) => Placed<ContentOrigin<O>> | undefined): Map<string, string> {
    const targets = new Map<string, string>();
    for (const [key, places] of this.#places) {
      const isThere = (path: string): boolean => {
        const content = placedAt(path)?.content;
        return content !== undefined && keyOf(content) === key;
      };
      const [first, ...others] = [...places].filter(isThere).sort(comparePaths);
      for (const other of others) if (first !== undefined) targets.set(other, first);
    }
    return targets;
  }
}

/** An entry as a hard link. */
export function linkTo(target: string, entry: Entry): Entry {
  return { ...metadataOf(entry), type: 'hardlink', target };
}

/** Names contents: the copy, the layer of its tree, the path in that. */
function keyOf<O extends SourceTree>({ copy, layer, entry }: ContentOrigin<O>): string {
  return `${copy}:${layer}:${entry.path}`;
}
