/** A source directory's contents at a destination, entry by entry when asked for. Pure. */

import type { Found } from '../tree/image-tree.ts';
import { isWithin, joinPath, toText } from '../tree/path.ts';
import type { ContentOrigin, SourceTree } from './content-origin.ts';
import { type Changes, convertEntry, type CopySource } from './convert-entry.ts';
import type { Graft, Placed } from './placed.ts';
import { selectContents } from './selection.ts';

export interface DirectoryCopy<O extends SourceTree> {
  readonly source: CopySource<O>;
  /** The directory in the source's tree. */
  readonly base: string;
  readonly destination: string;
  /** Relative to the directory, as text. What is excluded takes along what is below it. */
  readonly isExcluded: (path: string) => boolean;
  readonly changes: Changes;
}

export interface DirectoryGraft<O extends SourceTree> extends Graft<ContentOrigin<O>> {
  /** Where a hard link, and the file that it is a link to, are at the destination; the latter perhaps. */
  readonly placesOf: (link: ContentOrigin<O>) => readonly string[];
}

export function graftDirectory<O extends SourceTree>(copy: DirectoryCopy<O>): DirectoryGraft<O> {
  const { source, base, destination, isExcluded, changes } = copy;
  const { tree } = source.origin;
  const relativeTo = (directory: string, path: string): string | undefined => {
    if (path === directory || !isWithin(path, directory)) return undefined;
    return directory === '' ? path : path.slice(directory.length + 1);
  };
  const place = (found: Found, relative: string): Placed<ContentOrigin<O>> =>
    convertEntry(source, found, joinPath(destination, relative), changes);
  return {
    get: (path) => {
      const relative = relativeTo(destination, path);
      if (relative === undefined || isExcluded(toText(relative))) return undefined;
      const found = tree.lookup(joinPath(base, relative));
      return found === undefined ? undefined : place(found, relative);
    },
    *walk() {
      for (const { found, relative } of selectContents(tree, base, isExcluded)) {
        yield place(found, relative);
      }
    },
    placesOf: ({ name, entry }) =>
      [name, entry.path].flatMap((path) => {
        const relative = relativeTo(base, path);
        return relative === undefined ? [] : [joinPath(destination, relative)];
      }),
  };
}
