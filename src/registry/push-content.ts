/** What is to be pushed, from a layout directory: the store is one. */

import type { Descriptor } from '../oci/descriptor.ts';
import { type Digest, digestOf, verifyBytes } from '../oci/digest.ts';
import { checkDepth, DOCUMENT_TYPES, parseDocument } from './documents.ts';
import { MAX_MANIFEST } from './image-source.ts';
import {
  blobPath,
  formatLayoutLocation,
  type LayoutLocation,
  readBlob,
  rootDocument,
} from './layout-source.ts';
import type { BlobFile } from './push-upload.ts';

/** An image, or an index with its images. */
export interface PushContent {
  /** What names are to stand for. */
  readonly descriptor: Descriptor;
  /** What an index names comes before it; the last is what names stand for. */
  readonly manifests: readonly PushManifest[];
  /** Configs and layers, each once. */
  readonly blobs: readonly BlobFile[];
}

export interface PushManifest {
  readonly mediaType: string;
  readonly digest: Digest;
  readonly bytes: Uint8Array;
}

/**
 * Reads the documents of an image and verifies them. `origins`: repositories (`registry/repository`) that
 * blobs came from, by digest. @throws ERR_IMAGE_NOT_FOUND, ERR_IMAGE_INVALID, ERR_DIGEST_MISMATCH
 */
export async function readContent(
  location: LayoutLocation,
  origins: Readonly<Record<string, string>> = {},
): Promise<PushContent> {
  const name = formatLayoutLocation(location);
  const { directory } = location;
  const manifests = new Map<Digest, PushManifest>();
  const blobs = new Map<Digest, BlobFile>();

  const add = async (
    document: { readonly mediaType: string | undefined; readonly bytes: Uint8Array },
    depth: number,
  ): Promise<Descriptor> => {
    checkDepth(depth, name);
    const { bytes } = document;
    const parsed = parseDocument(document, name);
    const children = parsed.kind === 'index' ? parsed.index.manifests : [];
    for (const child of children) {
      if (!DOCUMENT_TYPES.includes(child.mediaType)) addBlob(child);
      else await add({ mediaType: child.mediaType, bytes: await read(child) }, depth + 1);
    }
    if (parsed.kind === 'manifest') {
      for (const blob of [parsed.manifest.config, ...parsed.manifest.layers]) addBlob(blob);
    }
    const { mediaType } = parsed;
    const digest = digestOf(bytes);
    manifests.set(digest, { mediaType, digest, bytes });
    return { mediaType, digest, size: bytes.length };
  };
  const addBlob = ({ digest, size }: Descriptor): void => {
    const path = blobPath(directory, digest);
    blobs.set(digest, { digest, size, path, origin: origins[digest] });
  };
  const read = async (descriptor: Descriptor): Promise<Uint8Array> => {
    const bytes = await readBlob(directory, descriptor.digest, { limit: MAX_MANIFEST, name });
    verifyBytes(bytes, descriptor);
    return bytes;
  };

  const descriptor = await add(await rootDocument(location), 0);
  return { descriptor, manifests: [...manifests.values()], blobs: [...blobs.values()] };
}
