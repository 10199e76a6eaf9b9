/** Pushes an image of the store, and says how to finish when that fails. */

import { hasCode, TsbuildError } from './errors.ts';
import type { Digest } from './oci/digest.ts';
import { familiarName, formatReference, type Reference } from './oci/reference.ts';
import {
  type OnStage,
  type PushContent,
  type PushDestination,
  readContent,
} from './registry/index.ts';
import type { Session } from './solve/session.ts';

export interface PushImageOptions {
  readonly session: Session;
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
  { session, status, signal }: PushImageOptions,
): Promise<void> {
  const [first] = destinations;
  if (first === undefined) return;
  const content = await storedContent(digest, first.reference, session);
  try {
    await session.pusher.push(content, destinations, status);
  } catch (error) {
    signal.throwIfAborted();
    throw withWayOut(error, destinations, digest);
  }
}

/** An image of the store, known as `name`. @throws ERR_IMAGE_NOT_FOUND when some of its documents are not there */
export async function storedContent(
  digest: Digest,
  name: Reference,
  { store }: Pick<Session, 'store'>,
): Promise<PushContent> {
  const named = await store.getImage(formatReference(name));
  try {
    return await readContent({ directory: store.path, digest }, named?.origins);
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
