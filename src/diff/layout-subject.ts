/** An image of a layout directory, the store among them, as something to compare. */

import { stat } from 'node:fs/promises';
import { ATTESTATION_NOTES, isAttestation } from '../oci/attestation.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { digestOf } from '../oci/digest.ts';
import { formatAll } from '../oci/platform.ts';
import type { LayoutImage, PushManifest } from '../registry/index.ts';
import { invalidSubject, lacksBlob, layerFactsOf, parseObject } from './read-subject.ts';
import type { Subject, SubjectAttestation, SubjectDocument, SubjectImage } from './subject.ts';
import { type DocumentObject, isObject } from './value-changes.ts';

/** Puts a blob that is not there into the layout. */
export type FetchBlob = (descriptor: Descriptor) => Promise<void>;

export interface LayoutParts {
  /** What the name stands for. */
  readonly root: PushManifest | undefined;
  /** In the order of the index. */
  readonly images: readonly LayoutImage[];
  readonly fetch: FetchBlob | undefined;
}

/** @throws ERR_IMAGE_INVALID when it is no image */
export function layoutSubject(name: string, { root, images, fetch }: LayoutParts): Subject {
  if (root === undefined) throw invalidSubject(name, 'It has no manifest.');
  const document = documentOf(root.bytes, name, root.mediaType);
  const isIndex = Array.isArray(document.json['manifests']);
  const own = images.filter(({ descriptor }) => aboutOf(descriptor) === undefined);
  return {
    name,
    digest: root.digest,
    ...(isIndex && { index: document }),
    images: own.map((image) => imageOf(name, image, { index: document.json, fetch })),
    attestations: images.flatMap((image) => attestationsOf(name, image, { images: own, fetch })),
  };
}

function imageOf(
  name: string,
  image: LayoutImage,
  { index, fetch }: { readonly index: DocumentObject; readonly fetch: FetchBlob | undefined },
): SubjectImage {
  const { descriptor, blobs } = image;
  const config = documentOf(image.config, name, image.configDescriptor.mediaType);
  const facts = layerFactsOf(name, config.json, blobs.length);
  return {
    platform: formatAll(descriptor.platform),
    target: descriptor.platform,
    entry: entryOf(index, descriptor),
    manifest: documentOf(image.manifest, name, descriptor.mediaType),
    config,
    layers: blobs.map((layer, number) => {
      const { digest, size, mediaType } = layer.descriptor;
      const blob = blobOf(name, layer, fetch);
      return { index: number, digest, size, mediaType, ...factAt(facts, number), blob };
    }),
  };
}

function factAt<T>(facts: readonly T[], number: number): T {
  const fact = facts[number];
  if (fact === undefined) throw new TypeError(`No facts of layer ${number}`);
  return fact;
}

function documentOf(bytes: Uint8Array, name: string, mediaType: string): SubjectDocument {
  return {
    ...{ digest: digestOf(bytes), size: bytes.length, mediaType },
    json: parseObject(bytes, name),
  };
}

function entryOf(index: DocumentObject, { digest }: Descriptor): DocumentObject | undefined {
  const entries = Array.isArray(index['manifests']) ? index['manifests'] : [];
  return entries.filter(isObject).find((entry) => entry['digest'] === digest);
}

/** The image that an attestation is about. */
function aboutOf(descriptor: Descriptor): string | undefined {
  if (!isAttestation(descriptor)) return undefined;
  return descriptor.annotations?.[ATTESTATION_NOTES.about] ?? '';
}

/** One for each statement (ATT-4). */
function attestationsOf(
  name: string,
  { descriptor, blobs }: LayoutImage,
  { images, fetch }: Pick<LayoutParts, 'images' | 'fetch'>,
): readonly SubjectAttestation[] {
  const about = aboutOf(descriptor);
  if (about === undefined) return [];
  const image = images.find((each) => each.descriptor.digest === about);
  const platform = image === undefined ? about : formatAll(image.descriptor.platform);
  return blobs.map((statement) => {
    const { digest, size, annotations } = statement.descriptor;
    const type = annotations?.['in-toto.io/predicate-type'] ?? '?';
    return { name: `${platform} ${type}`, digest, size, blob: blobOf(name, statement, fetch) };
  });
}

function blobOf(
  name: string,
  { descriptor, path }: LayoutImage['blobs'][number],
  fetch: FetchBlob | undefined,
): () => Promise<string> {
  return async () => {
    await fetch?.(descriptor);
    const isThere = (await stat(path).catch(() => undefined)) !== undefined;
    if (!isThere) throw lacksBlob(name, descriptor.digest);
    return path;
  };
}
