/**
 * Gives a layer the form that somebody needs: index, directory, blob, or its files' bytes.
 *
 * Every recorded layer has an index and its bytes in one form at least; the others are made from it
 * when first asked for, once per build, and stay in the store. A form that turns out damaged is
 * treated as absent.
 */

import { mkdir, open, readFile, rm } from 'node:fs/promises';
import { closeSync, openSync, readSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Store, Workspace } from '../../cache/index.ts';
import { TsbuildError } from '../errors.ts';
import { type Descriptor, MEDIA_TYPE } from '../oci/descriptor.ts';
import { type DiffID, parseDiffID, parseDigest } from '../oci/digest.ts';
import type { Entry } from '../tree/entry.ts';
import { ImageTree } from '../tree/image-tree.ts';
import { encodeIndex } from '../tree/index-codec.ts';
import { LayerIndex } from '../tree/layer-index.ts';
import type { Helpers } from './helpers.ts';
import type { Layer } from './layer.ts';
import { Places } from './places.ts';
import { type Limiter, Once } from './schedule.ts';

/** A layer as an image lists it. */
export interface LayerBlob {
  readonly descriptor: Descriptor;
  readonly diffID: DiffID;
  readonly path: string;
}

/** Where the bytes of a layer's files are. */
export type LayerContent =
  | { readonly kind: 'directory'; readonly path: string }
  /** An uncompressed tar; the index's file entries have their ranges in it. */
  | { readonly kind: 'tar'; readonly path: string; readonly index: LayerIndex };

/** What compose reads: a list, and the places that its sources point into. */
export interface ComposeSources {
  readonly list: string;
  readonly places: Places;
}

export interface LayersOptions {
  readonly store: Store;
  readonly workspace: Workspace;
  readonly helpers: Helpers;
  readonly jobs: Limiter;
  /** Apart from the jobs that steps wait for: it goes on beside them. */
  readonly compression: Limiter;
  readonly signal: AbortSignal;
}

export class Layers {
  readonly #options: LayersOptions;
  readonly #indexes = new Once<LayerIndex>();
  readonly #directories = new Once<string>();
  readonly #blobs = new Once<LayerBlob>();
  readonly #contents = new Once<LayerContent>();
  readonly #fetches = new Once<string>();
  readonly #files: number[] = [];
  #names = 0;

  constructor(options: LayersOptions) {
    this.#options = options;
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
    const blob = await this.#anyBlob(layer);
    const index = this.temporary('index');
    const helper =
      directory === undefined ? await helpers.files() : (await helpers.directories()).helper;
    await jobs.run(
      () =>
        helper.extract(
          {
            verb: 'extract',
            blob: blob.path,
            digest: blob.descriptor.digest,
            diffID: blob.diffID,
            index,
            ...(directory !== undefined && { directory }),
          },
          { signal },
        ),
      signal,
    );
    // A built layer's index is the truth about owners; one read from a blob must not replace it.
    if (await store.hasIndex(layer.id)) await rm(index);
    else await store.publishIndex(layer.id, index);
  }

  /** A layer's blob in whatever compression there is; the helper tells by content. */
  async #anyBlob(layer: Layer): Promise<LayerBlob> {
    const { store } = this.#options;
    const facts = await store.facts(layer.id);
    for (const descriptor of facts?.blobs ?? []) {
      if (facts?.diffID !== undefined && (await store.hasBlob(descriptor))) {
        return { descriptor, diffID: facts.diffID, path: store.blobPath(descriptor.digest) };
      }
    }
    if (layer.pulled === undefined) throw lostLayer(layer);
    const path = await this.#fetch(layer);
    return { descriptor: layer.pulled.descriptor, diffID: layer.pulled.diffID, path };
  }

  /** Downloads a pulled layer's blob into the store. */
  #fetch(layer: Layer): Promise<string> {
    return this.#fetches.get(layer.id, async () => {
      const { store, signal } = this.#options;
      const { pulled } = layer;
      if (pulled === undefined) throw lostLayer(layer);
      const { descriptor, diffID, source } = pulled;
      if (!(await store.hasBlob(descriptor))) {
        const temporary = this.temporary('blob');
        await source.fetchBlob(descriptor, temporary, signal);
        await store.addBlob(temporary, descriptor);
      }
      await store.saveFacts(layer.id, { diffID, blobs: [descriptor] });
      return store.blobPath(descriptor.digest);
    });
  }

  /** A layer's compressed blob, for an image: composed from its content if there is none yet. */
  blob(layer: Layer): Promise<LayerBlob> {
    return this.#blobs.get(layer.id, async () => {
      const { store } = this.#options;
      const { pulled } = layer;
      if (pulled !== undefined) {
        const path = await this.#fetch(layer);
        return { descriptor: pulled.descriptor, diffID: pulled.diffID, path };
      }
      const facts = await store.facts(layer.id);
      for (const descriptor of facts?.blobs ?? []) {
        const compressed = descriptor.mediaType !== MEDIA_TYPE.layerTar;
        if (compressed && facts?.diffID && (await store.hasBlob(descriptor))) {
          return { descriptor, diffID: facts.diffID, path: store.blobPath(descriptor.digest) };
        }
      }
      return await this.#composeBlob(layer);
    });
  }

  /** The same from a list with sources, for a layer that is only being made. */
  blobFrom(layer: Layer, from: ComposeSources): Promise<LayerBlob> {
    return this.#blobs.get(layer.id, () => this.#compress(layer, from));
  }

  async #composeBlob(layer: Layer): Promise<LayerBlob> {
    const index = await this.index(layer, { directories: false });
    const content = await this.content(layer);
    const places = new Places();
    const list = this.temporary('list');
    if (content.kind === 'directory') {
      places.root(content.path);
      places.directories = true;
      await writeList(list, fromDirectory(index));
    } else {
      places.file(content.path);
      await writeList(list, content.index.within(''));
    }
    return await this.#compress(layer, { list, places });
  }

  async #compress(layer: Layer, { list, places }: ComposeSources): Promise<LayerBlob> {
    const { helpers, compression, signal } = this.#options;
    const { roots, files, directories } = places;
    const helper = directories ? (await helpers.directories()).helper : await helpers.files();
    const path = this.temporary('blob');
    const blob = { path, compression: 'gzip' } as const;
    const reply = await compression.run(
      () => helper.compose({ verb: 'compose', list, roots, files, blob }, { signal }),
      signal,
    );
    if (reply.blob === undefined) throw new TypeError('compose answered no blob');
    return await this.publishBlob(layer, path, MEDIA_TYPE.layerGzip, reply.blob);
  }

  /** Puts a composed blob into the store and remembers whose it is. */
  async publishBlob(
    layer: Layer,
    temporary: string,
    mediaType: string,
    blob: { readonly digest: string; readonly diffID: string; readonly size: number },
  ): Promise<LayerBlob> {
    const { store } = this.#options;
    const descriptor: Descriptor = { mediaType, digest: parseDigest(blob.digest), size: blob.size };
    const diffID = parseDiffID(blob.diffID);
    await store.addBlob(temporary, descriptor);
    await store.saveFacts(layer.id, { diffID, blobs: [descriptor] });
    return { descriptor, diffID, path: store.blobPath(descriptor.digest) };
  }

  /** Whether a built layer's bytes are still in the store, in a form that can be used here. */
  async isComplete(layer: Layer): Promise<boolean> {
    const { store, helpers } = this.#options;
    if (!(await store.hasIndex(layer.id))) return false;
    if (await store.hasDirectory(layer.id, await helpers.expectedFlavor())) return true;
    const facts = await store.facts(layer.id);
    for (const descriptor of facts?.blobs ?? []) if (await store.hasBlob(descriptor)) return true;
    return false;
  }

  /**
   * Where the bytes of a layer's files are: its directory where there is one that we may read, else
   * its blob, uncompressed for as long as this build lasts.
   */
  content(layer: Layer): Promise<LayerContent> {
    return this.#contents.get(layer.id, async () => {
      const directory = await this.#existingDirectory(layer);
      if (directory !== undefined) return { kind: 'directory', path: directory };
      const { helpers, signal } = this.#options;
      const blob = await this.#anyBlob(layer);
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
    const sandbox = await helpers.directories().catch(() => undefined);
    if (sandbox === undefined || !(await store.hasDirectory(layer.id, sandbox.flavor)))
      return undefined;
    return store.directoryPath(layer.id, sandbox.flavor);
  }

  /** The text of a small file of a tree, e.g. /etc/passwd; undefined when there is none. */
  async readText(
    layers: readonly Layer[],
    tree: ImageTree,
    path: string,
  ): Promise<string | undefined> {
    const resolved = tree.resolve(path, { followLast: true });
    const found = resolved === undefined ? undefined : tree.fileAt(resolved);
    const layer = found === undefined ? undefined : layers[found.layer];
    if (found === undefined || layer === undefined) return undefined;
    const content = await this.content(layer);
    const { entry } = found;
    if (content.kind === 'directory') {
      return await readFile(join(content.path, entry.path), 'utf8');
    }
    const ranged = content.index.get(entry.path);
    if (ranged?.type !== 'file' || ranged.source?.kind !== 'range') return undefined;
    const file = await open(content.path);
    try {
      const bytes = Buffer.alloc(ranged.size);
      await file.read(bytes, 0, ranged.size, ranged.source.offset);
      return bytes.toString('utf8');
    } finally {
      await file.close();
    }
  }

  /** Waits for whatever is under way and closes every index. */
  async close(): Promise<void> {
    for (const work of [
      this.#fetches,
      this.#contents,
      this.#blobs,
      this.#directories,
      this.#indexes,
    ]) {
      await work.settled();
    }
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

/** Writes a list for the helper to compose. */
export async function writeList(path: string, entries: Iterable<Entry>): Promise<void> {
  const { writeFile } = await import('node:fs/promises');
  await writeFile(path, encodeIndex(entries).bytes);
}

function lostLayer(layer: Layer): TsbuildError {
  return new TsbuildError('ERR_LAYER_INVALID', {
    message: `Cannot use layer ${layer.id}: its content is no longer in the store`,
    details: { layer: layer.id },
    hint: 'Somebody removed files from the store while the build ran. Build again.',
  });
}
