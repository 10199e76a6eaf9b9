/** HTTP/1.1 over undici, loaded at the first request: one agent, its connections kept for one build. */

import type { Readable } from 'node:stream';
import type { Dispatcher } from 'undici';
import { type Environment, proxyFor } from './proxy.ts';
import { isUntrusted, tlsOptions, type TlsSettings } from './trust.ts';

export interface HttpRequest {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | Readable | undefined;
  /** Any certificate will do. */
  readonly isUnverified?: boolean;
  readonly signal: AbortSignal;
}

export interface HttpResponse {
  readonly status: number;
  /** By lower-case name; of a repeated header the values, joined. */
  readonly headers: Readonly<Record<string, string>>;
  /** Must be read to its end or destroyed: until then its connection is taken. */
  readonly body: Readable;
  readonly url: URL;
}

/** Sends one request, without redirects, retries or credentials. Rejects with undici's errors. */
export interface Transport {
  readonly send: (request: HttpRequest) => Promise<HttpResponse>;
  /** Ends all connections; what is under way fails. */
  close(): Promise<void>;
}

export interface TransportOptions {
  /** To one host at a time. */
  readonly connections: number;
  /** Where the proxies are named; default: none. */
  readonly environment?: Environment | undefined;
  /** Milliseconds of silence, before an answer and in the middle of one. */
  readonly patience?: { readonly headers: number; readonly body: number };
  /** Certificates of a host (with its port, if it is not the scheme's); asked once for each. */
  readonly tls?: (host: string) => Promise<TlsSettings | undefined>;
}

/**
 * A registry that says nothing for a minute is gone: the largest ones answer within seconds. A body that
 * stands still for half a minute is resumed on another connection.
 */
const PATIENCE = { headers: 60_000, body: 30_000 };
const CONNECT_TIMEOUT = 10_000;

/** A transport that loads undici when first used. */
export function openTransport(options: TransportOptions): Transport {
  const dispatchers = new Map<string, Promise<Dispatcher>>();
  // The machine's authorities cost 130 ms to read: not before somebody is met whom Node does not know.
  let isWide = false;
  const once = async (sent: HttpRequest, wide: boolean): Promise<HttpResponse> => {
    const { method, url, headers, body, signal } = sent;
    const route = await routeOf(sent, wide, options);
    const key = JSON.stringify(route);
    const opening = dispatchers.get(key) ?? openDispatcher(route, options);
    dispatchers.set(key, opening);
    const [dispatcher, { default: request }] = await Promise.all([
      opening,
      import('undici/lib/api/api-request.js'),
    ]);
    signal.throwIfAborted();
    const target = { origin: url.origin, path: url.pathname + url.search };
    const response = await request.call(dispatcher, {
      ...{ ...target, method, body: body ?? null, signal },
      // Some servers refuse who does not say what he is.
      headers: { 'user-agent': 'tsbuild', ...headers },
    });
    const { statusCode: status, body: answer } = response;
    // An unread body that is cut off must not end the process.
    answer.on('error', () => undefined);
    return { status, headers: joinHeaders(response.headers), body: answer, url };
  };
  return {
    async send(request) {
      // Of several that are under way at once, each has to be asked again.
      const wasWide = isWide;
      try {
        return await once(request, wasWide);
      } catch (error) {
        const isSpent = typeof request.body === 'object' && !(request.body instanceof Uint8Array);
        if (wasWide || isSpent || !isUntrusted(error)) throw error;
        isWide = true;
        return await once(request, true);
      }
    },

    async close() {
      const opened = await Promise.allSettled(dispatchers.values());
      const open = opened.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
      await Promise.all(open.map((dispatcher) => dispatcher.destroy()));
    },
  };
}

/** What makes one request's connection another than the next one's. */
interface Route {
  readonly proxy: string | undefined;
  readonly tls: TlsSettings | undefined;
  readonly isWide: boolean;
  readonly isUnverified: boolean;
}

async function routeOf(
  { url, isUnverified = false }: HttpRequest,
  isWide: boolean,
  { environment = {}, tls }: TransportOptions,
): Promise<Route> {
  const proxy = proxyFor(url, environment)?.href;
  if (url.protocol !== 'https:')
    return { proxy, tls: undefined, isWide: false, isUnverified: false };
  return { proxy, tls: await tls?.(url.host), isWide, isUnverified };
}

async function openDispatcher(
  route: Route,
  { connections, patience = PATIENCE }: TransportOptions,
): Promise<Dispatcher> {
  const { proxy, tls: settings, ...trust } = route;
  const tls = await tlsOptions({ settings, ...trust });
  const common = {
    connections,
    // One HTTP/2 session is one TCP window for all layers.
    allowH2: false,
    headersTimeout: patience.headers,
    bodyTimeout: patience.body,
  };
  if (proxy === undefined) {
    const { default: Agent } = await import('undici/lib/dispatcher/agent.js');
    return new Agent({ ...common, connect: { timeout: CONNECT_TIMEOUT, ...tls } });
  }
  const [{ default: ProxyAgent }, { default: Pool }, { default: connect }] = await Promise.all([
    import('undici/lib/dispatcher/proxy-agent.js'),
    import('undici/lib/dispatcher/pool.js'),
    import('undici/lib/api/api-connect.js'),
  ]);
  // A proxy of https has a certificate as well; that the registry's does not count is no reason to trust it.
  const proxyTls = await tlsOptions({
    settings: undefined,
    isWide: trust.isWide,
    isUnverified: false,
  });
  return new ProxyAgent({
    // Only undici's index gives every dispatcher its methods.
    clientFactory: (origin, options) => Object.assign(new Pool(origin, options), { connect }),
    ...{ ...common, uri: proxy, requestTls: tls, proxyTls, connectTimeout: CONNECT_TIMEOUT },
  });
}

function joinHeaders(
  headers: Readonly<Record<string, string | readonly string[] | undefined>>,
): Record<string, string> {
  const joined: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined) joined[name] = typeof value === 'string' ? value : value.join(', ');
  }
  return joined;
}

/** At most `limit` bytes of a body; the rest is not waited for. */
export async function readBody(body: Readable, limit: number): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of body as AsyncIterable<Uint8Array>) {
    chunks.push(chunk);
    size += chunk.length;
    if (size >= limit) break;
  }
  return Buffer.concat(chunks).subarray(0, limit);
}

/** Frees the connection of a body that nobody wants: small ones are read, so that it can be kept. */
export async function discardBody(body: Readable): Promise<void> {
  try {
    await readBody(body, DISCARD_LIMIT);
  } catch {
    // The connection broke, which frees it too.
  }
}

const DISCARD_LIMIT = 64 * 1024;
