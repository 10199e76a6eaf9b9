/** What all requests of a push have in common. */

import { TsbuildError } from '../errors.ts';
import type { HttpResponse } from '../http/transport.ts';
import type { Digest } from '../oci/digest.ts';
import { familiarName, type Reference } from '../oci/reference.ts';
import type { RegistryClient } from './client.ts';
import { type Asked, redactUrl } from './failures.ts';
import type { RegistryRequest } from './request.ts';

/** In bytes. */
export interface PushSizes {
  /** Up to this size a blob is one PUT, which can be repeated as it is. */
  readonly small: number;
  /** In one request, where what stands before a registry takes no larger ones. */
  readonly part: number;
}

/** Where to push: of the reference, registry and repository count. */
export interface PushTarget {
  readonly client: RegistryClient;
  readonly reference: Reference;
  /** Plain HTTP and unknown certificates will do. */
  readonly insecure?: boolean | undefined;
  readonly sizes: PushSizes;
  readonly signal: AbortSignal;
}

type Request = Omit<RegistryRequest, 'reference' | 'access' | 'insecure' | 'signal'>;

/** Fails as `RegistryClient.request()`. */
export async function sendPush(
  { client, reference, insecure = false, signal }: PushTarget,
  request: Request,
): Promise<HttpResponse> {
  const access = 'pull,push';
  return await client.request({ ...request, reference, access, insecure, signal });
}

/** What is pushed, in failures. */
export function askedOf({ reference }: PushTarget): Asked {
  return { registry: reference.registry, name: familiarName(reference), isPush: true };
}

/** Where an upload goes on: a whole address, or one relative to that of the request. @throws ERR_REGISTRY_FAILED */
export function uploadAddress(response: HttpResponse, target: PushTarget): URL {
  const { url: asked, headers } = response;
  const { location } = headers;
  const url = location === undefined ? null : URL.parse(location, asked.href);
  // Behind a proxy that ends TLS, registries often think that they are spoken to in plain HTTP.
  if (url?.host === asked.host) url.protocol = asked.protocol;
  if (url?.protocol === 'https:' || (url !== null && url.protocol === asked.protocol)) return url;
  throw badAnswer(response, target, 'Its answer has no address to upload to.');
}

/** What the registry says that it has must be what was sent; it need not say. @throws ERR_DIGEST_MISMATCH */
export function checkDigest({ headers }: HttpResponse, expected: Digest, target: PushTarget): void {
  const found = headers['docker-content-digest'];
  if (found === undefined || found === '' || found === expected) return;
  const { name, registry } = askedOf(target);
  throw new TsbuildError('ERR_DIGEST_MISMATCH', {
    message: `Cannot push "${name}": expected ${expected}, ${registry} has ${found.slice(0, 80)}`,
    details: { expected, found },
    hint: 'The registry, or a proxy before it, changes what it is given.',
  });
}

function badAnswer(response: HttpResponse, target: PushTarget, hint: string): TsbuildError {
  const { name, registry } = askedOf(target);
  return new TsbuildError('ERR_REGISTRY_FAILED', {
    message: `Cannot push "${name}": ${redactUrl(response.url)} answered ${response.status} to an upload`,
    details: { registry, status: response.status, code: undefined },
    hint,
  });
}
