/** The blobs of layers: found in the store, downloaded, or compressed from a list. */

import { rm } from 'node:fs/promises';
import type { Store } from '../../cache/index.ts';
import { TsbuildError } from '../errors.ts';
import { type Descriptor, MEDIA_TYPE } from '../oci/descriptor.ts';
import { type DiffID, parseDiffID, parseDigest } from '../oci/digest.ts';
import type { ComposeSources } from './compose-list.ts';
import type { Helpers } from './helpers.ts';
import type { Layer } from './layer.ts';
import { type Limiter, Once } from './schedule.ts';
import type { SecretGuard } from './secret-guard.ts';

/** A layer as an image lists it. */
export interface LayerBlob {
  readonly descriptor: Descriptor;
  readonly diffID: DiffID;
  readonly path: string;
  /** The repository (`registry/repository`) that it was pulled from. */
  readonly origin?: string | undefined;
}

export interface LayerBlobsOptions {
  readonly store: Store;
  readonly helpers: Helpers;
  /** Apart from the jobs that steps wait for: it goes on beside them. */
  readonly compression: Limiter;
  /** What must not be in a blob that is made here: it is a layer of the image. */
  readonly guard: SecretGuard;
  readonly signal: AbortSignal;
}

export class LayerBlobs {
  readonly #options: LayerBlobsOptions;
  readonly #temporary: (what: string) => string;
  readonly #fetches = new Once<LayerBlob>();

  constructor(options: LayerBlobsOptions, temporary: (what: string) => string) {
    this.#options = options;
    this.#temporary = temporary;
  }

  /** A blob that is in the store, in whatever compression; undefined when there is none. */
  async known(layer: Layer): Promise<LayerBlob | undefined> {
    return await this.#find(layer, () => true);
  }

  /** A blob in whatever compression there is, downloaded if need be: the helper tells by content. */
  async any(layer: Layer): Promise<LayerBlob> {
    return (await this.known(layer)) ?? (await this.#fetch(layer));
  }

  /** A blob as an image lists it. Undefined for a built layer that was not compressed yet. */
  async compressed(layer: Layer): Promise<LayerBlob | undefined> {
    if (layer.pulled !== undefined) return await this.#fetch(layer);
    return await this.#find(layer, ({ mediaType }) => mediaType !== MEDIA_TYPE.layerTar);
  }

  async #find(
    layer: Layer,
    isWanted: (descriptor: Descriptor) => boolean,
  ): Promise<LayerBlob | undefined> {
    const { store } = this.#options;
    const { diffID, blobs } = (await store.facts(layer.id)) ?? {};
    if (diffID === undefined) return undefined;
    for (const descriptor of blobs?.filter(isWanted) ?? []) {
      if (!(await store.hasBlob(descriptor))) continue;
      return { descriptor, diffID, path: store.blobPath(descriptor.digest) };
    }
    return undefined;
  }

  /** Downloads a pulled layer's blob into the store. */
  #fetch(layer: Layer): Promise<LayerBlob> {
    return this.#fetches.get(layer.id, async () => {
      const { store, signal } = this.#options;
      const { pulled } = layer;
      if (pulled === undefined) throw lostLayer(layer);
      const { descriptor, diffID, source } = pulled;
      if (!(await store.hasBlob(descriptor))) {
        const temporary = this.#temporary('blob');
        await source.fetchBlob(descriptor, temporary, signal);
        await store.addBlob(temporary, descriptor);
      }
      await store.saveFacts(layer.id, { diffID, blobs: [descriptor] });
      const path = store.blobPath(descriptor.digest);
      return { descriptor, diffID, path, origin: source.repository };
    });
  }

  async compress(layer: Layer, { list, places }: ComposeSources): Promise<LayerBlob> {
    const { helpers, compression, guard, signal } = this.#options;
    const { roots, files, directories } = places;
    const helper = directories ? (await helpers.directories()).helper : await helpers.files();
    const path = this.#temporary('blob');
    const blob = { path, compression: 'gzip' } as const;
    const request = { verb: 'compose', list, roots, files, blob, ...guard.request } as const;
    const reply = await compression.run(
      () => guard.composing(layer, () => helper.compose(request, { signal })),
      signal,
    );
    if (reply.blob === undefined) throw new TypeError('compose answered no blob');
    return await this.publish(layer, path, MEDIA_TYPE.layerGzip, reply.blob);
  }

  /** Puts a composed blob into the store and remembers whose it is. */
  async publish(
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

  /** Takes a damaged blob away, so that it is fetched again. False for what cannot be fetched. */
  async discard(layer: Layer, { path }: LayerBlob): Promise<boolean> {
    if (layer.pulled === undefined || this.#fetches.has(layer.id)) return false;
    await rm(path, { force: true });
    return true;
  }

  /** Waits for downloads under way, whatever comes of them. */
  async settled(): Promise<void> {
    await this.#fetches.settled();
  }
}

function lostLayer(layer: Layer): TsbuildError {
  return new TsbuildError('ERR_LAYER_INVALID', {
    message: `Cannot use layer ${layer.id}: its content is no longer in the store`,
    details: { layer: layer.id },
    hint: 'Somebody removed files from the store while the build ran. Build again.',
  });
}
