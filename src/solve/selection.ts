/**
 * What COPY takes of what its sources match, and what a mount shows. Copying and telling what a build
 * uses of its context (`context-usage.ts`) ask here alike, so that they cannot differ.
 */

import { createIgnore } from '../context/ignore.ts';
import { hasWildcards } from '../tree/glob.ts';
import type { Found, ImageTree } from '../tree/image-tree.ts';
import { cleanPath, toBytes, toPath, toText } from '../tree/path.ts';
import { type Match, matchSource, sourceMissing } from './match-source.ts';

/** Something below a directory that is copied. */
export interface Selected {
  readonly found: Found;
  /** Its path below that directory. */
  readonly relative: string;
}

type Test = (path: string) => boolean;

/** Of a directory everything below it that `--exclude` leaves, in order (CP-17). */
export function* selectContents(
  tree: ImageTree,
  directory: string,
  isExcluded: Test,
): Generator<Selected> {
  const skip = directory === '' ? 0 : directory.length + 1;
  for (const found of tree.below(directory)) {
    const relative = found.entry.path.slice(skip);
    if (!isExcluded(toText(relative))) yield { found, relative };
  }
}

/** What a source of `COPY --parents` selects. */
export interface ParentsSelection {
  /** The directories that its pivot `/./` names; the root without one. */
  readonly bases: readonly Match[];
  /** What is selected below one of them. */
  readonly below: (base: string) => Generator<Selected>;
  /** To be called after the bases were gone through. @throws ERR_SOURCE_MISSING for a path that is not there */
  readonly requireAny: () => void;
}

/** `--parents` (CP-16). @throws ERR_SOURCE_MISSING for a pivot that is not there */
export function selectParents(tree: ImageTree, path: string, isExcluded: Test): ParentsSelection {
  const at = path.indexOf('/./');
  const [pivot, pattern] = at === -1 ? ['', path] : [path.slice(0, at), path.slice(at + 3)];
  const wanted = toText(cleanPath(toBytes(pattern)));
  const isWanted = wanted === '' ? () => true : createIgnore([wanted]);
  // What is excluded was there all the same.
  let isAny = false;
  return {
    bases: matchSource(tree, pivot),
    below: function* (base) {
      for (const selected of selectContents(tree, base, () => false)) {
        const relative = toText(selected.relative);
        if (!isWanted(relative)) continue;
        isAny = true;
        if (!isExcluded(relative)) yield selected;
      }
    },
    requireAny: () => {
      if (!isAny && !hasWildcards(path)) throw sourceMissing(path);
    },
  };
}

/** What the source of a bind mount names, symlinks followed. @throws ERR_SOURCE_MISSING */
export function selectMounted(
  tree: ImageTree,
  source: string,
): { readonly path: string; readonly found: Found } {
  const path = tree.resolve(toPath(source), { followLast: true });
  const found = path === undefined ? undefined : tree.lookup(path);
  if (path === undefined || found === undefined) throw sourceMissing(source);
  return { path, found };
}
