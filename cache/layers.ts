/**
 * What there is of each layer: `layers/HEX.index`, `layers/HEX.json` (facts), `layers/HEX.d/fs` and
 * `layers/HEX.one.d/fs` (directories in overlay format; beside the latter may be `owners`).
 *
 * The first complete form of a layer stays, as other builds may be using it. Facts:
 *
 *     {"format":1,"id":"sha256:…","diffID":"sha256:…","blobs":[{"mediaType":…,"digest":…,"size":…}]}
 */

import { randomBytes } from 'node:crypto';
import { open, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Descriptor } from '../src/oci/descriptor.ts';
import { type DiffID, hexOf, parseDigest } from '../src/oci/digest.ts';
import { absent, errnoOf, moveInto, readChecked, unusable, writeChecked } from './atomic.ts';
import type { BlobStore } from './blobs.ts';

declare const brand: unique symbol;

/** A layer's content identity: the diffID of a pulled layer, the index's identity of a built one. */
export type LayerID = string & { readonly [brand]: 'layerID' };

/** Text to LayerID. @throws ERR_DIGEST_INVALID */
export function parseLayerID(text: string): LayerID {
  return parseDigest(text) as string as LayerID;
}

/**
 * `owned`: files belong to the ids they have in the image. `single`: all files belong to one id, and an
 * attribute, or for symlinks and FIFOs the file `owners`, says to whom in the image.
 */
export type DirectoryFlavor = 'owned' | 'single';

/** A layer's blobs. All of them have this diffID when uncompressed. */
export interface LayerFacts {
  readonly diffID: DiffID | undefined;
  readonly blobs: readonly Descriptor[];
}

export interface LayerStore {
  indexPath(id: LayerID): string;
  /** Whether there is an index, whole from its first to its last bytes. */
  hasIndex(id: LayerID): Promise<boolean>;
  /** Moves an index file in; if there is a whole one already, the file is removed. @throws ERR_STORE_UNUSABLE */
  publishIndex(id: LayerID, file: string): Promise<void>;
  /** Where the layer's root is. */
  directoryPath(id: LayerID, flavor: DirectoryFlavor): string;
  hasDirectory(id: LayerID, flavor: DirectoryFlavor): Promise<boolean>;
  /**
   * Moves a directory in: `wrapper` contains it under the name `fs`. False when another one is
   * there already; the wrapper is then the caller's to remove. @throws ERR_STORE_UNUSABLE
   */
  publishDirectory(id: LayerID, flavor: DirectoryFlavor, wrapper: string): Promise<boolean>;
  facts(id: LayerID): Promise<LayerFacts | undefined>;
  /**
   * Adds blobs to what is known. Blobs of another diffID (the same content with other mtimes) count
   * only when none of those known is there any more: an image must not change from build to build.
   * @throws ERR_STORE_UNUSABLE
   */
  saveFacts(id: LayerID, facts: LayerFacts): Promise<void>;
}

const FACTS_FORMAT = 1;

/** The layers of a store at `root`. */
export function layerStore(root: string, blobs: BlobStore): LayerStore {
  const path = (id: LayerID, suffix: string): string =>
    join(root, 'layers', `${hexOf(parseDigest(id))}${suffix}`);
  const indexPath = (id: LayerID): string => path(id, '.index');
  const wrapperPath = (id: LayerID, flavor: DirectoryFlavor): string =>
    path(id, flavor === 'single' ? '.one.d' : '.d');
  const directoryPath = (id: LayerID, flavor: DirectoryFlavor): string =>
    join(wrapperPath(id, flavor), 'fs');
  const facts = (id: LayerID): Promise<LayerFacts | undefined> => readFacts(id, path(id, '.json'));

  return {
    indexPath,
    hasIndex: (id) => isWhole(indexPath(id)),
    async publishIndex(id, file) {
      if (await isWhole(indexPath(id))) await rm(file);
      else await moveInto(file, indexPath(id));
    },
    directoryPath,
    hasDirectory: (id, flavor) => isDirectory(directoryPath(id, flavor)),
    publishDirectory: (id, flavor, wrapper) =>
      moveDirectory(wrapper, wrapperPath(id, flavor), join(root, 'tmp')),
    facts,
    async saveFacts(id, added) {
      const merged = await mergeFacts(await facts(id), added, blobs);
      const value = { format: FACTS_FORMAT, id, ...merged };
      await writeChecked(join(root, 'tmp'), path(id, '.json'), value);
    },
  };
}

/** An index starts and ends with the same eight bytes; one that was cut off does not. */
const MARK_LENGTH = 8;

async function isWhole(path: string): Promise<boolean> {
  const file = await open(path).catch((error: unknown) => absent(path, error));
  if (file === undefined) return false;
  try {
    const { size } = await file.stat();
    if (size < 2 * MARK_LENGTH) return false;
    const marks = Buffer.alloc(2 * MARK_LENGTH);
    await file.read(marks, 0, MARK_LENGTH, 0);
    await file.read(marks, MARK_LENGTH, MARK_LENGTH, size - MARK_LENGTH);
    // A hole left by a power loss reads as zeros.
    return marks[0] !== 0 && marks.subarray(0, MARK_LENGTH).equals(marks.subarray(MARK_LENGTH));
  } finally {
    await file.close();
  }
}

/** A rename never replaces a directory that has something in it: who comes second learns of it. */
async function moveDirectory(wrapper: string, path: string, temporaries: string): Promise<boolean> {
  try {
    await rename(wrapper, path);
    return true;
  } catch (error) {
    const code = errnoOf(error);
    if (code !== 'ENOTEMPTY' && code !== 'EEXIST') throw unusable(path, error);
  }
  if (await isDirectory(join(path, 'fs'))) return false;
  // Somebody took the content away. What is left is set aside, to be found stale.
  const aside = join(temporaries, randomBytes(8).toString('hex'));
  await rename(path, aside).catch((error: unknown) => absent(path, error));
  return moveDirectory(wrapper, path, temporaries);
}

async function isDirectory(path: string): Promise<boolean> {
  const found = await stat(path).catch((error: unknown) => absent(path, error));
  return found?.isDirectory() === true;
}

async function readFacts(id: LayerID, path: string): Promise<LayerFacts | undefined> {
  const value = await readChecked(path);
  // Its own hash says that this code wrote it, in this format.
  const facts = value as (LayerFacts & { format?: number; id?: LayerID }) | undefined;
  if (facts?.format !== FACTS_FORMAT || facts.id !== id) return undefined;
  return { diffID: facts.diffID, blobs: facts.blobs };
}

async function mergeFacts(
  known: LayerFacts | undefined,
  added: LayerFacts,
  blobs: BlobStore,
): Promise<LayerFacts> {
  if (known === undefined) return added;
  const diffID = known.diffID ?? added.diffID;
  if (added.diffID !== undefined && added.diffID !== diffID) {
    const there = await Promise.all(known.blobs.map((blob) => blobs.hasBlob(blob)));
    return there.includes(true) ? known : added;
  }
  const digests = new Set(known.blobs.map((blob) => blob.digest));
  return {
    diffID,
    blobs: [...known.blobs, ...added.blobs.filter((one) => !digests.has(one.digest))],
  };
}
