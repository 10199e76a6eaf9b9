/**
 * A bad network before a good registry: a proxy on loopback that spoils answers, by a seed. Faults never
 * come more often in a row than a client is meant to bear, and end when they are used up.
 */

import { createServer, request as ask, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { setImmediate as turn } from 'node:timers/promises';
import type { TestRegistry } from './registry.ts';

export interface FaultyRegistry {
  /** Host and port. */
  readonly host: string;
  /** What was spoiled, and how: `cut GET /v2/app/blobs/sha256:…` */
  readonly injected: readonly string[];
  /** What came to the other host: `Authorization` headers among it are a leak. */
  readonly elsewhere: readonly { readonly path: string; readonly authorization?: string }[];
  close(): Promise<void>;
}

export interface FaultOptions {
  readonly seed: number;
  /** Faults, all in all; Infinity never ends. */
  readonly faults: number;
  /** Of these kinds alone. */
  readonly kinds?: readonly string[];
  /** Further kinds, by name. */
  readonly more?: Readonly<Record<string, Fault>>;
}

/** Starts one before `registry`. The test has to close it. */
export async function startFaultyRegistry(
  registry: TestRegistry,
  { seed, faults, kinds, more = {} }: FaultOptions,
): Promise<FaultyRegistry> {
  const random = mulberry(seed);
  const known: Readonly<Record<string, Fault>> = { ...FAULTS, ...more };
  const injected: string[] = [];
  const elsewhere: { path: string; authorization?: string }[] = [];
  const rows = new Map<string, number>();
  let host = '';
  const server = createServer((request, response) => {
    // What breaks here breaks for the client: its tries are what is tested.
    serve(request, response).catch(() => response.destroy());
  });

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { method = 'GET', url = '/' } = request;
    if (request.headers.host?.startsWith('localhost') === true) {
      const { authorization } = request.headers;
      elsewhere.push({ path: url, ...(authorization !== undefined && { authorization }) });
    }
    const what = `${method} ${url.replace(/\?.*/, '')}`;
    const fault = choose(what);
    const exchange: Exchange = { request, response, registry, host, random };
    if (fault === undefined) {
      const answer = await forward(exchange);
      // A 401 is half of an answer, and uploads of several blobs begin with the same request.
      if (answer.status !== 401 && method !== 'POST') rows.delete(what);
      return await send(response, answer);
    }
    await known[fault]?.spoil(exchange);
  }

  function choose(what: string): string | undefined {
    const row = rows.get(what) ?? 0;
    const isOver = injected.length >= faults || row >= MAX_ROW || random() < 0.5;
    const times = (name: string) => injected.filter((line) => line.startsWith(`${name} `)).length;
    const fit = Object.entries(known).flatMap(([name, { fits, most = Infinity }]) =>
      fits.test(what) && (kinds?.includes(name) ?? true) && times(name) < most ? [name] : [],
    );
    const name = isOver ? undefined : fit[Math.floor(random() * fit.length)];
    if (name === undefined) return undefined;
    rows.set(what, row + 1);
    injected.push(`${name} ${what}`);
    return name;
  }

  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    host,
    injected,
    elsewhere,
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Damage is borne twice, a refusal twice; a request and its token together five faults. */
const MAX_ROW = 2;

export interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly registry: TestRegistry;
  readonly host: string;
  /** From 0 up to 1. */
  readonly random: () => number;
}

export interface Fault {
  /** `METHOD /path` of requests that it can befall. */
  readonly fits: RegExp;
  /** How often in all, for one that others than the request notice. */
  readonly most?: number;
  spoil(exchange: Exchange): Promise<void>;
}

export interface Answer {
  readonly status: number;
  readonly headers: Record<string, string | readonly string[]>;
  readonly body: Buffer;
}

const BODIES = /^GET \/v2\/.*\/(?:blobs|manifests)\//;
const BODIES_AND_TOKENS = /^GET \/(?:v2\/.*\/(?:blobs|manifests)\/|token)/;
const BLOBS = /^GET \/v2\/.*\/blobs\/sha256:/;
const MANIFESTS = /^GET \/v2\/.*\/manifests\//;

/** By name. Those of answers are here; uploads have their own. */
const FAULTS: Readonly<Record<string, Fault>> = {
  broken: {
    fits: /./,
    spoil: ({ request, response, random }) => {
      const status = [500, 502, 503, 504][Math.floor(random() * 4)] ?? 500;
      return refuse(request, response, { status });
    },
  },
  busy: {
    fits: /./,
    spoil: ({ request, response, random }) => {
      const after = random() < 0.5 ? '0' : new Date(Date.now() - 1000).toUTCString();
      return refuse(request, response, { status: 429, headers: { 'retry-after': after } });
    },
  },
  refused: {
    fits: /^\w+ \/v2\//,
    // Every request under way loses its token, and a client bears two refusals of one request.
    most: 2,
    spoil: async (exchange) => {
      exchange.registry.revokeTokens();
      await send(exchange.response, await forward(exchange));
    },
  },
  unheard: {
    fits: /./,
    spoil: async ({ request }) => void request.socket.resetAndDestroy(),
  },
  cut: {
    fits: BODIES_AND_TOKENS,
    spoil: async (exchange) => {
      const answer = await forward(exchange);
      await sendPart(exchange, answer);
      exchange.response.socket?.resetAndDestroy();
    },
  },
  ended: {
    fits: BODIES_AND_TOKENS,
    spoil: async (exchange) => {
      await sendPart(exchange, await forward(exchange));
      exchange.response.socket?.end();
    },
  },
  slow: {
    fits: BODIES_AND_TOKENS,
    spoil: async ({ response, ...exchange }) => {
      const { status, headers, body } = await forward({ response, ...exchange });
      response.writeHead(status, headers as Record<string, string>);
      const step = Math.ceil(body.length / 8) || 1;
      for (let at = 0; at < body.length; at += step) {
        response.write(body.subarray(at, at + step));
        await turn();
      }
      response.end();
    },
  },
  damaged: {
    fits: BODIES,
    spoil: async (exchange) => {
      const answer = await forward(exchange);
      const body = Buffer.from(answer.body);
      const at = Math.floor(exchange.random() * body.length);
      if (answer.status < 300) body[at] = (body[at] ?? 0) ^ 0x80;
      await send(exchange.response, { ...answer, body });
    },
  },
  shorter: {
    fits: BODIES,
    spoil: (exchange) => sendOther(exchange, (body) => body.subarray(0, body.length / 2)),
  },
  longer: {
    fits: BLOBS,
    spoil: (exchange) => sendOther(exchange, (body) => Buffer.concat([body, body])),
  },
  huge: {
    fits: MANIFESTS,
    spoil: (exchange) => sendOther(exchange, () => Buffer.alloc(5 * 1024 * 1024, ' ')),
  },
  lying: {
    fits: BODIES,
    spoil: async ({ response, ...exchange }) => {
      const { status, headers, body } = await forward({ response, ...exchange });
      const length = String(body.length + (exchange.random() < 0.5 ? 10 : -10));
      const head = Object.entries({ ...headers, 'content-length': length });
      const lines = head.map(([name, value]) => `${name}: ${value}\r\n`);
      response.socket?.end(
        Buffer.concat([Buffer.from(`HTTP/1.1 ${status} Lying\r\n${lines.join('')}\r\n`), body]),
      );
    },
  },
  elsewhere: {
    fits: BLOBS,
    spoil: async ({ request, response, host }) => {
      const location = `http://localhost:${host.split(':')[1]}/storage/${request.url?.split('sha256:')[1]}`;
      response.writeHead(307, { location: `${location}?signature=hush` }).end();
    },
  },
};

async function refuse(
  request: IncomingMessage,
  response: ServerResponse,
  { status, headers = {} }: { status: number; headers?: Record<string, string> },
): Promise<void> {
  await buffer(request);
  response.writeHead(status, headers).end(JSON.stringify({ errors: [{ code: 'FAULT' }] }));
}

async function sendPart({ response, random }: Exchange, answer: Answer): Promise<void> {
  const { status, headers, body } = answer;
  response.writeHead(status, headers as Record<string, string>);
  const part = body.subarray(0, Math.floor(random() * body.length));
  await new Promise((resolve) => response.write(part.length === 0 ? ' '.slice(1) : part, resolve));
}

async function sendOther(exchange: Exchange, change: (body: Buffer) => Buffer): Promise<void> {
  const answer = await forward(exchange);
  const body = answer.status < 300 ? change(answer.body) : answer.body;
  await send(exchange.response, { ...answer, body });
}

/** Passes an answer on. */
export async function send(
  response: ServerResponse,
  { status, headers, body }: Answer,
): Promise<void> {
  const isHead = response.req.method === 'HEAD';
  const length = isHead ? {} : { 'content-length': String(body.length) };
  response.writeHead(status, { ...headers, ...length } as Record<string, string>).end(body);
}

const HOP_BY_HOP = ['connection', 'keep-alive', 'transfer-encoding'];

/** What the registry answers, whole, with its own address replaced by ours. */
export async function forward(
  { request, registry, host }: Exchange,
  change?: (body: Buffer) => Buffer,
): Promise<Answer> {
  const sent = await buffer(request);
  const body = change?.(sent) ?? sent;
  const { method, url: path } = request;
  const headers = { ...request.headers, ...(change && { 'content-length': String(body.length) }) };
  const [hostname, port] = registry.host.split(':');
  return await new Promise((resolve, reject) => {
    const asked = ask({ hostname, port, method, path, headers, agent: false }, (answer) => {
      buffer(answer).then((bytes) => {
        const own = Object.entries(answer.headers).flatMap(([name, value]) =>
          value === undefined || HOP_BY_HOP.includes(name)
            ? []
            : [[name, String(value).replaceAll(registry.host, host)] as const],
        );
        resolve({
          status: answer.statusCode ?? 500,
          headers: Object.fromEntries(own),
          body: bytes,
        });
      }, reject);
    });
    asked.on('error', reject).end(body);
  });
}

/** The same numbers for the same seed. */
function mulberry(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
