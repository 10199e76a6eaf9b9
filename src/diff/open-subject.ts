/** Opens what is compared: documents are read and checked, layers are left where they are. */

import { stat } from 'node:fs/promises';
import { hasCode, TsbuildError } from '../errors.ts';
import { unpackImage } from '../export/index.ts';
import { familiarName, formatReference, type Reference } from '../oci/reference.ts';
import type { Progress } from '../progress/progress.ts';
import {
  type ImagePlace,
  type LayoutLocation,
  locateImage,
  pullDocuments,
  readContent,
  readLayoutImages,
  registrySource,
} from '../registry/index.ts';
import { documentsIn } from '../solve/images.ts';
import type { Session } from '../solve/session.ts';
import { dockerSubject } from './docker-subject.ts';
import { type FetchBlob, layoutSubject } from './layout-subject.ts';
import type { Subject } from './subject.ts';

export interface OpenWork {
  readonly session: Session;
  readonly progress: Progress;
  readonly signal: AbortSignal;
}

/**
 * Opens a path, a name of the store or a name of a registry.
 * @throws ERR_REFERENCE_INVALID, ERR_IMAGE_NOT_FOUND, ERR_IMAGE_INVALID, ERR_REGISTRY_*
 */
export async function openSubject(name: string, work: OpenWork): Promise<Subject> {
  const place = await locateImage(name);
  const { store } = work.session;
  switch (place.kind) {
    case 'path':
      return await openPath(name, place, work);
    case 'digest':
      return await openLayout(name, { directory: store.path, digest: place.digest });
    case 'registry':
      return await openPulled(name, place.reference, work);
    case 'name':
      return (
        (await openBuilt(name, place.reference, work)) ?? openPulled(name, place.reference, work)
      );
  }
}

async function openPath(
  name: string,
  { path, tag, digest }: Extract<ImagePlace, { readonly kind: 'path' }>,
  { session, signal }: OpenWork,
): Promise<Subject> {
  const location = { ...(tag !== undefined && { tag }), ...(digest !== undefined && { digest }) };
  const found = await stat(path).catch(() => undefined);
  if (found === undefined || found.isDirectory()) {
    return await openLayout(name, { ...location, directory: path });
  }
  const directory = session.layers.temporary('image');
  const unpacked = await unpackImage(path, directory, signal);
  if (unpacked.kind === 'layout') return await openLayout(name, { ...location, directory });
  return await dockerSubject(name, unpacked.images, tag);
}

async function openLayout(
  name: string,
  location: LayoutLocation,
  fetch?: FetchBlob,
): Promise<Subject> {
  const { manifests } = await readContent(location);
  return layoutSubject(name, {
    root: manifests.at(-1),
    images: await readLayoutImages(location),
    fetch,
  });
}

/** What was built under this name last, or a digest that the store has; undefined when there is none. */
async function openBuilt(
  name: string,
  reference: Reference,
  work: OpenWork,
): Promise<Subject | undefined> {
  const { store } = work.session;
  const { digest: pinned } = reference;
  const digest = pinned ?? (await store.getImage(formatReference(reference)))?.image.digest;
  if (digest === undefined) return undefined;
  try {
    // Of a pinned base the store may have the documents, and not all of the layers.
    const fetch = pinned === undefined ? undefined : fetchFrom(reference, work);
    return await openLayout(name, { directory: store.path, digest }, fetch);
  } catch (error) {
    if (!hasCode(error, 'ERR_IMAGE_NOT_FOUND')) throw error;
    if (pinned !== undefined) return undefined;
    throw new TsbuildError('ERR_IMAGE_NOT_FOUND', {
      message: `Cannot find "${familiarName(reference)}" in the store: some of it is gone`,
      details: { reference: familiarName(reference) },
      hint: `Build it again, or compare what the registry has: "docker://${familiarName(reference)}".`,
      cause: error,
    });
  }
}

async function openPulled(name: string, reference: Reference, work: OpenWork): Promise<Subject> {
  const { session, signal } = work;
  const documents = documentsIn(session.store);
  const digest = await pullDocuments(reference, { client: session.client, documents, signal });
  const location = { directory: session.store.path, digest };
  return await openLayout(name, location, fetchFrom(reference, work));
}

/** Layers stay in the store, as those of base images do. */
function fetchFrom(reference: Reference, { session, progress, signal }: OpenWork): FetchBlob {
  const { store, client, layers } = session;
  const source = registrySource(reference, { client });
  return async (descriptor) => {
    if (await store.hasBlob(descriptor)) return;
    const { digest } = descriptor;
    const reporter = progress.start({
      name: `pulling ${familiarName(reference)} ${digest}`,
      location: undefined,
    });
    try {
      const temporary = layers.temporary('blob');
      await source.fetchBlob(descriptor, temporary, signal);
      await store.addBlob(temporary, descriptor);
      reporter.end({ cached: false });
    } catch (error) {
      reporter.fail(error instanceof TsbuildError ? error : undefined);
      throw error;
    }
  };
}
