/**
 * Directories that a pulled layer's archive implies without describing them: unpacked they are 0755
 * root's, in the tree they are what lower layers say. Built layers imply none.
 */

import type { Entry } from '../tree/entry.ts';
import type { ImageTree } from '../tree/image-tree.ts';
import type { LayerIndex } from '../tree/layer-index.ts';
import type { Findings } from './findings.ts';
import type { Layer } from './layer.ts';

/** What the tree says of those directories of its layers whose unpacked ones are something else. */
export async function impliedDirectories(
  parent: readonly Layer[],
  tree: ImageTree,
  findings: Findings,
): Promise<readonly Entry[]> {
  const wrong = new Map<string, Entry>();
  for (const [number, index] of tree.layers.entries()) {
    const layer = parent[number];
    // The lowest layer that counts has nothing below it that could say otherwise.
    if (number <= tree.lowest || layer?.pulled === undefined) continue;
    // A pulled layer's id is its diffID: the same archive, so the same paths.
    const paths = await findings.get('implied', { layer: layer.id }, () => impliedIn(index));
    for (const path of paths) {
      const seen = tree.lookup(path)?.entry;
      if (seen?.type === 'directory' && !seen.implied) wrong.set(path, seen);
    }
  }
  return [...wrong.values()];
}

function impliedIn(index: LayerIndex): readonly string[] {
  const paths: string[] = [];
  for (const entry of index.within('')) {
    if (entry.type === 'directory' && entry.implied) paths.push(entry.path);
  }
  return paths;
}
