/** Images of a registry: by name to verified documents, and layers to files. */

import { hasCode, TsbuildError } from '../errors.ts';
import { isConnectionCut, type RetryBudget } from '../http/retry.ts';
import { type Descriptor, MEDIA_TYPE } from '../oci/descriptor.ts';
import { type Digest, digestOf, isDigest, parseDigest, verifyBytes } from '../oci/digest.ts';
import type { Platform } from '../oci/platform.ts';
import { familiarName, type Reference } from '../oci/reference.ts';
import { writeBlobFile } from './blob-file.ts';
import type { RegistryClient } from './client.ts';
import { invalid } from './documents.ts';
import { connectionFailure } from './failures.ts';
import {
  type Document,
  type ImageSource,
  MAX_MANIFEST,
  type PulledImage,
  readImage,
} from './image-source.ts';
import { type HttpResponse, readBody } from '../http/transport.ts';

/** Documents that were pulled before, by digest: with them a name costs one HEAD, a digest nothing. */
export interface DocumentCache {
  get(digest: Digest): Promise<Uint8Array | undefined>;
  put(digest: Digest, bytes: Uint8Array): Promise<void>;
}

export interface PullOptions {
  readonly client: RegistryClient;
  readonly documents?: DocumentCache | undefined;
  readonly signal: AbortSignal;
}

/** An image of a registry as a source. Nothing is asked before the first call. */
export function registrySource(
  reference: Reference,
  { client, documents }: Omit<PullOptions, 'signal'>,
): ImageSource {
  return {
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
      root: () => rootDocument(reference, options),
      async document(descriptor, limit) {
        const cached = await options.documents?.get(descriptor.digest);
        if (cached !== undefined && digestOf(cached) === descriptor.digest) return cached;
        const isConfig = !MANIFEST_TYPES.includes(descriptor.mediaType);
        const path = `${isConfig ? 'blobs' : 'manifests'}/${descriptor.digest}`;
        const { bytes } = await getDocument(reference, path, { limit, ...options });
        verifyBytes(bytes, descriptor);
        await options.documents?.put(descriptor.digest, bytes);
        return bytes;
      },
    },
    platform,
  );
}

const MANIFEST_TYPES: readonly string[] = [
  MEDIA_TYPE.index,
  MEDIA_TYPE.manifest,
  MEDIA_TYPE.dockerIndex,
  MEDIA_TYPE.dockerManifest,
];

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
    answer.body.destroy();
    digest = statedDigest(answer);
  }
  const cached = digest === undefined ? undefined : await documents?.get(digest);
  signal.throwIfAborted();
  if (cached !== undefined && digestOf(cached) === digest)
    return { mediaType: undefined, bytes: cached };

  const path = `manifests/${digest ?? tag}`;
  const limit = MAX_MANIFEST;
  const { response, bytes } = await getDocument(reference, path, { limit, ...options });
  const expected = digest ?? statedDigest(response) ?? digestOf(bytes);
  verifyBytes(bytes, { digest: expected, size: bytes.length });
  await documents?.put(expected, bytes);
  return { mediaType: response.headers['content-type'], bytes };
}

function statedDigest({ headers }: HttpResponse): Digest | undefined {
  const digest = headers['docker-content-digest'];
  return digest !== undefined && isDigest(digest) ? parseDigest(digest) : undefined;
}

interface DocumentOptions extends PullOptions {
  readonly limit: number;
}

async function getDocument(
  reference: Reference,
  path: string,
  { limit, ...options }: DocumentOptions,
): Promise<{ response: HttpResponse; bytes: Uint8Array }> {
  const name = familiarName(reference);
  const budget = options.client.openBudget();
  for (;;) {
    const response = await get(reference, path, { ...options, budget });
    try {
      const bytes = await readBody(response.body, limit + 1);
      if (bytes.length <= limit) return { response, bytes };
      throw invalid(name, `One of its documents is larger than ${limit} bytes.`);
    } catch (error) {
      options.signal.throwIfAborted();
      if (error instanceof TsbuildError) throw error;
      if (!isConnectionCut(error) || !(await budget.pause(options.signal))) {
        throw connectionFailure(error, { registry: reference.registry, name });
      }
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
  { client, signal, method = 'GET', budget }: GetOptions,
): Promise<HttpResponse> {
  const headers = { accept: MANIFEST_TYPES.join(', ') };
  try {
    return await client.request({
      ...{ method, reference, path, headers, access: 'pull', signal },
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

/** A blob of a reference's repository to a new file. Fails as `ImageSource.fetchBlob()`. */
export async function fetchBlob(
  reference: Reference,
  descriptor: Descriptor,
  { to, client, signal }: { to: string; client: RegistryClient; signal: AbortSignal },
): Promise<void> {
  await writeBlobFile(blobChunks(reference, descriptor, { client, signal }), descriptor, {
    to,
    signal,
  });
}

/** A blob's bytes; after a cut connection the rest of them. */
async function* blobChunks(
  reference: Reference,
  { digest }: Descriptor,
  { client, signal }: PullOptions,
): AsyncGenerator<Uint8Array> {
  const asked = { registry: reference.registry, name: familiarName(reference) };
  let offset = 0;
  const budget = client.openBudget();
  for (;;) {
    const headers: Record<string, string> = offset === 0 ? {} : { range: `bytes=${offset}-` };
    const path = `blobs/${digest}`;
    const response = await client.request({
      method: 'GET',
      reference,
      path,
      headers,
      access: 'pull',
      budget,
      signal,
    });
    // A server that knows no ranges sends it all again.
    let skip = response.status === 206 ? 0 : offset;
    try {
      for await (const chunk of response.body as AsyncIterable<Uint8Array>) {
        const fresh = chunk.subarray(Math.min(skip, chunk.length));
        skip -= chunk.length - fresh.length;
        offset += fresh.length;
        if (fresh.length === 0) continue;
        budget.progress();
        yield fresh;
      }
      return;
    } catch (error) {
      signal.throwIfAborted();
      if (!isConnectionCut(error) || !(await budget.pause(signal))) {
        throw connectionFailure(error, asked);
      }
    }
  }
}
