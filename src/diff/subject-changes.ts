/** What of two subjects is for the same platform, and what their indexes say. */

import type { Difference } from './difference.ts';
import { descriptorChanges, entryKey, manifestChanges } from './document-changes.ts';
import type { Subject, SubjectImage } from './subject.ts';

/** Images to compare with each other. */
export interface ImagePair {
  readonly a: SubjectImage;
  readonly b: SubjectImage;
}

/** Two single images are a pair whatever their platforms are. */
export function pairsOf(a: Subject, b: Subject): readonly ImagePair[] {
  const [onlyA, ...moreA] = a.images;
  const [onlyB, ...moreB] = b.images;
  if (onlyA && onlyB && moreA.length === 0 && moreB.length === 0) return [{ a: onlyA, b: onlyB }];
  return [...byName(a.images, b.images, ({ platform }) => platform)].flatMap(([x, y]) =>
    x === undefined || y === undefined ? [] : [{ a: x, b: y }],
  );
}

/** Platforms that one of them lacks, what the indexes say of themselves and of their images. */
export function* indexChanges(a: Subject, b: Subject): Generator<Difference> {
  const pairs = pairsOf(a, b);
  const isPaired = (image: SubjectImage): boolean =>
    pairs.some((pair) => pair.a === image || pair.b === image);
  for (const { platform, config, manifest = config } of a.images.filter((it) => !isPaired(it))) {
    yield { group: 'platforms', change: 'removed', key: platform, a: manifest.digest };
  }
  for (const { platform, config, manifest = config } of b.images.filter((it) => !isPaired(it))) {
    yield { group: 'platforms', change: 'added', key: platform, b: manifest.digest };
  }
  if (a.index === undefined && b.index === undefined) return;
  if (a.index === undefined || b.index === undefined) {
    const types = [a, b].map(({ index, images }) => (index ?? images[0]?.manifest)?.mediaType);
    // A docker archive has no manifest that could be an index.
    if (types.includes(undefined)) return;
    const [typeA = '', typeB = ''] = types;
    const key = 'mediaType';
    yield { group: 'manifest', change: 'changed', key, a: typeA, b: typeB };
    return;
  }
  yield* manifestChanges(a.index.json, b.index.json);
  for (const { a: x, b: y } of pairs) {
    for (const change of descriptorChanges(x.entry, y.entry, entryKey(x.platform))) {
      yield { group: 'manifest', ...change };
    }
  }
}

/** Items of one name side by side, in the order of `a`, then what only `b` has. Of several with one name, the first go together. */
export function* byName<T>(
  a: readonly T[],
  b: readonly T[],
  nameOf: (item: T) => string,
): Generator<readonly [a: T | undefined, b: T | undefined]> {
  const left = [...b];
  for (const item of a) {
    const at = left.findIndex((other) => nameOf(other) === nameOf(item));
    const [other] = at === -1 ? [] : left.splice(at, 1);
    yield [item, other];
  }
  for (const item of left) yield [undefined, item];
}
