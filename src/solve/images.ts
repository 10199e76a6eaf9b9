/** Base images: from a registry, or from a layout directory, as the solver wants them. */

import { parseLayerID, type Store } from '../../cache/index.ts';
import { hasCode, TsbuildError } from '../errors.ts';
import type { Platform } from '../oci/platform.ts';
import { parseReference } from '../oci/reference.ts';
import {
  type DocumentCache,
  type ImageSource,
  layoutSource,
  parseLayoutLocation,
  type RegistryClient,
  registrySource,
} from '../registry/index.ts';
import type { BaseImage } from './layer.ts';

export interface ImagesOptions {
  readonly store: Store;
  readonly client: RegistryClient;
  readonly signal: AbortSignal;
}

/** What a reference names, e.g. `docker.io/library/debian:12`. @throws ERR_IMAGE_NOT_FOUND, ERR_REGISTRY_*, … */
export async function pullImage(
  reference: string,
  platform: Platform,
  { store, client, signal }: ImagesOptions,
): Promise<BaseImage> {
  const source = registrySource(parseReference(reference), {
    client,
    documents: documentsIn(store),
  });
  return await fromSource(withName(source, reference), platform, signal);
}

/** `oci-layout://PATH[:tag][@digest]`. @throws ERR_REFERENCE_INVALID, ERR_IMAGE_NOT_FOUND, ERR_IMAGE_INVALID */
export async function openLayoutImage(
  location: string,
  platform: Platform,
  { signal }: Pick<ImagesOptions, 'signal'>,
): Promise<BaseImage> {
  const parsed = parseLayoutLocation(location);
  if (parsed === undefined) {
    throw new TsbuildError('ERR_REFERENCE_INVALID', {
      message: `Cannot use "${location}" as an image layout`,
      details: { reference: location },
      hint: 'A layout is oci-layout://PATH[:tag][@sha256:…].',
    });
  }
  return await fromSource(withName(layoutSource(parsed), location), platform, signal);
}

async function fromSource(
  source: ImageSource,
  platform: Platform,
  signal: AbortSignal,
): Promise<BaseImage> {
  const { config, manifest, descriptor, root, layers } = await source.resolve(platform, signal);
  return {
    config,
    manifest,
    descriptor,
    root,
    layers: config.rootfs.diff_ids.flatMap((diffID, number) => {
      const layer = layers[number];
      if (layer === undefined) return [];
      return [{ id: parseLayerID(diffID), pulled: { source, descriptor: layer, diffID } }];
    }),
  };
}

/** The same source; its failures say which image it is whose bytes are wrong. */
function withName(source: ImageSource, name: string): ImageSource {
  const named = (error: unknown): unknown => {
    if (!hasCode(error, 'ERR_DIGEST_MISMATCH')) return error;
    const { details, hint } = error;
    const message = `Cannot use "${name}": expected ${details.expected}, found ${details.found}`;
    return new TsbuildError('ERR_DIGEST_MISMATCH', { message, details, hint, cause: error });
  };
  return {
    repository: source.repository,
    resolve: async (platform, signal) =>
      await source
        .resolve(platform, signal)
        .catch((error: unknown) => Promise.reject(named(error))),
    fetchBlob: async (descriptor, to, signal) =>
      await source
        .fetchBlob(descriptor, to, signal)
        .catch((error: unknown) => Promise.reject(named(error))),
  };
}

/** Manifests and configs of registries stay in the store: they never change. */
export function documentsIn(store: Store): DocumentCache {
  return {
    get: async (digest) => {
      const { readFile } = await import('node:fs/promises');
      // Not there is a miss; what is there is checked against its digest by the reader.
      return await readFile(store.blobPath(digest)).catch(() => undefined);
    },
    put: async (_, bytes) => {
      await store.putBytes(bytes);
    },
  };
}
