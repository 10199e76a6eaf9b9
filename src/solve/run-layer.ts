/** What a RUN wrote becomes its layer. */

import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { parseLayerID } from '../../cache/index.ts';
import type { Layer } from './layer.ts';
import type { StepContext } from './step-context.ts';

/** Scans `fs` in a wrapper directory, and puts both the index and the directory into the store. */
export async function publishWritten(
  wrapper: string,
  { layers, helpers, store, signal }: StepContext,
): Promise<Layer> {
  const { helper } = await helpers.sandbox();
  const index = layers.temporary('index');
  const path = join(wrapper, 'fs');
  const source = { kind: 'directory', path, format: 'layer', ignore: [] } as const;
  const scanned = await helper.scan({ verb: 'scan', source, index }, { signal });
  const layer: Layer = { id: parseLayerID(scanned.index.identity), pulled: undefined };
  if (await layers.isComplete(layer)) await rm(index);
  else await store.publishIndex(layer.id, index);
  await layers.publishDirectory(layer, wrapper);
  return layer;
}
