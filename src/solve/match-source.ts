/** Which entries of a source tree the sources of a COPY name (CP-4, CP-5, CP-11). */

import { suggest, TsbuildError } from '../errors.ts';
import { hasWildcards, matchGlob, splitWildcards } from '../tree/glob.ts';
import type { Found, ImageTree } from '../tree/image-tree.ts';
import { joinPath, nameOf, parentOf, toBytes, toPath, toText } from '../tree/path.ts';

/** A place in a source tree that a source names. */
export interface Match {
  /** The name that it goes by at the destination. */
  readonly named: string;
  /** Symlinks followed. */
  readonly path: string;
  /** Undefined for the root. */
  readonly found: Found | undefined;
}

/** What a source matches: itself, or what its pattern does (CP-4, CP-5, CP-11). @throws ERR_SOURCE_MISSING */
export function matchSource(tree: ImageTree, path: string): Match[] {
  const clean = toText(toPath(path));
  if (!hasWildcards(clean)) {
    const match = matchAt(tree, toBytes(clean));
    if (match === undefined) throw sourceMissing(path, tree);
    return [match];
  }
  const { prefix, pattern } = splitWildcards(clean);
  const base = tree.resolve(toBytes(prefix), { followLast: true });
  // Only names may match nothing: the directory that they are looked for in must be there.
  if (base === undefined || !isThere(tree, base)) throw sourceMissing(path, tree);
  const skip = base === '' ? 0 : base.length + 1;
  const depth = pattern.split('/').length;
  const matches: Match[] = [];
  for (const { entry } of tree.below(base)) {
    const relative = entry.path.slice(skip);
    if (relative.split('/').length !== depth || !matchGlob(pattern, toText(relative))) continue;
    const match = matchAt(tree, entry.path);
    if (match === undefined) throw sourceMissing(`/${toText(entry.path)}`, tree);
    matches.push(match);
  }
  return matches;
}

function isThere(tree: ImageTree, path: string): boolean {
  return path === '' || tree.lookup(path) !== undefined;
}

function matchAt(tree: ImageTree, named: string): Match | undefined {
  const path = tree.resolve(named, { followLast: true });
  if (path === undefined) return undefined;
  if (path === '') return { named, path, found: undefined };
  const found = tree.lookup(path);
  return found === undefined ? undefined : { named, path, found };
}

export function sourceMissing(path: string, tree?: ImageTree): TsbuildError {
  const guess = tree === undefined ? undefined : similarPath(tree, toPath(path));
  return new TsbuildError('ERR_SOURCE_MISSING', {
    message: `Cannot copy "${path}": not found`,
    details: { path },
    hint: guess === undefined ? undefined : `Did you mean "${guess}"?`,
  });
}

/** Something in the same directory whose name is nearly the same. */
function similarPath(tree: ImageTree, path: string): string | undefined {
  const directory = tree.resolve(parentOf(path), { followLast: true });
  if (directory === undefined) return undefined;
  const names = [...tree.list(directory)].map(({ entry }) => toText(nameOf(entry.path)));
  const name = suggest(toText(nameOf(path)), names);
  return name === undefined ? undefined : toText(joinPath(parentOf(path), toBytes(name)));
}
