/**
 * Requests of the distribution spec: the right address, logged in, redirected and tried again.
 *
 * https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md
 */

import { type Readable } from 'node:stream';
import { TsbuildError } from '../errors.ts';
import { isBusy, isConnectionCut, openBudget, type RetryBudget } from '../http/retry.ts';
import {
  discardBody,
  type HttpRequest,
  type HttpResponse,
  openTransport,
  type Transport,
} from '../http/transport.ts';
import { familiarName, type Reference } from '../oci/reference.ts';
import { type Access, type Authorizer, createAuthorizer } from './authorizer.ts';
import { credentialStore } from './auth.ts';
import { answerFailure, connectionFailure, redactUrl } from './failures.ts';

export interface RegistryClientOptions {
  /** docker's config.json; without one, nobody is logged in. */
  readonly configPath?: string | undefined;
  /** To one registry at a time. Four for blobs and one for documents, as BuildKit (LAY-6). */
  readonly connections?: number;
  /** Tries of one request in a row that get nowhere. */
  readonly attempts?: number;
  /** Milliseconds before the second try; doubles with each. */
  readonly retryDelay?: number;
}

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
  /** Plain HTTP and unknown certificates will do, whatever the settings say. */
  readonly insecure?: boolean;
  readonly signal: AbortSignal;
}

export interface RegistryClient {
  /**
   * The answer, if it is a success, or one of `accept`. Its body must be read or destroyed.
   * @throws ERR_REGISTRY_UNREACHABLE, ERR_REGISTRY_DENIED, ERR_REGISTRY_FAILED
   */
  request(request: RegistryRequest): Promise<HttpResponse>;
  /** A new budget, with this client's numbers. */
  openBudget(): RetryBudget;
  /** Ends all connections. */
  close(): Promise<void>;
}

const MAX_REDIRECTS = 10;

interface Session {
  readonly transport: Transport;
  readonly authorizer: Authorizer;
}

/** A client whose connections and tokens last for one build. Loads nothing before the first request. */
export function createRegistryClient(options: RegistryClientOptions = {}): RegistryClient {
  const { configPath, connections = 5, attempts, retryDelay } = options;
  const transport = openTransport({ connections });
  const authorizer = createAuthorizer(credentialStore(configPath), transport.send);
  const budget = {
    ...(attempts !== undefined && { tries: attempts }),
    ...(retryDelay !== undefined && { delay: retryDelay }),
  };

  const client: RegistryClient = {
    async request(request) {
      const access = accessOf(request);
      const { signal, accept = [] } = request;
      const tries = request.budget ?? client.openBudget();
      const isLast = request.once === true || isStream(request.body);
      for (;;) {
        let response: HttpResponse;
        try {
          response = await sendAuthorized(request, access, { transport, authorizer });
        } catch (error) {
          signal.throwIfAborted();
          if (error instanceof TsbuildError) throw error;
          if (isLast || !isConnectionCut(error) || !(await tries.pause(signal))) {
            throw connectionFailure(error, access);
          }
          continue;
        }
        const { status } = response;
        if ((status >= 200 && status < 300) || accept.includes(status)) return response;
        if (isLast || !isBusy(response) || !(await tries.pause(signal, response))) {
          throw await answerFailure(response, access, authorizer.reason(access.registry));
        }
        await discardBody(response.body);
      }
    },
    openBudget: () => openBudget(budget),
    close: () => transport.close(),
  };
  return client;
}

/** With the token we have; if that is refused, with a new one. */
async function sendAuthorized(
  request: RegistryRequest,
  access: Access,
  session: Session,
): Promise<HttpResponse> {
  const { authorizer } = session;
  const response = await follow(request, authorizer.header(access), session.transport);
  const isHome = response.url.origin === originOf(request.reference);
  if (response.status !== 401 || !isHome || isStream(request.body)) return response;
  const header = await authorizer.answer(response, access, request.signal);
  if (header === undefined) return response;
  await discardBody(response.body);
  return follow(request, header, session.transport);
}

/** Follows redirects. Blobs live elsewhere, where the token has no business. */
async function follow(
  request: RegistryRequest,
  authorization: string | undefined,
  transport: Transport,
): Promise<HttpResponse> {
  const { method, headers = {}, signal } = request;
  const home = originOf(request.reference);
  let url = urlOf(request);
  for (let hops = 0; ; hops++) {
    const isAuthorized = authorization !== undefined && url.origin === home;
    const sent = isAuthorized ? { ...headers, authorization } : headers;
    const body = typeof request.body === 'function' ? request.body() : request.body;
    const response = await transport.send({ method, url, headers: sent, body, signal });
    const location = REDIRECTS.has(response.status) ? response.headers.location : undefined;
    if (location === undefined || (method !== 'GET' && method !== 'HEAD')) return response;
    await discardBody(response.body);
    if (hops === MAX_REDIRECTS) throw badRedirect(response, request);
    url = redirect(location, response, request);
  }
}

const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

function accessOf({ reference, access, scopes = [] }: RegistryRequest): Access {
  return {
    registry: reference.registry,
    name: familiarName(reference),
    scopes: [`repository:${reference.repository}:${access}`, ...scopes],
  };
}

function urlOf({ reference, path }: RegistryRequest): URL {
  if (path instanceof URL) return path;
  return new URL(`${originOf(reference)}/v2/${reference.repository}/${path}`);
}

function originOf({ registry }: Reference): string {
  // The hub's name and its host differ since Docker's first registry.
  const host = registry === 'docker.io' ? 'registry-1.docker.io' : registry;
  // As a URL's own origin: without the scheme's default port, in lower case.
  return new URL(`${isLoopback(host) ? 'http' : 'https'}://${host}`).origin;
}

/** Hosts that docker, too, speaks plain HTTP with. */
function isLoopback(host: string): boolean {
  return /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d+)?$/.test(host);
}

/** Never from an encrypted to a plain address. */
function redirect(location: string, response: HttpResponse, request: RegistryRequest): URL {
  const url = URL.parse(location, response.url.href);
  const isSafe = url?.protocol === 'https:' || url?.protocol === response.url.protocol;
  if (url !== null && isSafe) return url;
  throw badRedirect(response, request);
}

function badRedirect({ url, status }: HttpResponse, { reference }: RegistryRequest): TsbuildError {
  return new TsbuildError('ERR_REGISTRY_FAILED', {
    message: `Cannot access "${familiarName(reference)}": ${redactUrl(url)} redirects to nowhere`,
    details: { registry: reference.registry, status, code: undefined },
  });
}

function isStream(body: RegistryRequest['body']): boolean {
  return typeof body === 'object' && !(body instanceof Uint8Array);
}
