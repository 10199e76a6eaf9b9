/** Turns a decided entry list into a layer, reading bytes only when the store has no such layer yet. */

import { createHash, type Hash } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type LayerID, parseLayerID } from '../../cache/index.ts';
import { digestOf } from '../oci/digest.ts';
import type { Entry, EntrySource, FileEntry } from '../tree/entry.ts';
import { identityOfEntries } from '../tree/index-codec.ts';
import { type BlobForm, USUAL_BLOB } from './blob-form.ts';
import type { CopyResult } from './copy-entries.ts';
import type { Layer } from './layer.ts';
import { writeList } from './compose-list.ts';
import type { Origin } from './origins.ts';
import { Places } from './places.ts';
import type { Executed, StepContext, Wanted } from './step-context.ts';

/** The layer of these entries. Its identity is known before a byte is read: an equal layer is used again. */
export async function composeLayer(
  result: CopyResult<Origin>,
  wanted: Wanted,
  context: StepContext,
): Promise<Executed> {
  const layer: Layer = { id: identify(result, context), pulled: undefined };
  if (await context.layers.isComplete(layer)) return { layer, cached: true };
  await context.beforeExecution();
  const places = new Places();
  const list = context.layers.temporary('list');
  await writeList(list, await withSources(result, places));
  if (!wanted.directory) {
    await composeBlob(layer, list, places, { wanted, context });
    return { layer, cached: false };
  }
  // Beside the directory that the RUN waits for, from the same sources: the RUN does not wait for this.
  const { latest } = context.layers.form;
  // With other times it is another blob, which is made of the directory.
  if (wanted.blob && latest === undefined) {
    context.background(context.layers.blobFrom(layer, { list, places }));
  }
  await composeDirectory(layer, list, places, context);
  return { layer, cached: false };
}

/**
 * Times are no part of an identity; but what an epoch dates must be the same whether or not the store
 * has the layer from a build without it. So the epoch is part of the identity of what it dates, and
 * so is a commit. Where there is an epoch, bytes are to be the same everywhere: then it has the times
 * that are others, too, as an archive's members have.
 */
function identify({ placed, datedBy }: CopyResult<Origin>, { epoch }: StepContext): LayerID {
  let isDated = false;
  let others: Hash | undefined;
  const identity = identityOfEntries(
    map(placed, ({ entry }) => {
      const { mtime, mtimeNsec } = entry;
      if (epoch === undefined) return entry;
      if (mtime === epoch) isDated = true;
      else others = (others ?? createHash('sha256')).update(`${mtime}.${mtimeNsec} `);
      return entry;
    }),
  );
  const dates = [datedBy, isDated ? epoch : undefined, others?.digest('hex')];
  const isPlain = dates.every((date) => date === undefined);
  return parseLayerID(isPlain ? identity : digestOf(JSON.stringify([identity, ...dates])));
}

async function composeDirectory(
  layer: Layer,
  list: string,
  places: Places,
  context: StepContext,
): Promise<void> {
  const { layers, store, helpers, jobs, signal } = context;
  const { helper } = await helpers.directories();
  const wrapper = layers.temporary('layer');
  const index = layers.temporary('index');
  await mkdir(wrapper);
  const directory = join(wrapper, 'fs');
  const { roots, files } = places;
  await jobs.run(
    () => helper.compose({ verb: 'compose', list, roots, files, index, directory }, { signal }),
    signal,
  );
  await store.publishIndex(layer.id, index);
  await layers.publishDirectory(layer, wrapper);
}

/** As a blob: packed for an image, plain for a stage that only others copy from, or to be made of it with other times. */
async function composeBlob(
  layer: Layer,
  list: string,
  places: Places,
  { wanted, context }: { readonly wanted: Wanted; readonly context: StepContext },
): Promise<void> {
  const { layers, store, helpers, jobs, guard, signal } = context;
  const helper = places.directories ? (await helpers.directories()).helper : await helpers.files();
  const index = layers.temporary('index');
  const path = layers.temporary('blob');
  const form = wanted.blob && layers.form.latest === undefined ? layers.form : PLAIN;
  const { compression, level } = form;
  const blob = { path, compression, level };
  const { roots, files } = places;
  const secrets = wanted.blob ? guard.request : {};
  const request = { verb: 'compose', list, roots, files, index, blob, ...secrets } as const;
  const reply = await jobs.run(
    () => guard.composing(layer, () => helper.compose(request, { signal })),
    signal,
  );
  if (reply.blob === undefined) throw new TypeError('compose answered no blob');
  await store.publishIndex(layer.id, index);
  await layers.blobs.publish(layer, path, form, reply.blob);
}

const PLAIN: BlobForm = { ...USUAL_BLOB, compression: 'none' };

type Locate = (entry: FileEntry) => EntrySource;

/** The entries with the places of their bytes, each made when it is asked for: there may be many. */
export async function withSources(
  { placed, sources }: CopyResult<Origin>,
  places: Places,
): Promise<Iterable<Entry>> {
  const opened = new Map<Origin, ReadonlyMap<number, Locate>>();
  for (const [origin, layers] of sources) {
    const ofOrigin = new Map<number, Locate>();
    for (const layer of layers) ofOrigin.set(layer, await origin.open(layer, places));
    opened.set(origin, ofOrigin);
  }
  return map(placed, ({ entry, content }) => {
    if (entry.type !== 'file' || content === undefined) return entry;
    const source = opened.get(content.origin)?.get(content.layer)?.(content.entry);
    return source === undefined ? entry : { ...entry, source };
  });
}

function* map<T, U>(items: Iterable<T>, change: (item: T) => U): Generator<U> {
  for (const item of items) yield change(item);
}
