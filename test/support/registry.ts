/** A registry on loopback: pull, push, both logins, and faults that can be switched on. */

import { randomUUID } from 'node:crypto';
import {
  createServer,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo } from 'node:net';
import { buffer } from 'node:stream/consumers';
import { MEDIA_TYPE } from '../../src/oci/descriptor.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { blobsOf, type TestBlob, type TestImage } from './image.ts';
import { answerUpload, type UploadRequest, type Uploads } from './registry-uploads.ts';

export interface Faults {
  /** Ends the connection after this many bytes of a blob, `cuts` times. */
  cutAfter?: number;
  cuts?: number;
  /** The next answers, first to last, instead of the real ones. */
  answers?: { status: number; headers?: Record<string, string>; body?: string }[];
  /** Blobs have their last byte changed. */
  wrongBytes?: boolean;
  /** The digest that it says a manifest has. */
  claim?: string;
  /** Blobs are sent whole, whatever range is asked for. */
  ignoreRange?: boolean;
  /** Blobs are redirected to another origin: the same server under its other name. */
  redirect?: boolean;
  /** Holds blobs of at least this many bytes back for ever after the first byte; true: all. */
  stall?: boolean | number;
}

export interface RegistryOptions {
  readonly auth?: 'none' | 'basic' | 'bearer';
  readonly user?: string;
  readonly password?: string;
  /** A repository has no blobs but those that were pushed to it, or mounted. */
  readonly separate?: boolean;
  /** In seconds, of bearer tokens. */
  readonly lifetime?: number;
}

export interface TestRegistry {
  /** Host and port. */
  readonly host: string;
  readonly faults: Faults;
  /** What was asked for: `GET /v2/…`, then a space and `+auth` if it came with credentials. */
  readonly log: string[];
  /** The same with all that came along. */
  readonly requests: {
    readonly method: string;
    readonly url: string;
    readonly headers: IncomingHttpHeaders;
  }[];
  /** How many connections were ever made. */
  connections(): number;
  /** No token that was given out is good any more. */
  revokeTokens(): void;
  readonly blobs: Map<string, Uint8Array>;
  /** Repositories that blobs were pushed to, by digest; of `separate` ones alone. */
  readonly holders: Map<string, Set<string>>;
  readonly uploads: Uploads;
  /** By `repository:tag` and `repository@digest`. */
  readonly manifests: Map<string, TestBlob>;
  /** Adds an image under a tag. */
  add(repository: string, tag: string, image: TestImage): void;
  /** Adds an index and its images under a tag. */
  addIndex(repository: string, tag: string, index: TestBlob, images: readonly TestImage[]): void;
  close(): Promise<void>;
}

/** Identity tokens that the token endpoint takes. */
export const REFRESH_TOKEN = 'refresh-me';

/** Starts a registry. The test has to close it. */
export async function startRegistry(options: RegistryOptions = {}): Promise<TestRegistry> {
  const tokens = new Map<string, { scope: string; until: number }>();
  const server = createServer((request, response) => {
    const state: State = { registry, options, tokens };
    handle(request, response, state).catch((error: unknown) => response.destroy(error as Error));
  });
  let connections = 0;
  server.on('connection', () => connections++);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const registry: TestRegistry = {
    host: `127.0.0.1:${port}`,
    faults: {},
    log: [],
    requests: [],
    connections: () => connections,
    revokeTokens: () => tokens.clear(),
    blobs: new Map(),
    holders: new Map(),
    uploads: { open: new Map() },
    manifests: new Map(),
    add(repository, tag, image) {
      for (const { descriptor, bytes } of blobsOf(image)) {
        registry.blobs.set(descriptor.digest, bytes);
      }
      addManifest(registry, repository, tag, image.manifest);
    },
    addIndex(repository, tag, index, images) {
      for (const image of images) registry.add(repository, image.manifest.descriptor.digest, image);
      addManifest(registry, repository, tag, index);
    },
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return registry;
}

function addManifest(
  registry: TestRegistry,
  repository: string,
  tag: string,
  manifest: TestBlob,
): void {
  registry.manifests.set(`${repository}@${manifest.descriptor.digest}`, manifest);
  if (!tag.includes(':')) registry.manifests.set(`${repository}:${tag}`, manifest);
}

interface State {
  readonly registry: TestRegistry;
  readonly options: RegistryOptions;
  readonly tokens: Map<string, { scope: string; until: number }>;
}

async function handle(
  request: IncomingMessage,
  response: ServerResponse,
  state: State,
): Promise<void> {
  const { registry } = state;
  const url = new URL(request.url ?? '/', `http://${registry.host}`);
  const mark = request.headers.authorization === undefined ? '' : ' +auth';
  registry.log.push(`${request.method} ${url.pathname}${mark}`);
  const { method = '', url: asked = '', headers } = request;
  registry.requests.push({ method, url: asked, headers });
  if (url.pathname === '/token') return issueToken(request, response, url, state);
  if (url.pathname.startsWith('/storage/')) {
    return sendBlob(
      request,
      response,
      `sha256:${url.pathname.slice('/storage/'.length)}`,
      registry,
    );
  }
  const fault = registry.faults.answers?.shift();
  if (fault !== undefined) {
    response.writeHead(fault.status, fault.headers).end(fault.body);
    return;
  }
  const match = /^\/v2\/(.+)\/(manifests|blobs)\/(.+)$/.exec(url.pathname);
  if (match === null) return sendError(response, 404, 'NAME_UNKNOWN');
  const [, repository = '', kind, name = ''] = match;
  // Uploads that go on under the other name are let in by their address.
  const isElsewhere = headers.host?.startsWith('localhost:') === true;
  if (!isElsewhere && !isAllowed(request, repository, state))
    return refuse(response, repository, request, state);
  if (kind === 'manifests')
    return handleManifest(request, response, { repository, name, registry });
  if (name.startsWith('uploads/')) {
    const upload = { url, repository, uploads: registry.uploads, ...blobStoreOf(state) };
    return await answerUpload(request, response, upload);
  }
  if (!blobStoreOf(state).has(name, repository)) return sendError(response, 404, 'BLOB_UNKNOWN');
  if (registry.faults.redirect) {
    const port = registry.host.split(':')[1];
    const location = `http://localhost:${port}/storage/${name.slice('sha256:'.length)}?signature=hush`;
    response.writeHead(307, { location }).end();
    return;
  }
  sendBlob(request, response, name, registry);
}

async function handleManifest(
  request: IncomingMessage,
  response: ServerResponse,
  { repository, name, registry }: { repository: string; name: string; registry: TestRegistry },
): Promise<void> {
  if (request.method === 'PUT') {
    const bytes = await buffer(request);
    const mediaType = request.headers['content-type'] ?? MEDIA_TYPE.manifest;
    const descriptor = { mediaType, digest: digestOf(bytes), size: bytes.length };
    addManifest(registry, repository, name, { descriptor, bytes });
    const told = registry.faults.claim ?? descriptor.digest;
    response.writeHead(201, { 'docker-content-digest': told }).end();
    return;
  }
  const separator = name.includes(':') ? '@' : ':';
  const manifest = registry.manifests.get(`${repository}${separator}${name}`);
  if (manifest === undefined) return sendError(response, 404, 'MANIFEST_UNKNOWN');
  const { mediaType, digest, size } = manifest.descriptor;
  const headers = {
    'content-type': mediaType,
    'content-length': size,
    'docker-content-digest': digest,
  };
  response.writeHead(200, headers).end(request.method === 'HEAD' ? undefined : manifest.bytes);
}

function sendBlob(
  request: IncomingMessage,
  response: ServerResponse,
  digest: string,
  { blobs, faults }: TestRegistry,
): void {
  const stored = blobs.get(digest);
  if (stored === undefined) return sendError(response, 404, 'BLOB_UNKNOWN');
  const bytes = Buffer.from(stored);
  if (faults.wrongBytes) bytes[bytes.length - 1] = ~(bytes.at(-1) ?? 0) & 0xff;
  const range = faults.ignoreRange ? null : /^bytes=(\d+)-$/.exec(request.headers.range ?? '');
  const start = Number(range?.[1] ?? 0);
  const body = bytes.subarray(start);
  response.writeHead(range ? 206 : 200, {
    'content-type': 'application/octet-stream',
    'content-length': body.length,
    ...(range && { 'content-range': `bytes ${start}-${bytes.length - 1}/${bytes.length}` }),
  });
  if (request.method === 'HEAD') return void response.end();
  if (faults.stall && bytes.length >= Number(faults.stall))
    return void response.write(body.subarray(0, 1));
  if (faults.cutAfter !== undefined && (faults.cuts ?? 0) > 0) {
    faults.cuts = (faults.cuts ?? 0) - 1;
    response.write(body.subarray(0, faults.cutAfter), () => response.socket?.resetAndDestroy());
    return;
  }
  response.end(body);
}

/** A blob is there for whoever asks, unless repositories are separate. */
function blobStoreOf({ registry, options }: State): Pick<UploadRequest, 'has' | 'put'> {
  const { blobs, holders } = registry;
  return {
    has: (digest, repository) =>
      options.separate ? holders.get(digest)?.has(repository) === true : blobs.has(digest),
    put(digest, bytes, repository) {
      if (!blobs.has(digest)) blobs.set(digest, bytes);
      holders.set(digest, (holders.get(digest) ?? new Set()).add(repository));
    },
  };
}

function isAllowed(request: IncomingMessage, repository: string, state: State): boolean {
  const { auth = 'none' } = state.options;
  const { authorization = '' } = request.headers;
  if (auth === 'none') return true;
  if (auth === 'basic') return authorization === expectedBasic(state.options);
  const token = state.tokens.get(authorization.replace(/^Bearer /, ''));
  const isRead = request.method === 'GET' || request.method === 'HEAD';
  const wanted = new RegExp(`(?:^| )repository:${repository}:${isRead ? 'pull' : 'pull,push'}`);
  return token !== undefined && token.until > Date.now() && wanted.test(token.scope);
}

function refuse(
  response: ServerResponse,
  repository: string,
  request: IncomingMessage,
  { registry, options }: State,
): void {
  const isRead = request.method === 'GET' || request.method === 'HEAD';
  const scope = `repository:${repository}:${isRead ? 'pull' : 'pull,push'}`;
  const challenge =
    options.auth === 'basic'
      ? 'Basic realm="test"'
      : `Bearer realm="http://${registry.host}/token",service="test",scope="${scope}"`;
  response.setHeader('www-authenticate', challenge);
  sendError(response, 401, 'UNAUTHORIZED');
}

async function issueToken(
  request: IncomingMessage,
  response: ServerResponse,
  url: URL,
  { options, tokens }: State,
): Promise<void> {
  const form = new URLSearchParams((await buffer(request)).toString());
  const isRefresh = request.method === 'POST' && form.get('refresh_token') === REFRESH_TOKEN;
  const isKnown = request.headers.authorization === expectedBasic(options);
  if (options.user !== undefined && !isRefresh && !isKnown) {
    return sendError(response, 401, 'UNAUTHORIZED');
  }
  const { lifetime = 300 } = options;
  const token = randomUUID();
  const scope = (request.method === 'POST' ? form : url.searchParams).getAll('scope').join(' ');
  tokens.set(token, { scope, until: Date.now() + lifetime * 1000 });
  const key = request.method === 'POST' ? 'access_token' : 'token';
  response.end(JSON.stringify({ [key]: token, expires_in: lifetime }));
}

function expectedBasic({ user = '', password = '' }: RegistryOptions): string {
  return `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
}

function sendError(response: ServerResponse, status: number, code: string): void {
  const body = JSON.stringify({ errors: [{ code, message: `no luck: ${code.toLowerCase()}` }] });
  response.writeHead(status, { 'content-type': 'application/json' }).end(body);
}
