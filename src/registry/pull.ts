/** Images of a registry: by name to verified documents, and layers to files. */

import { hasCode, TsbuildError } from '../errors.ts';
import { isConnectionCut, type RetryBudget } from '../http/retry.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { type Digest, digestOf, isDigest, parseDigest, verifyBytes } from '../oci/digest.ts';
import type { Platform } from '../oci/platform.ts';
import { familiarName, formatReference, type Reference } from '../oci/reference.ts';
import type { RegistryClient } from './client.ts';
import { DOCUMENT_TYPES, invalid } from './documents.ts';
import { connectionFailure } from './failures.ts';
import { fetchBlob } from './fetch-blob.ts';
import {
  type Document,
  type ImageSource,
  MAX_MANIFEST,
  type PulledImage,
  readImage,
} from './image-source.ts';
import { discardBody, type HttpResponse, readBody } from '../http/transport.ts';

/** Documents that were pulled before, by digest: with them a name costs one HEAD, a digest nothing. */
export interface DocumentCache {
  get(digest: Digest): Promise<Uint8Array | undefined>;
  put(digest: Digest, bytes: Uint8Array): Promise<void>;
}

export interface PullOptions {
  readonly client: RegistryClient;
  readonly documents?: DocumentCache | undefined;
  /** No mirror is asked: what a tag stands for now counts. */
  readonly isOrigin?: boolean;
  readonly signal: AbortSignal;
}

/** An image of a registry as a source. Nothing is asked before the first call. */
export function registrySource(
  reference: Reference,
  { client, documents }: Omit<PullOptions, 'signal'>,
): ImageSource {
  return {
    repository: `${reference.registry}/${reference.repository}`,
    resolve: (platform, signal) => resolveImage(reference, { platform, client, documents, signal }),
    fetchBlob: (descriptor, to, signal) => fetchBlob(reference, descriptor, { to, client, signal }),
  };
}

/** What a reference names, for a platform; a digest counts more than a tag. Fails as `ImageSource.resolve()`. */
export function resolveImage(
  reference: Reference,
  { platform, ...options }: PullOptions & { readonly platform: Platform },
): Promise<PulledImage> {
  const name = familiarName(reference);
  return readImage(
    {
      name,
      root: () => rootOnce(reference, options),
      document: (descriptor, limit) => pullDocument(reference, descriptor, limit, options),
    },
    platform,
  );
}

/** A document that another one names, verified. Fails as `ImageSource.resolve()`. */
export async function pullDocument(
  reference: Reference,
  descriptor: Descriptor,
  limit: number,
  options: PullOptions,
): Promise<Uint8Array> {
  const cached = await options.documents?.get(descriptor.digest);
  if (cached !== undefined && digestOf(cached) === descriptor.digest) return cached;
  const isConfig = !DOCUMENT_TYPES.includes(descriptor.mediaType);
  const path = `${isConfig ? 'blobs' : 'manifests'}/${descriptor.digest}`;
  const verify = (_: HttpResponse, bytes: Uint8Array): void => verifyBytes(bytes, descriptor);
  const { bytes } = await getDocument(reference, path, { limit, verify, ...options });
  await options.documents?.put(descriptor.digest, bytes);
  return bytes;
}

/** By client, which lasts for one build, and name. */
const ROOTS = new WeakMap<RegistryClient, Map<string, Promise<Document>>>();

/**
 * What a name stands for is asked once in a build: whoever pushes in the meantime, all stages and all
 * platforms have the same image.
 */
export async function rootOnce(reference: Reference, options: PullOptions): Promise<Document> {
  const { client, isOrigin = false, signal } = options;
  const known = ROOTS.get(client) ?? new Map<string, Promise<Document>>();
  ROOTS.set(client, known);
  const name = `${formatReference(reference)} ${isOrigin}`;
  for (;;) {
    const running = known.get(name);
    if (running === undefined) break;
    const document = await running.catch(() => undefined);
    if (document !== undefined) return document;
    // Another's failure, an abort maybe, is not ours.
    signal.throwIfAborted();
    if (known.get(name) === running) known.delete(name);
  }
  const asking = rootDocument(reference, options);
  known.set(name, asking);
  return await asking;
}

/**
 * 1. By digest, or by tag when nothing is cached: GET. 2. By tag else: HEAD, which tells the digest
 * and does not count against the hub's rate limit; GET what is not cached.
 */
async function rootDocument(reference: Reference, options: PullOptions): Promise<Document> {
  const { documents, signal } = options;
  const tag = reference.tag ?? 'latest';
  let digest = reference.digest;
  if (digest === undefined && documents !== undefined) {
    const answer = await get(reference, `manifests/${tag}`, { ...options, method: 'HEAD' });
    await discardBody(answer.body);
    digest = statedDigest(answer);
  }
  const cached = digest === undefined ? undefined : await documents?.get(digest);
  signal.throwIfAborted();
  if (cached !== undefined && digestOf(cached) === digest)
    return { mediaType: undefined, bytes: cached };

  const path = `manifests/${digest ?? tag}`;
  const verify = (response: HttpResponse, bytes: Uint8Array): void => {
    const expected = digest ?? statedDigest(response);
    if (expected !== undefined) verifyBytes(bytes, { digest: expected, size: bytes.length });
    else checkJson(bytes, familiarName(reference));
  };
  const limit = MAX_MANIFEST;
  const { response, bytes } = await getDocument(reference, path, { limit, verify, ...options });
  await documents?.put(digestOf(bytes), bytes);
  return { mediaType: response.headers['content-type'], bytes };
}

/** Nobody has told a digest: that it is whole is all that can be known. */
function checkJson(bytes: Uint8Array, name: string): void {
  try {
    JSON.parse(Buffer.from(bytes).toString());
  } catch {
    throw invalid(name, 'Its manifest is no JSON.');
  }
}

function statedDigest({ headers }: HttpResponse): Digest | undefined {
  const digest = headers['docker-content-digest'];
  return digest !== undefined && isDigest(digest) ? parseDigest(digest) : undefined;
}

interface DocumentOptions extends PullOptions {
  readonly limit: number;
  /** Throws when these are not the right bytes. */
  readonly verify: (response: HttpResponse, bytes: Uint8Array) => void;
}

/** What is damaged on its way may come whole the next time; what the registry itself has never does. */
const MAX_DAMAGED = 3;

async function getDocument(
  reference: Reference,
  path: string,
  { limit, verify, ...options }: DocumentOptions,
): Promise<{ response: HttpResponse; bytes: Uint8Array }> {
  const { client, isOrigin = false, signal } = options;
  const name = familiarName(reference);
  const budget = client.openBudget();
  for (let damaged = 0; ; ) {
    const response = await get(reference, path, {
      ...options,
      budget,
      isOrigin: isOrigin || damaged > 0,
    });
    try {
      const bytes = await readBody(response.body, limit + 1);
      if (bytes.length > limit) {
        throw invalid(name, `One of its documents is larger than ${limit} bytes.`);
      }
      verify(response, bytes);
      return { response, bytes };
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof TsbuildError) damaged++;
      const isOver =
        error instanceof TsbuildError ? damaged === MAX_DAMAGED : !isConnectionCut(error);
      if (!isOver && (await budget.pause(signal))) continue;
      if (error instanceof TsbuildError) throw error;
      throw connectionFailure(error, { registry: reference.registry, name });
    }
  }
}

interface GetOptions extends PullOptions {
  readonly method?: 'GET' | 'HEAD';
  readonly budget?: RetryBudget;
}

async function get(
  reference: Reference,
  path: string,
  { client, signal, method = 'GET', budget, isOrigin = false }: GetOptions,
): Promise<HttpResponse> {
  const headers = { accept: DOCUMENT_TYPES.join(', ') };
  try {
    return await client.request({
      ...{ method, reference, path, headers, access: 'pull', isOrigin, signal },
      ...(budget !== undefined && { budget }),
    });
  } catch (error) {
    if (!hasCode(error, 'ERR_REGISTRY_FAILED') || error.details.status !== 404) throw error;
    const name = familiarName(reference);
    throw new TsbuildError('ERR_IMAGE_NOT_FOUND', {
      message: `Cannot find the image "${name}"`,
      details: { reference: name },
      hint: `${reference.registry} does not have it. Check its name and tag.`,
      cause: error,
    });
  }
}
