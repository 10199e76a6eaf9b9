/** All images of an index in a layout directory, documents and files: what an index can be made of. */

import { createReadStream } from 'node:fs';
import { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { type Descriptor, MEDIA_TYPE } from '../oci/descriptor.ts';
import { digestOf, verifyBytes, verifyStream } from '../oci/digest.ts';
import { normalizePlatform, type Platform } from '../oci/platform.ts';
import { checkDepth, invalid, parseConfig, parseDocument } from './documents.ts';
import { MAX_CONFIG, MAX_MANIFEST } from './image-source.ts';
import {
  blobPath,
  formatLayoutLocation,
  type LayoutLocation,
  readBlob,
  rootDocument,
} from './layout-source.ts';

/** An image, or an attestation about one, as an index names it. */
export interface LayoutImage {
  /** Of the manifest, with the platform: the index's word, or else the config's. */
  readonly descriptor: Descriptor & { readonly platform: Platform };
  readonly manifest: Uint8Array;
  readonly configDescriptor: Descriptor;
  readonly config: Uint8Array;
  /** Lowest first. Their bytes are not verified. */
  readonly blobs: readonly { readonly descriptor: Descriptor; readonly path: string }[];
}

/**
 * The images that a name stands for, in the order of their index; of indexes in it in the order of these.
 * @throws ERR_IMAGE_NOT_FOUND, ERR_IMAGE_INVALID, ERR_DIGEST_MISMATCH
 */
export async function readLayoutImages(location: LayoutLocation): Promise<readonly LayoutImage[]> {
  const name = formatLayoutLocation(location);
  const { directory } = location;
  const read = async (descriptor: Descriptor, limit: number): Promise<Uint8Array> => {
    const bytes = await readBlob(directory, descriptor.digest, { limit, name });
    verifyBytes(bytes, descriptor);
    return bytes;
  };
  const imagesOf = async (
    document: { readonly mediaType: string | undefined; readonly bytes: Uint8Array },
    named: Descriptor | undefined,
    depth: number,
  ): Promise<readonly LayoutImage[]> => {
    checkDepth(depth, name);
    const parsed = parseDocument(document, name);
    if (parsed.kind === 'index') {
      const images: LayoutImage[] = [];
      for (const child of parsed.index.manifests) {
        const { mediaType } = child;
        const bytes = await read(child, MAX_MANIFEST);
        images.push(...(await imagesOf({ mediaType, bytes }, child, depth + 1)));
      }
      return images;
    }
    const { manifest, mediaType } = parsed;
    const { bytes } = document;
    const descriptor = { mediaType, digest: digestOf(bytes), size: bytes.length, ...named };
    const config = await read(manifest.config, MAX_CONFIG);
    const platform = named?.platform ?? platformOf(config, manifest.config, name);
    return [
      {
        descriptor: { ...descriptor, platform },
        manifest: bytes,
        configDescriptor: manifest.config,
        config,
        blobs: manifest.layers.map((layer) => ({
          descriptor: layer,
          path: blobPath(directory, layer.digest),
        })),
      },
    ];
  };
  return await imagesOf(await rootDocument(location), undefined, 0);
}

/** Reads a file that is to be these bytes. @throws ERR_IMAGE_INVALID, naming the image */
export async function verifyBlob(
  { descriptor, path }: LayoutImage['blobs'][number],
  name: string,
  signal: AbortSignal,
): Promise<void> {
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  try {
    const verify = await verifyStream(descriptor);
    await pipeline(createReadStream(path, { highWaterMark: READ_BUFFER }), verify, nowhere, {
      signal,
    });
  } catch (cause) {
    signal.throwIfAborted();
    throw invalid(name, `Its layer ${descriptor.digest} is missing or damaged.`, cause);
  }
}

const READ_BUFFER = 1024 * 1024;
const UNKNOWN: Platform = { os: 'unknown', architecture: 'unknown' };

function platformOf(bytes: Uint8Array, { mediaType }: Descriptor, name: string): Platform {
  if (mediaType !== MEDIA_TYPE.config && mediaType !== MEDIA_TYPE.dockerConfig) return UNKNOWN;
  const config = parseConfig(bytes, UNKNOWN, name);
  const { os, architecture, variant, 'os.version': version, 'os.features': features } = config;
  const platform = normalizePlatform({
    ...{ os, architecture },
    ...(variant !== undefined && { variant }),
    ...(version !== undefined && { 'os.version': version }),
  });
  return features === undefined ? platform : { ...platform, 'os.features': features };
}
