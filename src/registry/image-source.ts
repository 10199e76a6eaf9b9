/** Where base images come from, whatever is behind it: a registry or a directory. */

import { TsbuildError } from '../errors.ts';
import { isAttestation } from '../oci/attestation.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { type Digest, digestOf } from '../oci/digest.ts';
import type { ImageConfig, Index, Manifest } from '../oci/image.ts';
import { formatPlatform, matchPlatform, type Platform } from '../oci/platform.ts';
import { checkDepth, DOCUMENT_TYPES, invalid, parseConfig, parseDocument } from './documents.ts';

/** An image's documents, verified. Its layers are still where they were. */
export interface PulledImage {
  /** Of the manifest; with its platform when an index named one. */
  readonly descriptor: Descriptor;
  /** What the name stood for: the index's digest if there was one, else the manifest's. Pins the name. */
  readonly root: Digest;
  readonly manifest: Manifest;
  readonly configBytes: Uint8Array;
  readonly config: ImageConfig;
  /** Bottom first, one for each of the config's diffIDs. */
  readonly layers: readonly Descriptor[];
}

/** One image by name, and its blobs. */
export interface ImageSource {
  /** `registry/repository`: a push to that registry may mount blobs from there. */
  readonly repository?: string | undefined;
  /**
   * The image for a platform. @throws ERR_IMAGE_NOT_FOUND, ERR_PLATFORM_MISSING, ERR_IMAGE_INVALID,
   * ERR_DIGEST_MISMATCH, ERR_REGISTRY_*
   */
  resolve(platform: Platform, signal: AbortSignal): Promise<PulledImage>;
  /**
   * Puts a blob's verified bytes into `to`, which must not exist. After a failure it does not exist
   * either. @throws ERR_DIGEST_MISMATCH, ERR_STORE_UNUSABLE, ERR_REGISTRY_*
   */
  fetchBlob(descriptor: Descriptor, to: string, signal: AbortSignal): Promise<void>;
}

/** What `readImage()` needs to know of a source: the named document, and documents by descriptor. */
export interface DocumentReader {
  /** The image in the user's words, for messages. */
  readonly name: string;
  root(): Promise<Document>;
  document(descriptor: Descriptor, limit: number): Promise<Uint8Array>;
}

export interface Document {
  readonly mediaType: string | undefined;
  readonly bytes: Uint8Array;
}

/** The size of the largest manifest that registries must take (distribution-spec, "Pushing Manifests"). */
export const MAX_MANIFEST = 4 * 1024 * 1024;
/** Ten times the largest config seen in the wild. */
export const MAX_CONFIG = 16 * 1024 * 1024;

/**
 * 1. Read the named document. 2. While it is an index, go to its best match for the platform (MP-3).
 * 3. Read the manifest's config; it must have one diffID for each layer.
 */
export async function readImage(reader: DocumentReader, platform: Platform): Promise<PulledImage> {
  const root = await reader.root();
  let parsed = parseDocument(root, reader.name);
  let descriptor: Descriptor = {
    mediaType: parsed.mediaType,
    digest: digestOf(root.bytes),
    size: root.bytes.length,
  };
  const rootDigest = descriptor.digest;
  for (let depth = 1; parsed.kind === 'index'; depth++) {
    checkDepth(depth, reader.name);
    descriptor = choosePlatform(parsed.index, platform, reader.name);
    const bytes = await reader.document(descriptor, MAX_MANIFEST);
    parsed = parseDocument({ mediaType: descriptor.mediaType, bytes }, reader.name);
  }
  const { manifest } = parsed;
  const configBytes = await reader.document(manifest.config, MAX_CONFIG);
  const config = parseConfig(configBytes, descriptor.platform ?? platform, reader.name);
  if (config.rootfs.diff_ids.length !== manifest.layers.length) {
    throw invalid(reader.name, 'Its manifest and its config differ in the number of layers.');
  }
  const { layers } = manifest;
  return Object.freeze({ descriptor, root: rootDigest, manifest, configBytes, config, layers });
}

/** The entry of an index that serves a platform best; the first of equals. @throws ERR_PLATFORM_MISSING */
export function choosePlatform(index: Index, platform: Platform, name: string): Descriptor {
  const images = index.manifests.filter(isImage);
  let best: Descriptor | undefined;
  let bestScore = 0;
  for (const descriptor of images) {
    const score = descriptor.platform ? matchPlatform(platform, descriptor.platform) : 0;
    if (score > bestScore) [best, bestScore] = [descriptor, score];
  }
  // An index over one image, or over another index, need not say a platform.
  const [only] = images;
  if (best === undefined && images.length === 1 && only && !only.platform) best = only;
  if (best !== undefined) return best;
  const wanted = formatPlatform(platform);
  const offered = images.flatMap((image) =>
    image.platform ? [formatPlatform(image.platform)] : [],
  );
  throw new TsbuildError('ERR_PLATFORM_MISSING', {
    message: `Cannot find "${name}" for ${wanted}`,
    details: { reference: name, platform: wanted },
    hint:
      offered.length > 0
        ? `It exists for ${[...new Set(offered)].join(', ')}.`
        : 'Its index names no image at all.',
  });
}

function isImage(descriptor: Descriptor): boolean {
  return DOCUMENT_TYPES.includes(descriptor.mediaType) && !isAttestation(descriptor);
}
