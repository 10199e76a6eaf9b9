/** What is exported: documents of images in memory, their layers as files. */

import { type Descriptor, MEDIA_TYPE } from '../oci/descriptor.ts';
import { type Digest, hexOf } from '../oci/digest.ts';
import type { Platform } from '../oci/platform.ts';
import { familiarName, formatReference, type Reference } from '../oci/reference.ts';

/** What a build came to: one image, or an index of one for each platform. */
export interface ExportResult {
  /** What a name stands for: the index if there is one, else the manifest of the only image. */
  readonly descriptor: Descriptor;
  /** The bytes of the index; undefined when the result is an image alone. */
  readonly index: Uint8Array | undefined;
  /** At least one; in the order of the index. */
  readonly images: readonly ExportImage[];
  readonly names: readonly Reference[];
}

/** A finished image. Its layers are in files that nobody changes. */
export interface ExportImage {
  readonly platform: Platform;
  /** Of the manifest, with the platform. */
  readonly descriptor: Descriptor;
  readonly manifest: Uint8Array;
  readonly configDescriptor: Descriptor;
  readonly config: Uint8Array;
  /** The layers, lowest first. */
  readonly blobs: readonly ExportBlob[];
}

export interface ExportBlob {
  readonly descriptor: Descriptor;
  readonly path: string;
  /** The repository (`registry/repository`) that it was pulled from. */
  readonly origin?: string | undefined;
  /** Brings the file if it is not there yet: before the image is written. */
  readonly fetch?: ((signal: AbortSignal) => Promise<void>) | undefined;
}

export interface ExportOptions {
  /** Goes into index.json and into the archive's headers; without it they tell no time. */
  readonly created?: Date | undefined;
  /** With the file that `docker load` reads; readers of layouts do not look at it (TAR-1, TAR-3). */
  readonly forDocker?: boolean;
  readonly signal: AbortSignal;
}

/** A file of an image layout, by its name in there. */
export interface LayoutFile {
  readonly name: string;
  readonly size: number;
  readonly content:
    | { readonly kind: 'bytes'; readonly bytes: Uint8Array }
    | { readonly kind: 'path'; readonly path: string };
}

export const LAYOUT_MARKER = 'oci-layout';
export const INDEX_FILE = 'index.json';
export const BLOB_DIRECTORY = 'blobs/sha256';
export const DOCKER_FILE = 'manifest.json';

/** The file that makes a directory an image layout (image-spec image-layout.md, "oci-layout file"). */
export function markerFile(): LayoutFile {
  return bytesFile(LAYOUT_MARKER, Buffer.from(JSON.stringify({ imageLayoutVersion: '1.0.0' })));
}

/** The blobs of all images, each once, sorted by name (TAR-4). */
export function blobFiles({ descriptor: top, index, images }: ExportResult): readonly LayoutFile[] {
  const files = new Map<string, LayoutFile>();
  const add = ({ digest, size }: Descriptor, content: LayoutFile['content']): void => {
    const name = blobName(digest);
    files.set(name, { name, size, content });
  };
  for (const image of images) {
    for (const { descriptor, path } of image.blobs) add(descriptor, { kind: 'path', path });
    add(image.configDescriptor, { kind: 'bytes', bytes: image.config });
    add(image.descriptor, { kind: 'bytes', bytes: image.manifest });
  }
  if (index !== undefined) add(top, { kind: 'bytes', bytes: index });
  return [...files.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** The entries of a result in index.json: one for each name (TAR-3), or one without a name. */
export function indexEntries(
  { descriptor, names }: ExportResult,
  created: Date | undefined,
): readonly Descriptor[] {
  const time = created && { 'org.opencontainers.image.created': formatTime(created) };
  if (names.length === 0) return [annotate(descriptor, { ...time })];
  return names.map((name) =>
    annotate(descriptor, {
      'io.containerd.image.name': formatReference(name),
      ...time,
      ...(name.tag !== undefined && { 'org.opencontainers.image.ref.name': name.tag }),
    }),
  );
}

/** A file from bytes in memory. */
export function bytesFile(name: string, bytes: Uint8Array): LayoutFile {
  return { name, size: bytes.length, content: { kind: 'bytes', bytes } };
}

/**
 * What `docker load` reads: each image's config and layers by the names of their files, and its names.
 * Digests are no names to it.
 */
export function dockerFile({ images, names }: ExportResult): LayoutFile {
  const tags = names.filter(({ tag }) => tag !== undefined).map(tagOf);
  const entries = images.map(({ configDescriptor, blobs }) => ({
    Config: blobName(configDescriptor.digest),
    RepoTags: [...new Set(tags)],
    Layers: blobs.map(({ descriptor }) => blobName(descriptor.digest)),
  }));
  return bytesFile(DOCKER_FILE, Buffer.from(JSON.stringify(entries)));
}

/** Without a digest beside the tag. */
function tagOf({ registry, repository, tag }: Reference): string {
  return familiarName({ registry, repository, ...(tag !== undefined && { tag }) });
}

/** index.json over these entries; those kept from an older one may be anything. */
export function indexFile(entries: readonly unknown[]): LayoutFile {
  const index = { schemaVersion: 2, mediaType: MEDIA_TYPE.index, manifests: entries };
  return bytesFile(INDEX_FILE, Buffer.from(JSON.stringify(index, null, 2)));
}

function annotate(descriptor: Descriptor, added: Readonly<Record<string, string>>): Descriptor {
  const { mediaType, digest, size, platform } = descriptor;
  const annotations = { ...descriptor.annotations, ...added };
  return {
    mediaType,
    digest,
    size,
    ...(Object.keys(annotations).length > 0 && { annotations }),
    ...(platform && { platform }),
  };
}

/** RFC 3339 to the second, as BuildKit. */
function formatTime(time: Date): string {
  return time.toISOString().replace(/\.\d+Z$/, 'Z');
}

function blobName(digest: Digest): string {
  return `${BLOB_DIRECTORY}/${hexOf(digest)}`;
}
