/**
 * Gives a layer the form that somebody needs: index, directory, blob, or its files' bytes.
 *
 * Every recorded layer has an index and its bytes in one form at least; the others are made from it
 * when first asked for, once per build, and stay in the store. A form that turns out damaged is
 * treated as absent.
 */

import { closeSync, openSync, readSync, statSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Store, Workspace } from '../../cache/index.ts';
import { hasCode } from '../errors.ts';
import type { Entry } from '../tree/entry.ts';
import {
  type BlobForm,
  clampEntry,
  formKey,
  isCompressedBy,
  isLater,
  USUAL_BLOB,
} from './blob-form.ts';
import { ImageTree } from '../tree/image-tree.ts';
import { LayerIndex } from '../tree/layer-index.ts';
import { type ComposeSources, writeList } from './compose-list.ts';
import type { Helpers } from './helpers.ts';
import type { Layer } from './layer.ts';
import { type LayerBlob, LayerBlobs } from './layer-blobs.ts';
import { Places } from './places.ts';
import { type Limiter, Once } from './schedule.ts';
import type { SecretGuard } from './secret-guard.ts';

/** Where the bytes of a layer's files are. */
export type LayerContent = { readonly kind: 'directory'; readonly path: string } | LayerArchive;

/** An uncompressed tar; the index's file entries have their ranges in it. */
export interface LayerArchive {
  readonly kind: 'tar';
  readonly path: string;
  readonly index: LayerIndex;
}

export interface LayersOptions {
  readonly store: Store;
  readonly workspace: Workspace;
  readonly helpers: Helpers;
  readonly jobs: Limiter;
  /** Apart from the jobs that steps wait for: it goes on beside them. */
  readonly compression: Limiter;
  readonly guard: SecretGuard;
  readonly signal: AbortSignal;
}

export class Layers {
  readonly #options: LayersOptions;
  readonly #indexes = new Once<LayerIndex>();
  readonly #directories = new Once<string>();
  readonly #packed = new Once<LayerBlob>();
  readonly #contents = new Once<LayerContent>();
  readonly #archives = new Once<LayerArchive>();
  readonly #files: number[] = [];
  #names = 0;

  /** How layers of the image are packed unless said otherwise; a step's layer is packed so at once. */
  form = USUAL_BLOB;

  /** The blobs behind the layers. */
  readonly blobs: LayerBlobs;

  constructor(options: LayersOptions) {
    this.#options = options;
    this.blobs = new LayerBlobs(options, (what) => this.temporary(what));
  }

  /** A name in the build's workspace that nothing has yet. */
  temporary(what: string): string {
    return join(this.#options.workspace.path, `${what}-${this.#names++}`);
  }

  /** The tree of layers, lowest first. `directories`: their directories will be needed soon, too. */
  async tree(
    layers: readonly Layer[],
    options: { readonly directories: boolean },
  ): Promise<ImageTree> {
    return new ImageTree(await Promise.all(layers.map((layer) => this.index(layer, options))));
  }

  /** A layer's index. A pulled layer's blob passes through once for it. */
  index(layer: Layer, options: { readonly directories: boolean }): Promise<LayerIndex> {
    return this.#indexes.get(layer.id, async () => {
      const { store } = this.#options;
      if (!(await store.hasIndex(layer.id))) {
        if (options.directories) await this.directory(layer);
        // A directory that was there already brings no index along.
        if (!(await store.hasIndex(layer.id))) await this.#extract(layer, undefined);
      }
      return this.openIndex(store.indexPath(layer.id));
    });
  }

  /** Opens an index file; it stays open until `close()`. */
  openIndex(path: string): LayerIndex {
    const file = openSync(path, 'r');
    this.#files.push(file);
    return new LayerIndex({
      size: statSync(path).size,
      read: (offset, length) => {
        const bytes = Buffer.allocUnsafe(length);
        readSync(file, bytes, 0, length, offset);
        return bytes;
      },
    });
  }

  /** A layer's directory in overlay format. */
  directory(layer: Layer): Promise<string> {
    return this.#directories.get(layer.id, async () => {
      const { store, helpers } = this.#options;
      const { flavor } = await helpers.directories();
      if (!(await store.hasDirectory(layer.id, flavor))) {
        const wrapper = this.temporary('layer');
        await mkdir(wrapper);
        await this.#extract(layer, join(wrapper, 'fs'));
        await this.publishDirectory(layer, wrapper);
      }
      return store.directoryPath(layer.id, flavor);
    });
  }

  /** Puts a directory (`fs` in a wrapper of its own) into the store; removes it if another was first. */
  async publishDirectory(layer: Layer, wrapper: string): Promise<void> {
    const { store, helpers, signal } = this.#options;
    const { flavor, helper } = await helpers.directories();
    const published = await store.publishDirectory(layer.id, flavor, wrapper);
    if (!published) await helper.remove({ verb: 'remove', paths: [wrapper] }, { signal });
  }

  /** Index, and directory if wanted, from the blob. */
  async #extract(layer: Layer, directory: string | undefined): Promise<void> {
    const { store, helpers, jobs, signal } = this.#options;
    const index = this.temporary('index');
    const helper =
      directory === undefined ? await helpers.files() : (await helpers.directories()).helper;
    const extract = async ({ path, descriptor, diffID }: LayerBlob): Promise<void> => {
      const request = { blob: path, digest: descriptor.digest, diffID, index } as const;
      const where = directory === undefined ? {} : { directory };
      await jobs.run(
        () => helper.extract({ verb: 'extract', ...request, ...where }, { signal }),
        signal,
      );
    };
    const blob = await this.blobs.any(layer);
    try {
      await extract(blob);
    } catch (error) {
      // Damaged in the store: as good as not there, if it can be fetched again.
      const isDamaged =
        hasCode(error, 'ERR_DIGEST_MISMATCH') || hasCode(error, 'ERR_LAYER_INVALID');
      if (!isDamaged || !(await this.blobs.discard(layer, blob))) throw error;
      await extract(await this.blobs.any(layer));
    }
    // A built layer's index is the truth about owners; one read from a blob must not replace it.
    if (await store.hasIndex(layer.id)) await rm(index);
    else await store.publishIndex(layer.id, index);
  }

  /** A layer's blob for an image: composed from its content if there is none in this form yet. */
  blob(layer: Layer, form = this.form): Promise<LayerBlob> {
    return this.#packed.get(`${layer.id} ${formKey(form)}`, async () => {
      if (layer.pulled !== undefined) return await this.blobs.pulled(layer, form);
      const { latest } = form;
      if (latest !== undefined && !(await this.#isAnyLater(layer, latest))) {
        return await this.blob(layer, { ...form, latest: undefined });
      }
      return (
        (await this.blobs.built(layer, form)) ??
        (await this.#repackedBlob(layer, form)) ??
        (await this.#composeBlob(layer, form))
      );
    });
  }

  /** The same from a list with sources, for a layer that is only being made. Times are as they are. */
  blobFrom(layer: Layer, from: ComposeSources): Promise<LayerBlob> {
    const form = { ...this.form, latest: undefined };
    return this.#packed.get(`${layer.id} ${formKey(form)}`, () =>
      this.blobs.compress(layer, from, form),
    );
  }

  async #isAnyLater(layer: Layer, latest: number): Promise<boolean> {
    const index = await this.index(layer, { directories: false });
    for (const entry of index.within('')) if (isLater(entry, latest)) return true;
    return false;
  }

  /** From a blob of another form, whose files need not be hashed again. Not where a directory is the quicker source. */
  async #repackedBlob(layer: Layer, form: BlobForm): Promise<LayerBlob | undefined> {
    if (form.latest !== undefined) return undefined;
    const known = await this.blobs.known(layer);
    if (known === undefined) return undefined;
    const isPlain = isCompressedBy(known.descriptor, { ...form, compression: 'none' });
    if (!isPlain && (await this.#existingDirectory(layer)) !== undefined) return undefined;
    return await this.blobs.repack(layer, known, form).catch((error: unknown) => {
      // Damaged in the store: the layer may be there in yet another form.
      if (hasCode(error, 'ERR_DIGEST_MISMATCH') || hasCode(error, 'ERR_LAYER_INVALID')) {
        return undefined;
      }
      throw error;
    });
  }

  async #composeBlob(layer: Layer, form: BlobForm): Promise<LayerBlob> {
    const index = await this.index(layer, { directories: false });
    const content = await this.content(layer);
    const places = new Places();
    const list = this.temporary('list');
    let entries: Iterable<Entry>;
    if (content.kind === 'directory') {
      places.root(content.path);
      places.directories = true;
      entries = fromDirectory(index);
    } else {
      places.file(content.path);
      entries = content.index.within('');
    }
    await writeList(list, clamped(entries, form.latest));
    return await this.blobs.compress(layer, { list, places }, form);
  }

  /** Whether a built layer's bytes are still in the store, in a form that can be used here. */
  async isComplete(layer: Layer): Promise<boolean> {
    const { store, helpers } = this.#options;
    if (!(await store.hasIndex(layer.id))) return false;
    if (await store.hasDirectory(layer.id, await helpers.expectedFlavor())) return true;
    return (await this.blobs.known(layer)) !== undefined;
  }

  /**
   * Where the bytes of a layer's files are: its directory where there is one that we may read, else
   * its blob, uncompressed for as long as this build lasts.
   */
  content(layer: Layer): Promise<LayerContent> {
    return this.#contents.get(layer.id, async () => {
      const directory = await this.#existingDirectory(layer);
      return directory === undefined
        ? await this.archive(layer)
        : { kind: 'directory', path: directory };
    });
  }

  /** Its blob, uncompressed likewise: some files in a directory may not be for us. @throws ERR_LAYER_INVALID when there is no blob */
  archive(layer: Layer): Promise<LayerArchive> {
    return this.#archives.get(layer.id, async () => {
      const { helpers, signal } = this.#options;
      const blob = await this.blobs.any(layer);
      const index = this.temporary('index');
      const tar = this.temporary('tar');
      const helper = await helpers.files();
      const source = { kind: 'archive', path: blob.path, format: 'layer', tar } as const;
      const reply = await helper.scan({ verb: 'scan', source, index }, { signal });
      return {
        kind: 'tar',
        path: reply.unpacked ? tar : blob.path,
        index: this.openIndex(index),
      };
    });
  }

  async #existingDirectory(layer: Layer): Promise<string | undefined> {
    const { store, helpers } = this.#options;
    const owned = await store.hasDirectory(layer.id, 'owned');
    if (!owned && !(await store.hasDirectory(layer.id, 'single'))) return undefined;
    // Without a sandbox, other ids' files cannot be read: the blob, if there is one, still can.
    const sandbox = await helpers.directories().catch((error: unknown) => {
      if (hasCode(error, 'ERR_SANDBOX_UNAVAILABLE')) return undefined;
      throw error;
    });
    if (sandbox === undefined || !(await store.hasDirectory(layer.id, sandbox.flavor)))
      return undefined;
    return store.directoryPath(layer.id, sandbox.flavor);
  }

  /** Waits for whatever is under way and closes every index. */
  async close(): Promise<void> {
    for (const work of [
      this.#contents,
      this.#archives,
      this.#packed,
      this.#directories,
      this.#indexes,
    ]) {
      await work.settled();
    }
    await this.blobs.settled();
    for (const file of this.#files.splice(0)) closeSync(file);
  }
}

/** Every file's bytes are at its own path below the layer's directory. */
function* fromDirectory(index: LayerIndex): Generator<Entry> {
  for (const entry of index.within('')) {
    if (entry.type !== 'file') yield entry;
    else yield { ...entry, source: { kind: 'path', root: 0, path: entry.path } };
  }
}

function* clamped(entries: Iterable<Entry>, latest: number | undefined): Generator<Entry> {
  for (const entry of entries) yield latest === undefined ? entry : clampEntry(entry, latest);
}
