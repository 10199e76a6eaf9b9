/** What a registry is asked. */

import type { Readable } from 'node:stream';
import type { RetryBudget } from '../http/retry.ts';
import type { HttpRequest, HttpResponse } from '../http/transport.ts';
import { familiarName, type Reference } from '../oci/reference.ts';
import type { Access } from './authorizer.ts';
import type { Endpoint } from './settings/endpoints.ts';

export interface RegistryRequest {
  readonly method: HttpRequest['method'];
  readonly reference: Reference;
  /** Below `/v2/<repository>/`, or where the registry said to go on. */
  readonly path: string | URL;
  readonly headers?: Readonly<Record<string, string>>;
  /**
   * A function makes the body anew for each try. A stream is sent once: such a request is neither
   * redirected nor tried again, nor is its 401 answered.
   */
  readonly body?: HttpRequest['body'] | (() => Uint8Array | Readable);
  readonly access: 'pull' | 'pull,push';
  /** What the token must allow besides, e.g. `repository:library/debian:pull` to mount from there. */
  readonly scopes?: readonly string[];
  /** Statuses that are answers, too; only those of 2xx are else. */
  readonly accept?: readonly number[];
  /** The tries of several requests that belong together, from `openBudget()`; default: one for this request. */
  readonly budget?: RetryBudget;
  /** Tried once: what is cut, or answered with 429 or 5xx, fails. A 401 is still answered. */
  readonly once?: boolean;
  /** Mirrors are passed over: what they had was damaged. */
  readonly isOrigin?: boolean;
  /** Plain HTTP and unknown certificates will do, whatever the settings say. */
  readonly insecure?: boolean;
  readonly signal: AbortSignal;
}

/** Whether it is what was asked for. */
export function isAnswer({ status }: HttpResponse, { accept = [] }: RegistryRequest): boolean {
  return (status >= 200 && status < 300) || accept.includes(status);
}

/** What a request to an endpoint must be allowed to do. */
export function accessOf(
  { reference, access, scopes = [] }: RegistryRequest,
  { registry, repository }: Endpoint,
): Access {
  const name = familiarName(reference);
  return {
    ...{ registry, repository, name, isPush: access === 'pull,push' },
    scopes: [`repository:${repository}:${access}`, ...scopes],
  };
}

/** A body that is there once. */
export function isStream(body: RegistryRequest['body']): boolean {
  return typeof body === 'object' && !(body instanceof Uint8Array);
}
