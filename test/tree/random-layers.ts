/** Layers as fast-check makes them up. */

import * as fc from 'fast-check';
import type { Entry } from '../../src/tree/entry.ts';
import { ancestorsOf, comparePaths, isWithin } from '../../src/tree/path.ts';
import { directory, file, symlink, whiteout } from './entries.ts';

const NAMES = ['a', 'b', 'a-', 'c'];
/** Every path that a random layer may have. */
export const PATHS = NAMES.flatMap((x) => [
  x,
  ...NAMES.flatMap((y) => [`${x}/${y}`, ...NAMES.map((z) => `${x}/${y}/${z}`)]),
]);

const KINDS: Readonly<Record<string, (path: string, uid: number) => Entry>> = {
  file: (path, uid) => ({ ...file(path), uid }),
  directory: (path, uid) => directory(path, { uid }),
  opaque: (path, uid) => directory(path, { uid, opaque: true }),
  implied: (path) => directory(path, { implied: true }),
  symlink: (path, uid) => ({ ...symlink(path, 'x'), uid }),
  whiteout,
};

/** A layer that could be: every ancestor is there and is a directory. */
export const randomLayer: fc.Arbitrary<readonly Entry[]> = fc
  .array(
    fc.tuple(fc.constantFrom(...PATHS), fc.constantFrom(...Object.keys(KINDS)), fc.nat({ max: 9 })),
    { maxLength: 12 },
  )
  .map((wanted) => {
    const entries = new Map<string, Entry>();
    for (const [path, kind, uid] of wanted) {
      const ancestors = ancestorsOf(path);
      const blocked = ancestors.some(
        (one) => (entries.get(one)?.type ?? 'directory') !== 'directory',
      );
      const inUse = [...entries.keys()].some((one) => one !== path && isWithin(one, path));
      if (blocked || inUse || entries.has(path)) continue;
      for (const one of ancestors) {
        if (!entries.has(one)) entries.set(one, directory(one, { implied: true }));
      }
      const entry = KINDS[kind]?.(path, uid);
      if (entry !== undefined) entries.set(path, entry);
    }
    return [...entries.values()].toSorted((a, b) => comparePaths(a.path, b.path));
  });
