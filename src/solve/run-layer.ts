/** What a RUN wrote becomes its layer. */

import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseLayerID } from '../../cache/index.ts';
import type { ImageTree } from '../tree/image-tree.ts';
import { keepOwners } from './keep-owners.ts';
import type { Layer } from './layer.ts';
import type { StepContext } from './step-context.ts';

/** Scans `fs` in a wrapper directory, and puts both the index and the directory into the store. */
export async function publishWritten(
  wrapper: string,
  parent: ImageTree,
  { layers, helpers, store, signal }: StepContext,
): Promise<Layer> {
  const { helper, flavor } = await helpers.sandbox();
  const index = layers.temporary('index');
  const path = join(wrapper, 'fs');
  const source = { kind: 'directory', path, format: 'layer', ignore: [] } as const;
  const scanned = await helper.scan({ verb: 'scan', source, index }, { signal });
  let { identity } = scanned.index;
  if (flavor === 'single') {
    const corrected = keepOwners(await readFile(index), parent);
    await writeFile(index, corrected.bytes);
    identity = corrected.identity;
  }
  const layer: Layer = { id: parseLayerID(identity), pulled: undefined };
  if (await layers.isComplete(layer)) await rm(index);
  else await store.publishIndex(layer.id, index);
  await layers.publishDirectory(layer, wrapper);
  return layer;
}
