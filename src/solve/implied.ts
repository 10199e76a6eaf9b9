/**
 * Directories that a pulled layer's archive implies without describing them: unpacked they are 0755
 * root's, in the tree they are what lower layers say. Built layers imply none.
 *
 * Finding them takes a walk over the whole index, which no RUN may pay for again: once found, they are
 * in a record of the store.
 */

import { cacheKey } from '../../cache/index.ts';
import type { Entry } from '../tree/entry.ts';
import type { ImageTree } from '../tree/image-tree.ts';
import type { LayerIndex } from '../tree/layer-index.ts';
import type { Layer } from './layer.ts';
import type { StepContext } from './step-context.ts';

/** What the tree says of those directories of its layers whose unpacked ones are something else. */
export async function impliedDirectories(
  parent: readonly Layer[],
  tree: ImageTree,
  context: Pick<StepContext, 'store' | 'implied'>,
): Promise<readonly Entry[]> {
  const wrong = new Map<string, Entry>();
  for (const [number, index] of tree.layers.entries()) {
    const layer = parent[number];
    // The lowest layer that counts has nothing below it that could say otherwise.
    if (number <= tree.lowest || layer?.pulled === undefined) continue;
    for (const path of await context.implied.get(layer.id, () => pathsOf(layer, index, context))) {
      const seen = tree.lookup(path)?.entry;
      if (seen?.type === 'directory' && !seen.implied) wrong.set(path, seen);
    }
  }
  return [...wrong.values()];
}

/** The paths in order. A pulled layer's id is its diffID: the same archive, so the same paths, for ever. */
async function pathsOf(
  { id }: Layer,
  index: LayerIndex,
  { store }: Pick<StepContext, 'store'>,
): Promise<readonly string[]> {
  const key = cacheKey('implied', { id });
  const known = (await store.getRecord(key))?.inputs;
  if (Array.isArray(known)) return known.filter((path) => typeof path === 'string');
  const paths: string[] = [];
  for (const entry of index.within('')) {
    if (entry.type === 'directory' && entry.implied) paths.push(entry.path);
  }
  await store.putRecord(key, { layer: id, inputs: paths, created: 0, duration: 0 });
  return paths;
}
