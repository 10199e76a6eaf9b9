/** An OCI image layout directory as a source of images: `oci-layout://PATH[:tag][@digest]`. */

import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { TsbuildError } from '../errors.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { type Digest, hexOf, isDigest, parseDigest, verifyBytes } from '../oci/digest.ts';
import type { Index } from '../oci/image.ts';
import { writeBlobFile } from './blob-file.ts';
import { invalid, parseLayoutIndex } from './documents.ts';
import { type Document, type ImageSource, MAX_MANIFEST, readImage } from './image-source.ts';

/** Which image of which directory. Without tag and digest: the one tagged `latest`, or the only one. */
export interface LayoutLocation {
  readonly directory: string;
  readonly tag?: string;
  readonly digest?: Digest;
}

/** An image of a layout directory. Nothing is read before the first call. */
export function layoutSource(location: LayoutLocation): ImageSource {
  const { directory } = location;
  const name = formatLayoutLocation(location);
  return {
    async resolve(platform, signal) {
      const image = await readImage(
        {
          name,
          root: () => rootDocument(location, name),
          async document(descriptor, limit) {
            signal.throwIfAborted();
            const bytes = await readBlob(directory, descriptor.digest, { limit, name });
            verifyBytes(bytes, descriptor);
            return bytes;
          },
        },
        platform,
      );
      signal.throwIfAborted();
      return image;
    },

    // A copy, not a hard link: the directory is the user's, who may write into its files.
    async fetchBlob(descriptor, to, signal) {
      const path = blobPath(directory, descriptor.digest);
      const file = await openFile(path, name, 'It lacks one of its layers.');
      const chunks = file.createReadStream({ highWaterMark: READ_BUFFER });
      try {
        await writeBlobFile(chunks, descriptor, { to, signal });
      } finally {
        chunks.destroy();
        await file.close();
      }
    },
  };
}

const READ_BUFFER = 1024 * 1024;
const SCHEME = /^oci-layout:(?:\/\/)?/;
const LOCATION = /^(?<path>[^@]+?)(?::(?<tag>\w[\w.-]{0,127}))?(?:@(?<digest>.*))?$/s;

/** The value of a named context to a location; undefined when it is no layout. @throws ERR_REFERENCE_INVALID */
export function parseLayoutLocation(text: string): LayoutLocation | undefined {
  if (!SCHEME.test(text)) return undefined;
  const { path, tag, digest } = LOCATION.exec(text.replace(SCHEME, ''))?.groups ?? {};
  if (path === undefined || (digest !== undefined && !isDigest(digest))) {
    throw new TsbuildError('ERR_REFERENCE_INVALID', {
      message: `Cannot use "${text}" as an image layout`,
      details: { reference: text },
      hint: 'A layout is oci-layout://PATH[:tag][@sha256:…].',
    });
  }
  return {
    directory: path,
    ...(tag !== undefined && { tag }),
    ...(digest !== undefined && { digest: parseDigest(digest) }),
  };
}

/** `oci-layout://PATH[:tag][@digest]`. */
export function formatLayoutLocation({ directory, tag, digest }: LayoutLocation): string {
  const suffix = `${tag === undefined ? '' : `:${tag}`}${digest === undefined ? '' : `@${digest}`}`;
  return `oci-layout://${directory}${suffix}`;
}

/** The document that a location names. @throws ERR_IMAGE_NOT_FOUND, ERR_IMAGE_INVALID, ERR_DIGEST_MISMATCH */
export async function rootDocument(
  location: LayoutLocation,
  name = formatLayoutLocation(location),
): Promise<Document> {
  const { directory, tag, digest } = location;
  if (digest !== undefined) {
    const bytes = await readBlob(directory, digest, { limit: MAX_MANIFEST, name });
    verifyBytes(bytes, { digest, size: bytes.length });
    return { mediaType: undefined, bytes };
  }
  const path = join(directory, 'index.json');
  const bytes = await readCapped(path, { limit: MAX_MANIFEST, name, missing: NO_LAYOUT });
  const index = parseLayoutIndex(bytes, name);
  const entry = findEntry(index, tag);
  if (entry === undefined) {
    // Entries without names are one image for several platforms.
    const isNameless = index.manifests.length > 0 && index.manifests.every((it) => !namesOf(it)[0]);
    if (tag === undefined && isNameless) return { mediaType: index.mediaType, bytes };
    throw notFound(name, tagsHint(index));
  }
  const document = await readBlob(directory, entry.digest, { limit: MAX_MANIFEST, name });
  verifyBytes(document, entry);
  return { mediaType: entry.mediaType, bytes: document };
}

const NO_LAYOUT = 'The directory has no index.json, so it is no OCI image layout.';

function findEntry(index: Index, tag: string | undefined): Descriptor | undefined {
  const wanted = tag ?? 'latest';
  const tagged = index.manifests.find((entry) =>
    namesOf(entry).some((name) => name === wanted || name.endsWith(`:${wanted}`)),
  );
  if (tagged !== undefined || tag !== undefined) return tagged;
  const digests = new Set(index.manifests.map((entry) => entry.digest));
  return digests.size === 1 ? index.manifests[0] : undefined;
}

/** The tag, or with some tools the full name, and BuildKit's full name (TAR-2). */
function namesOf({ annotations = {} }: Descriptor): readonly string[] {
  const names = [
    annotations['org.opencontainers.image.ref.name'],
    annotations['io.containerd.image.name'],
  ];
  return names.filter((name) => name !== undefined);
}

function tagsHint(index: Index): string {
  const tags = new Set(index.manifests.flatMap((entry) => namesOf(entry).slice(0, 1)));
  return tags.size === 0 ? 'The layout is empty.' : `The layout has: ${[...tags].join(', ')}.`;
}

/** Where a layout directory has a blob. */
export function blobPath(directory: string, digest: Digest): string {
  return join(directory, 'blobs', 'sha256', hexOf(digest));
}

interface ReadOptions {
  readonly limit: number;
  readonly name: string;
  /** The hint when there is no such file. */
  readonly missing?: string;
}

/** A blob's bytes, not verified. @throws ERR_IMAGE_NOT_FOUND, ERR_IMAGE_INVALID when it is too large */
export function readBlob(
  directory: string,
  digest: Digest,
  options: ReadOptions,
): Promise<Uint8Array> {
  const missing = `It lacks the blob ${digest}.`;
  return readCapped(blobPath(directory, digest), { missing, ...options });
}

async function readCapped(
  path: string,
  { limit, name, missing }: ReadOptions,
): Promise<Uint8Array> {
  const file = await openFile(path, name, missing);
  try {
    const { size } = await file.stat();
    if (size > limit) throw invalid(name, `Its document of ${size} bytes is too large.`);
    return await file.readFile();
  } finally {
    await file.close();
  }
}

async function openFile(path: string, name: string, missing = ''): Promise<FileHandle> {
  try {
    return await open(path, 'r');
  } catch (cause) {
    throw notFound(name, missing, cause);
  }
}

function notFound(name: string, hint: string, cause?: unknown): TsbuildError {
  return new TsbuildError('ERR_IMAGE_NOT_FOUND', {
    message: `Cannot find the image "${name}"`,
    details: { reference: name },
    hint,
    cause,
  });
}
