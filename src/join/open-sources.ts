/** The images that are joined, wherever they are: documents are read and checked, layers of registries stay there. */

import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { TsbuildError } from '../errors.ts';
import { type ExportImage, unpackArchive } from '../export/index.ts';
import { formatReference, type Reference } from '../oci/reference.ts';
import {
  type ImagePlace,
  type LayoutLocation,
  locateImage,
  pullDocuments,
  readLayoutImages,
  registrySource,
  verifyBlob,
} from '../registry/index.ts';
import { documentsIn } from '../solve/images.ts';
import type { Session } from '../solve/session.ts';

export interface JoinWork {
  readonly session: Session;
  readonly signal: AbortSignal;
}

/** An image, or an attestation about one, and the source that has it, in the user's words. */
export interface Joined {
  readonly source: string;
  readonly image: ExportImage;
}

/**
 * The images of all sources, in their order. A name is always a registry's: what other machines pushed counts,
 * and not what this one built last.
 * @throws ERR_REFERENCE_INVALID, ERR_IMAGE_NOT_FOUND, ERR_IMAGE_INVALID, ERR_DIGEST_MISMATCH, ERR_REGISTRY_*
 */
export async function openSources(
  sources: readonly string[],
  work: JoinWork,
): Promise<readonly Joined[]> {
  const places: (readonly [string, ImagePlace])[] = [];
  // A name that is none is told before anything is asked for.
  for (const source of sources) places.push([source, await locateImage(source)]);
  const found: Joined[] = [];
  const checked = new Set<string>();
  for (const [number, [source, place]] of places.entries()) {
    const images = await imagesAt(place, `source-${number}`, { ...work, source, checked });
    found.push(...images.map((image) => ({ source, image })));
  }
  return found;
}

interface SourceWork extends JoinWork {
  readonly source: string;
  /** Files that were verified. */
  readonly checked: Set<string>;
}

async function imagesAt(
  place: ImagePlace,
  name: string,
  work: SourceWork,
): Promise<readonly ExportImage[]> {
  switch (place.kind) {
    case 'path': {
      const { path, kind: _, ...named } = place;
      const directory = await layoutAt(path, name, work);
      return await verifiedImages({ ...named, directory }, work);
    }
    case 'name':
    case 'registry':
      return await registryImages(place.reference, work);
    case 'digest':
      throw new TsbuildError('ERR_USAGE', {
        message: `Cannot join "${place.digest}": a digest alone does not say where the image is`,
        details: undefined,
        hint: 'Write "NAME@DIGEST" for an image of a registry, "PATH@DIGEST" for one of a layout.',
      });
  }
}

/** A directory as it is; an archive is unpacked for as long as the session lasts. */
export async function layoutAt(
  path: string,
  name: string,
  { session, signal }: JoinWork,
): Promise<string> {
  const found = await stat(path).catch(() => undefined);
  if (found === undefined || found.isDirectory()) return path;
  const directory = join(session.workspace.path, name);
  await unpackArchive(path, directory, signal);
  return directory;
}

/** What comes from elsewhere is checked, each file once. */
async function verifiedImages(
  location: LayoutLocation,
  { source, checked, signal }: SourceWork,
): Promise<readonly ExportImage[]> {
  const images = await readLayoutImages(location);
  for (const blob of images.flatMap(({ blobs }) => blobs)) {
    if (checked.has(blob.path)) continue;
    checked.add(blob.path);
    await verifyBlob(blob, source, signal);
  }
  return images.map((image) => ({ ...image, platform: image.descriptor.platform }));
}

/** Its documents go into the store; its layers, too, but only when something has to be written from their bytes. */
async function registryImages(
  reference: Reference,
  work: JoinWork,
): Promise<readonly ExportImage[]> {
  const { layers, client } = work.session;
  const source = registrySource(reference, { client });
  const { registry, repository } = reference;
  const origin = formatReference({ registry, repository });
  return (await pulledImages(reference, work)).map((image) => ({
    ...image,
    blobs: image.blobs.map((blob) => ({
      ...blob,
      origin,
      fetch: (signal) => layers.blobs.bring(source, blob.descriptor, signal),
    })),
  }));
}

/** The images that a name of a registry stands for; their layers are not in the store. */
export async function pulledImages(
  reference: Reference,
  {
    session: { store, client },
    isOrigin = false,
    signal,
  }: JoinWork & { readonly isOrigin?: boolean },
): Promise<readonly ExportImage[]> {
  const documents = documentsIn(store);
  const digest = await pullDocuments(reference, { client, documents, isOrigin, signal });
  const images = await readLayoutImages({ directory: store.path, digest });
  return images.map((image) => ({ ...image, platform: image.descriptor.platform }));
}
