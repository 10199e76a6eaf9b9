/**
 * Requests of the distribution spec: the right address, logged in, redirected and tried again.
 *
 * https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md
 */

import { setTimeout as delay } from 'node:timers/promises';
import { TsbuildError } from '../errors.ts';
import { familiarName, type Reference } from '../oci/reference.ts';
import { type Access, type Authorizer, createAuthorizer } from './authorizer.ts';
import { credentialStore } from './auth.ts';
import { answerFailure, connectionFailure, isConnectionCut, redactUrl } from './failures.ts';
import {
  discardBody,
  type HttpRequest,
  type HttpResponse,
  openTransport,
  type Transport,
} from './transport.ts';

export interface RegistryClientOptions {
  /** docker's config.json; without one, nobody is logged in. */
  readonly configPath?: string | undefined;
  /** To one registry at a time. Four for blobs and one for documents, as BuildKit (LAY-6). */
  readonly connections?: number;
  /** Tries of one request, all in all. */
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
  /** A stream is sent once: such a request is neither redirected nor tried again. */
  readonly body?: HttpRequest['body'];
  readonly access: 'pull' | 'pull,push';
  readonly signal: AbortSignal;
}

export interface RegistryClient {
  /**
   * The answer, if it is a success. Its body must be read or destroyed.
   * @throws ERR_REGISTRY_UNREACHABLE, ERR_REGISTRY_DENIED, ERR_REGISTRY_FAILED
   */
  request(request: RegistryRequest): Promise<HttpResponse>;
  /** Waits before try `attempt` (1 is the second), at least as long as the answer wants. */
  pause(attempt: number, signal: AbortSignal, answer?: HttpResponse): Promise<void>;
  /** Ends all connections. */
  close(): Promise<void>;
}

const MAX_REDIRECTS = 10;
/** Milliseconds. A registry that wants us to wait longer is as good as down. */
const MAX_PAUSE = 60_000;

interface Session {
  readonly transport: Transport;
  readonly authorizer: Authorizer;
}

/** A client whose connections and tokens last for one build. Loads nothing before the first request. */
export function createRegistryClient(options: RegistryClientOptions = {}): RegistryClient {
  const { configPath, connections = 5, attempts = 4, retryDelay = 500 } = options;
  const transport = openTransport({ connections });
  const authorizer = createAuthorizer(credentialStore(configPath), transport.send);

  const client: RegistryClient = {
    async request(request) {
      const access = accessOf(request);
      const last = isStream(request.body) ? 0 : attempts - 1;
      for (let attempt = 0; ; attempt++) {
        let response: HttpResponse;
        try {
          response = await sendAuthorized(request, access, { transport, authorizer });
        } catch (error) {
          request.signal.throwIfAborted();
          if (error instanceof TsbuildError) throw error;
          if (attempt >= last || !isConnectionCut(error)) throw connectionFailure(error, access);
          await client.pause(attempt + 1, request.signal);
          continue;
        }
        if (response.status >= 200 && response.status < 300) return response;
        if (attempt >= last || !isBusy(response)) {
          throw await answerFailure(response, access, authorizer.reason(access.registry));
        }
        await discardBody(response.body);
        await client.pause(attempt + 1, request.signal, response);
      }
    },

    async pause(attempt, signal, answer) {
      const backoff = retryDelay * 2 ** (attempt - 1);
      const wanted = Math.max(backoff, retryAfter(answer?.headers['retry-after']));
      try {
        await delay(Math.min(wanted, MAX_PAUSE), undefined, { signal });
      } catch (error) {
        signal.throwIfAborted();
        throw error;
      }
    },

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
  const { method, body, headers = {}, signal } = request;
  const home = originOf(request.reference);
  let url = urlOf(request);
  for (let hops = 0; ; hops++) {
    const isAuthorized = authorization !== undefined && url.origin === home;
    const sent = isAuthorized ? { ...headers, authorization } : headers;
    const response = await transport.send({ method, url, headers: sent, body, signal });
    const location = REDIRECTS.has(response.status) ? response.headers.location : undefined;
    if (location === undefined || (method !== 'GET' && method !== 'HEAD')) return response;
    await discardBody(response.body);
    if (hops === MAX_REDIRECTS) throw badRedirect(response, request);
    url = redirect(location, response, request);
  }
}

const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

function accessOf({ reference, access }: RegistryRequest): Access {
  return {
    registry: reference.registry,
    name: familiarName(reference),
    scope: `repository:${reference.repository}:${access}`,
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
  return body !== undefined && !(body instanceof Uint8Array);
}

/** 501 is not busy: it will never know the method. */
function isBusy({ status }: HttpResponse): boolean {
  return status === 429 || (status >= 500 && status !== 501);
}

/** Milliseconds of a Retry-After header: seconds, or a date. */
function retryAfter(header: string | undefined): number {
  if (header === undefined) return 0;
  const wait = /^\d+$/.test(header) ? Number(header) * 1000 : Date.parse(header) - Date.now();
  return Number.isNaN(wait) ? 0 : wait;
}
