/** Pushes an image of the store, and says how to finish when that fails. */

import { hasCode, TsbuildError } from '../errors.ts';
import type { Digest } from '../oci/digest.ts';
import { MEDIA_TYPE } from '../oci/descriptor.ts';
import { familiarName, parseReference, type Reference } from '../oci/reference.ts';
import {
  type BlobFile,
  type OnStage,
  type PushContent,
  type PushDestination,
  readContent,
  registrySource,
} from '../registry/index.ts';
import type { Session } from '../solve/session.ts';

export interface PushImageOptions {
  readonly session: Session;
  /** Repositories (`registry/repository`) that blobs of it came from, by digest. */
  readonly origins: Readonly<Record<string, string>>;
  /** Told of each stage. */
  readonly status: OnStage;
  readonly signal: AbortSignal;
}

/**
 * Pushes what the store has under a digest, to all destinations. It stays in the store.
 * @throws ERR_REGISTRY_*, ERR_DIGEST_MISMATCH, ERR_IMAGE_NOT_FOUND, ERR_LAYER_INVALID
 */
export async function pushImage(
  digest: Digest,
  destinations: readonly PushDestination[],
  { session, origins, status, signal }: PushImageOptions,
): Promise<void> {
  const [first] = destinations;
  if (first === undefined) return;
  const content = await storedContent(digest, first.reference, { session, origins });
  try {
    await session.pusher.push(content, destinations, status);
  } catch (error) {
    signal.throwIfAborted();
    throw withWayOut(error, destinations, digest);
  }
}

/**
 * An image of the store, known as `name`. Layers that were never needed here are fetched from where they are
 * when they must be sent. @throws ERR_IMAGE_NOT_FOUND when some of its documents are not there
 */
export async function storedContent(
  digest: Digest,
  name: Reference,
  { session, origins }: Pick<PushImageOptions, 'session' | 'origins'>,
): Promise<PushContent> {
  try {
    const content = await readContent({ directory: session.store.path, digest }, origins);
    return { ...content, blobs: content.blobs.map((blob) => fetchable(blob, session)) };
  } catch (error) {
    if (!hasCode(error, 'ERR_IMAGE_NOT_FOUND')) throw error;
    throw new TsbuildError('ERR_IMAGE_NOT_FOUND', {
      message: `Cannot find ${digest} in the store`,
      details: { reference: familiarName(name) },
      hint: 'Build the image again.',
      cause: error,
    });
  }
}

function fetchable(blob: BlobFile, { client, layers }: Session): BlobFile {
  if (blob.origin === undefined) return blob;
  const { registry, repository } = parseReference(blob.origin);
  const source = registrySource({ registry, repository }, { client });
  const descriptor = { ...blob, mediaType: MEDIA_TYPE.layerGzip };
  return { ...blob, fetch: (signal) => layers.blobs.bring(source, descriptor, signal) };
}

/** What failed was the push alone. */
function withWayOut(
  error: unknown,
  destinations: readonly PushDestination[],
  digest: Digest,
): unknown {
  if (!(error instanceof TsbuildError) || !error.code.startsWith('ERR_REGISTRY_')) return error;
  const names = destinations.map(({ reference }) =>
    familiarName(reference.tag === undefined ? { ...reference, digest } : reference),
  );
  const commands = [...new Set(names)].map((name) => `"tsbuild push ${name}"`).join(', ');
  const kept = `The image is in the store: ${commands} pushes it without building it again.`;
  return new TsbuildError(error.code, {
    message: error.message,
    details: error.details,
    hint: error.hint === undefined ? kept : `${error.hint} ${kept}`,
    cause: error,
  });
}
