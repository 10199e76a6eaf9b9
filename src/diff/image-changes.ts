/** Two images, from what they say to what they are made of. */

import { align } from './align.ts';
import type { CompareWork, LayerPair } from './compare-work.ts';
import type { Differences } from './differences.ts';
import { configChanges, historyChanges, manifestChanges } from './document-changes.ts';
import { filesystemChanges } from './filesystem-changes.ts';
import { bytesOf, type SubjectDocument, type SubjectImage } from './subject.ts';
import type { ImagePair } from './subject-changes.ts';
import { isEqual } from './value-changes.ts';

/** Adds all differences of two images; layers are read only where their contents differ. */
export async function compareImages({ a, b }: ImagePair, work: CompareWork): Promise<void> {
  if (a.manifest !== undefined && a.manifest.digest === b.manifest?.digest) return;
  const { differences } = work;
  const { platform } = a;
  for (const changes of [configChanges, historyChanges]) {
    for (const change of changes(a.config.json, b.config.json)) {
      differences.add({ ...change, platform });
    }
  }
  if (a.manifest !== undefined && b.manifest !== undefined) {
    for (const change of manifestChanges(a.manifest.json, b.manifest.json)) {
      differences.add({ ...change, platform });
    }
  }
  const pairs = layerPairs(a, b);
  if (pairs.some(({ a: x, b: y }) => x?.diffID !== y?.diffID)) {
    await filesystemChanges(pairs, platform, work);
  }
  addBytes({ a, b }, pairs, differences);
}

function layerPairs(a: SubjectImage, b: SubjectImage): readonly LayerPair[] {
  const pairs = align(a.layers, b.layers, (x, y) => {
    if (x.diffID === y.diffID) return 1000;
    return x.createdBy !== undefined && x.createdBy === y.createdBy ? 100 : 0;
  });
  return pairs.map(([i, j]) => ({
    a: i === undefined ? undefined : a.layers[i],
    b: j === undefined ? undefined : b.layers[j],
  }));
}

/** What says the same with other bytes. */
function addBytes(
  { a, b }: ImagePair,
  pairs: readonly LayerPair[],
  differences: Differences,
): void {
  const { platform } = a;
  const common = { group: 'bytes', platform, change: 'changed' } as const;
  for (const { a: x, b: y } of pairs) {
    if (x?.mediaType === undefined || y?.mediaType === undefined) continue;
    if (x.diffID !== y.diffID) continue;
    if (x.digest === y.digest && x.mediaType === y.mediaType) continue;
    const key = `layers[${x.index}]`;
    differences.add({ ...common, key, a: bytesOf(x), b: bytesOf(y) });
  }
  for (const key of ['config', 'manifest'] as const) {
    const [x, y] = [a[key], b[key]];
    if (isWrittenOtherwise(x, y)) {
      differences.add({ ...common, key, a: bytesOf(x), b: bytesOf(y) });
    }
  }
}

/** Whether two documents mean the same, and are not the same bytes. */
export function isWrittenOtherwise(
  a: SubjectDocument | undefined,
  b: SubjectDocument | undefined,
): boolean {
  if (a === undefined || b === undefined || a.digest === b.digest) return false;
  return isEqual(a.json, b.json);
}
