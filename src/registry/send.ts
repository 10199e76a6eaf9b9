/** One request to one endpoint: its scheme, who we are to it, and where it sends us. */

import { TsbuildError } from '../errors.ts';
import { connectionCode } from '../http/connection-code.ts';
import { isConnectionCut } from '../http/retry.ts';
import { discardBody, type HttpResponse, type Transport } from '../http/transport.ts';
import { familiarName } from '../oci/reference.ts';
import type { Access, Authorizer } from './authorizer.ts';
import { redactUrl } from './failures.ts';
import { isStream, type RegistryRequest } from './request.ts';
import type { Endpoint } from './settings/endpoints.ts';
import { HUB_HOST, type RegistrySettings } from './settings/settings.ts';

type Scheme = 'http:' | 'https:';

export interface Sender {
  /** An answer, whatever it is; the token server's when that is busy. Fails as the transport, and the authorizer. */
  send(request: RegistryRequest, endpoint: Endpoint, access: Access): Promise<HttpResponse>;
}

export interface SenderOptions {
  readonly transport: Transport;
  readonly authorizer: Authorizer;
  readonly settings: RegistrySettings;
}

/** A sender that remembers which scheme a registry speaks. */
export function createSender({ transport, authorizer, settings }: SenderOptions): Sender {
  const known = new Map<string, Scheme>();
  return {
    async send(request, endpoint, access) {
      const host = hostOf(endpoint);
      const isOwn = isLoopback(host) && (await settings.tls(host)) === undefined;
      const isUnverified = isOwn || endpoint.security === 'insecure' || request.insecure === true;
      const tell = { request, access, transport, authorizer, isUnverified };
      const { path } = request;
      if (path instanceof URL) {
        // Credentials do not follow a registry that leads from HTTPS to plain HTTP.
        const mayBePlain = isUnverified || endpoint.security === 'plain';
        const isHome = path.host === host && (path.protocol === 'https:' || mayBePlain);
        const home = isHome ? path.origin : originOf('https:', host);
        return await sendAuthorized(path, { ...tell, home });
      }
      const schemes = schemesOf(endpoint, { isOwn, isInsecure: isUnverified });
      const sendBy = async (scheme: Scheme): Promise<HttpResponse> => {
        const home = originOf(scheme, host);
        const url = new URL(`${home}/v2/${endpoint.repository}/${path}`);
        return await sendAuthorized(url, { ...tell, home });
      };
      const key = JSON.stringify([host, schemes]);
      const scheme = known.get(key);
      if (scheme !== undefined) return await sendBy(scheme);
      const found = await firstThatSpeaks(schemes, sendBy, request.signal);
      known.set(key, found.scheme);
      return found.response;
    },
  };
}

/** Plain HTTP first on this machine, as most such registries are; docker, too, takes either there. */
function schemesOf(
  { security }: Endpoint,
  { isOwn, isInsecure }: { readonly isOwn: boolean; readonly isInsecure: boolean },
): readonly Scheme[] {
  if (security === 'plain') return ['http:'];
  if (isOwn) return ['http:', 'https:'];
  return isInsecure ? ['https:', 'http:'] : ['https:'];
}

interface Spoken {
  readonly scheme: Scheme;
  readonly response: HttpResponse;
}

/** The first scheme that is answered in. A failure of both is that of a connection that was cut, if one was. */
async function firstThatSpeaks(
  [scheme = 'https:', other]: readonly Scheme[],
  sendBy: (scheme: Scheme) => Promise<HttpResponse>,
  signal: AbortSignal,
): Promise<Spoken> {
  let first: Spoken | undefined;
  let failure: unknown;
  try {
    first = { scheme, response: await sendBy(scheme) };
  } catch (error) {
    if (other === undefined || error instanceof TsbuildError) throw error;
    failure = error;
  }
  // To plain HTTP servers of TLS answer so, those that answer.
  const isDoubtful = first?.scheme === 'http:' && first.response.status === 400;
  if (first !== undefined && (other === undefined || !isDoubtful)) return first;
  signal.throwIfAborted();
  try {
    const response = await sendBy(other ?? scheme);
    first?.response.body.destroy();
    return { scheme: other ?? scheme, response };
  } catch (error) {
    signal.throwIfAborted();
    if (first !== undefined) {
      if (isNoTls(error)) return first;
      first.response.body.destroy();
      throw error;
    }
    throw isConnectionCut(error) && !isConnectionCut(failure) ? error : failure;
  }
}

/** What a server of plain HTTP makes of a TLS client. */
function isNoTls(error: unknown): boolean {
  return /^EPROTO$|^ERR_SSL_(?:WRONG_VERSION|PACKET_LENGTH|UNEXPECTED)/.test(connectionCode(error));
}

interface Telling {
  readonly request: RegistryRequest;
  readonly access: Access;
  /** The origin that our credentials are for. */
  readonly home: string;
  readonly isUnverified: boolean;
  readonly transport: Transport;
  readonly authorizer: Authorizer;
}

/** A token may end, or be taken back, before it arrives. */
const MAX_REFUSED_TOKENS = 2;

/** With the token we have; if that is refused, with a new one. */
async function sendAuthorized(url: URL, telling: Telling): Promise<HttpResponse> {
  const { request, access, authorizer, home } = telling;
  const { signal } = request;
  const had = await authorizer.header(access, signal);
  if (had.kind === 'busy') return had.response;
  let used = had.kind === 'header' ? had.header : undefined;
  for (let refused = used === undefined ? -1 : 0; ; refused++) {
    const response = await follow(url, used, telling);
    const isRefusal = response.status === 401 && response.url.origin === home;
    if (!isRefusal || isStream(request.body)) return response;
    if (refused === MAX_REFUSED_TOKENS || (refused >= 0 && isFinal(response))) return response;
    const answer = await authorizer.answer({ response, used }, access, signal);
    // The same password will not do the next time either.
    if (answer.kind === 'nothing' || (answer.kind === 'header' && answer.header === used)) {
      return response;
    }
    await discardBody(response.body);
    if (answer.kind === 'busy') return answer.response;
    used = answer.header;
  }
}

/** Whether the token is good, and not enough: that is who we are (RFC 6750, 3.1). */
function isFinal({ headers }: HttpResponse): boolean {
  return /error="?insufficient_scope/.test(headers['www-authenticate'] ?? '');
}

const MAX_REDIRECTS = 10;
const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

/** Follows redirects. Blobs live elsewhere, where the token has no business. */
async function follow(
  start: URL,
  authorization: string | undefined,
  { request, home, isUnverified, transport }: Telling,
): Promise<HttpResponse> {
  const { method, headers = {}, signal } = request;
  let url = start;
  for (let hops = 0; ; hops++) {
    const isHome = url.origin === home;
    const sent = authorization !== undefined && isHome ? { ...headers, authorization } : headers;
    const body = typeof request.body === 'function' ? request.body() : request.body;
    const response = await transport.send({
      ...{ method, url, headers: sent, body, signal },
      isUnverified: isUnverified && isHome,
    });
    const location = REDIRECTS.has(response.status) ? response.headers.location : undefined;
    if (location === undefined || (method !== 'GET' && method !== 'HEAD')) return response;
    await discardBody(response.body);
    if (hops === MAX_REDIRECTS) throw badRedirect(response, request);
    url = redirect(location, response, request);
  }
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

function hostOf({ registry }: Endpoint): string {
  return registry === 'docker.io' ? HUB_HOST : registry;
}

/** As a URL's own origin: without the scheme's default port, in lower case. */
function originOf(scheme: Scheme, host: string): string {
  return new URL(`${scheme}//${host}`).origin;
}

/** Hosts that docker, too, speaks plain HTTP with. */
function isLoopback(host: string): boolean {
  return /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d+)?$/.test(host);
}
