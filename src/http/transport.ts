/** HTTP/1.1 over undici, loaded at the first request: one agent, its connections kept for one build. */

import type { Readable } from 'node:stream';
import type { Agent, Dispatcher } from 'undici';

export interface HttpRequest {
  readonly method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | Readable | undefined;
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
}

/** A registry that says nothing for a minute is gone: the largest ones answer within seconds. */
const HEADERS_TIMEOUT = 60_000;
/** A body that stands still this long is resumed on another connection. */
const BODY_TIMEOUT = 30_000;
const CONNECT_TIMEOUT = 10_000;

/** A transport that loads undici when first used. */
export function openTransport(options: TransportOptions): Transport {
  let loading: Promise<Loaded> | undefined;
  return {
    async send({ method, url, headers, body, signal }) {
      loading ??= load(options);
      const { agent, request } = await loading;
      signal.throwIfAborted();
      const response = await request.call(agent, {
        origin: url.origin,
        path: url.pathname + url.search,
        method,
        headers,
        body: body ?? null,
        signal,
      });
      const { statusCode: status, body: answer } = response;
      // An unread body that is cut off must not end the process.
      answer.on('error', () => undefined);
      return { status, headers: joinHeaders(response.headers), body: answer, url };
    },

    async close() {
      const loaded = await loading?.catch(() => undefined);
      await loaded?.agent.destroy();
    },
  };
}

interface Loaded {
  readonly agent: Agent;
  readonly request: (
    this: Dispatcher,
    options: Dispatcher.RequestOptions,
  ) => Promise<Dispatcher.ResponseData>;
}

async function load({ connections }: TransportOptions): Promise<Loaded> {
  const [{ default: Agent }, { default: request }] = await Promise.all([
    import('undici/lib/dispatcher/agent.js'),
    import('undici/lib/api/api-request.js'),
  ]);
  const agent = new Agent({
    connections,
    // One HTTP/2 session is one TCP window for all layers.
    allowH2: false,
    headersTimeout: HEADERS_TIMEOUT,
    bodyTimeout: BODY_TIMEOUT,
    connect: { timeout: CONNECT_TIMEOUT },
  });
  return { agent, request };
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
