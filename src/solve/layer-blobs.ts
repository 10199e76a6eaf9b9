/** The blobs of layers: found in the store, downloaded, or compressed from a list. */

import { rm } from 'node:fs/promises';
import { type CacheKey, cacheKey, type JsonValue, type Store } from '../../cache/index.ts';
import type { BlobFacts, BlobTarget } from '../../native/index.ts';
import { TsbuildError } from '../errors.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { ImageSource } from '../registry/index.ts';
import { type DiffID, parseDiffID, parseDigest } from '../oci/digest.ts';
import { type BlobForm, describeBlob, formKey, isCompressedBy, isOfForm } from './blob-form.ts';
import type { ComposeSources } from './compose-list.ts';
import type { Helpers } from './helpers.ts';
import type { Layer } from './layer.ts';
import { type Limiter, Once } from './schedule.ts';
import type { SecretGuard } from './secret-guard.ts';

/** A layer as an image lists it. */
export interface LayerBlob {
  readonly descriptor: Descriptor;
  readonly diffID: DiffID;
  /** Of its file, which `fetch` may have to bring yet. */
  readonly path: string;
  /** The repository (`registry/repository`) that it was pulled from. */
  readonly origin?: string | undefined;
  /** Downloads a base's layer, unless the store has it: not every output needs its bytes. */
  readonly fetch?: ((signal: AbortSignal) => Promise<void>) | undefined;
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
  readonly #fetches = new Once<void>();

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

  /** A pulled layer's blob as an image lists it: as it was pulled, unless the form is forced upon it. */
  async pulled(layer: Layer, form: BlobForm): Promise<LayerBlob> {
    const { descriptor, source } = pulledFrom(layer);
    if (form.isForced && !isCompressedBy(descriptor, form)) {
      const known = await this.#find(layer, (blob) => isOfForm(blob, form));
      return known ?? (await this.repack(layer, await this.#fetch(layer), form));
    }
    // A directory may be gone when the image is pushed; a repository can be asked then, too.
    return source.repository === undefined ? await this.#fetch(layer) : this.#fetchable(layer);
  }

  /** A built layer's blob in a form. Undefined when it was not made yet. */
  async built(layer: Layer, form: BlobForm): Promise<LayerBlob | undefined> {
    if (form.latest === undefined) return await this.#find(layer, (blob) => isOfForm(blob, form));
    const { store } = this.#options;
    const { inputs } = (await store.getRecord(datedKey(layer, form))) ?? {};
    const known = inputs as unknown as Pick<LayerBlob, 'descriptor' | 'diffID'> | undefined;
    if (known === undefined || !(await store.hasBlob(known.descriptor))) return undefined;
    return { ...known, path: store.blobPath(known.descriptor.digest) };
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
  async #fetch(layer: Layer): Promise<LayerBlob> {
    const { store, signal } = this.#options;
    const { descriptor, diffID, source } = pulledFrom(layer);
    await this.bring(source, descriptor, signal);
    await store.saveFacts(layer.id, { diffID, blobs: [descriptor] });
    return this.#fetchable(layer);
  }

  #fetchable(layer: Layer): LayerBlob {
    const { descriptor, diffID, source } = pulledFrom(layer);
    return {
      descriptor,
      diffID,
      path: this.#options.store.blobPath(descriptor.digest),
      origin: source.repository,
      fetch: (signal) => this.bring(source, descriptor, signal),
    };
  }

  /** Downloads a blob into the store if it is not there. @throws ERR_DIGEST_MISMATCH, ERR_REGISTRY_* */
  async bring(
    source: Pick<ImageSource, 'fetchBlob'>,
    descriptor: Descriptor,
    stop: AbortSignal,
  ): Promise<void> {
    const { store, signal } = this.#options;
    if (await store.hasBlob(descriptor)) return;
    await this.#fetches.get(descriptor.digest, async () => {
      const temporary = this.#temporary('blob');
      await source.fetchBlob(descriptor, temporary, AbortSignal.any([signal, stop]));
      await store.addBlob(temporary, descriptor);
    });
  }

  async compress(
    layer: Layer,
    { list, places }: ComposeSources,
    form: BlobForm,
  ): Promise<LayerBlob> {
    const { helpers, compression, guard, signal } = this.#options;
    const { roots, files, directories } = places;
    const helper = directories ? (await helpers.directories()).helper : await helpers.files();
    const blob = targetOf(this.#temporary('blob'), form);
    const request = { verb: 'compose', list, roots, files, blob, ...guard.request } as const;
    const reply = await compression.run(
      () => guard.composing(layer, () => helper.compose(request, { signal })),
      signal,
    );
    if (reply.blob === undefined) throw new TypeError('compose answered no blob');
    return await this.publish(layer, blob.path, form, reply.blob);
  }

  /** The same tar in another compression. @throws ERR_DIGEST_MISMATCH, ERR_LAYER_INVALID for a damaged blob */
  async repack(
    layer: Layer,
    { path: source, diffID }: LayerBlob,
    form: BlobForm,
  ): Promise<LayerBlob> {
    const { store, helpers, compression, signal } = this.#options;
    const helper = await helpers.files();
    const blob = targetOf(this.#temporary('blob'), form);
    const reply = await compression.run(
      () => helper.repack({ verb: 'repack', source, diffID, blob }, { signal }),
      signal,
    );
    const descriptor = descriptorOf(form, reply.blob);
    await store.addBlob(blob.path, descriptor);
    await store.saveFacts(layer.id, { diffID, blobs: [descriptor] });
    return { descriptor, diffID, path: store.blobPath(descriptor.digest) };
  }

  /** Puts a composed blob into the store and remembers whose it is. */
  async publish(
    layer: Layer,
    temporary: string,
    form: BlobForm,
    blob: BlobFacts,
  ): Promise<LayerBlob> {
    const { store } = this.#options;
    const descriptor = descriptorOf(form, blob);
    const diffID = parseDiffID(blob.diffID);
    await store.addBlob(temporary, descriptor);
    if (form.latest === undefined) {
      await store.saveFacts(layer.id, { diffID, blobs: [descriptor] });
    } else {
      // Its times are others: it is no form of the layer as it was built.
      const inputs = JSON.parse(JSON.stringify({ descriptor, diffID })) as JsonValue;
      const record = { layer: layer.id, inputs, created: 0, duration: 0 };
      await store.putRecord(datedKey(layer, form), record);
    }
    return { descriptor, diffID, path: store.blobPath(descriptor.digest) };
  }

  /** Takes a damaged blob away, so that it is fetched again. False for what cannot be fetched. */
  async discard(layer: Layer, { descriptor, path }: LayerBlob): Promise<boolean> {
    if (layer.pulled === undefined || this.#fetches.has(descriptor.digest)) return false;
    await rm(path, { force: true });
    return true;
  }

  /** Waits for downloads under way, whatever comes of them. */
  async settled(): Promise<void> {
    await this.#fetches.settled();
  }
}

function datedKey({ id }: Layer, form: BlobForm): CacheKey {
  return cacheKey('dated-blob', { id, form: formKey(form) });
}

function targetOf(path: string, { compression, level }: BlobForm): BlobTarget {
  return { path, compression, level };
}

function descriptorOf(form: BlobForm, { digest, size }: BlobFacts): Descriptor {
  const { mediaType, annotations } = describeBlob(form);
  return { mediaType, digest: parseDigest(digest), size, ...(annotations && { annotations }) };
}

function pulledFrom(layer: Layer): NonNullable<Layer['pulled']> {
  if (layer.pulled !== undefined) return layer.pulled;
  throw new TsbuildError('ERR_LAYER_INVALID', {
    message: `Cannot use layer ${layer.id}: its content is no longer in the store`,
    details: { layer: layer.id },
    hint: 'Somebody removed files from the store while the build ran. Build again.',
  });
}
