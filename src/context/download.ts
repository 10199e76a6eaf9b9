/** Files from the network (CP-23, CTX-5): to disk, hashed on the way; asked again when the network fails. */

import { createHash, type Hash } from 'node:crypto';
import { type FileHandle, open, rm } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { TsbuildError } from '../errors.ts';
import { retryAfter } from '../http/retry.ts';
import { openTransport, type Transport } from '../http/transport.ts';
import { type HttpFile, httpGet } from './http-get.ts';
import { credentialsOf, redactUrl, type Secrets } from './url-credentials.ts';

export interface DownloadResult {
  /** Hexadecimal. */
  readonly sha256: string;
  readonly size: number;
  /** Seconds since the Unix epoch, from Last-Modified; 0 without one (CP-23). */
  readonly mtime: number;
  /** What the server has to be told to learn whether the file is still this one. */
  readonly validators: Validators;
}

/** Headers of an answer; both absent when the server gives none. */
export interface Validators {
  readonly etag?: string;
  readonly lastModified?: string;
}

export interface DownloadOptions {
  readonly signal: AbortSignal;
  /** `HTTP_AUTH_TOKEN_<host>` and `HTTP_AUTH_HEADER_<host>` are looked up here (CP-26). */
  readonly secrets?: Secrets;
  /** Of a copy that is at hand: the server may answer that it is still right. */
  readonly known?: Validators;
  /** Milliseconds to wait before each further attempt; a server may want more. */
  readonly delays?: readonly number[];
  /** Whose connections; default: some for this file alone. */
  readonly transport?: Transport | undefined;
}

const DELAYS = [300, 1500, 5000];
/** Milliseconds. A server that wants us to wait longer is as good as down. */
const MAX_WAIT = 5 * 60_000;

/** Answers after which another attempt may go well. */
const TRANSIENT = [408, 425, 429, 500, 502, 503, 504];

/**
 * Fetches a file to a path that does not exist yet; after a failure it does not. Undefined, and no
 * file, when the copy at hand (`known`) is still right. @throws ERR_DOWNLOAD_FAILED
 */
export async function download(
  url: string,
  to: string,
  options: DownloadOptions,
): Promise<DownloadResult | undefined> {
  const request = requestOf(url, options);
  const file = await open(to, 'wx');
  const transport = options.transport ?? openTransport({ connections: 1 });
  let result: DownloadResult | undefined;
  try {
    result = await tryOften(url, { request, file, transport }, options);
    return result;
  } finally {
    if (options.transport === undefined) await transport.close();
    await file.close();
    if (result === undefined) await rm(to, { force: true });
  }
}

interface Work {
  readonly request: Request;
  readonly file: FileHandle;
  readonly transport: Transport;
}

/** Undefined when the copy at hand is still right. */
async function tryOften(
  url: string,
  work: Work,
  { signal, delays = DELAYS }: DownloadOptions,
): Promise<DownloadResult | undefined> {
  let partial: Partial | undefined;
  for (let attempt = 0; ; attempt++) {
    const outcome = await tryOnce(work, partial, signal);
    signal.throwIfAborted();
    switch (outcome.kind) {
      case 'done':
        return outcome.result;
      case 'unchanged':
        return undefined;
      case 'failed': {
        const delay = outcome.isTransient ? delays[attempt] : undefined;
        const wait = Math.max(delay ?? 0, outcome.wait ?? 0);
        if (delay === undefined || wait > MAX_WAIT) {
          throw failed(url, { ...outcome, tried: work.request.tried }, attempt + 1);
        }
        partial = outcome.partial;
        await sleep(wait, undefined, { signal }).catch(() => signal.throwIfAborted());
      }
    }
  }
}

interface Request {
  readonly address: URL;
  /** Who it says that it is from. */
  readonly tried: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Whether it names the copy that is at hand. */
  readonly isConditional: boolean;
}

/** The user and password of an address become a header. As BuildKit's, the server may compress with gzip. */
function requestOf(url: string, { secrets, known }: DownloadOptions): Request {
  const address = parse(url);
  const { authorization, tried } = credentialsOf(address, secrets);
  const validator = validatorOf(known);
  address.username = '';
  address.password = '';
  return {
    address,
    tried,
    headers: {
      'accept-encoding': 'gzip',
      ...(authorization !== undefined && { authorization }),
      ...validator,
    },
    isConditional: Object.keys(validator).length > 0,
  };
}

/** The better one alone: some servers are content when either is right. */
function validatorOf(known: Validators | undefined): Readonly<Record<string, string>> {
  if (known?.etag !== undefined) return { 'if-none-match': known.etag };
  return known?.lastModified === undefined ? {} : { 'if-modified-since': known.lastModified };
}

function parse(url: string): URL {
  try {
    return new URL(url);
  } catch (cause) {
    throw failed(url, { why: 'it is no valid address', status: undefined, cause }, 1);
  }
}

interface Failure {
  readonly why: string;
  readonly status: number | undefined;
  readonly cause?: unknown;
  readonly tried?: string;
}

type Outcome =
  | { readonly kind: 'done'; readonly result: DownloadResult }
  | { readonly kind: 'unchanged' }
  | ({
      readonly kind: 'failed';
      readonly isTransient: boolean;
      /** Milliseconds that the server wants us to wait. */
      readonly wait?: number;
      readonly partial?: Partial | undefined;
    } & Failure);

/** The beginning of a file that was cut off, which its server can go on with. */
interface Partial {
  readonly etag: string;
  readonly hash: Hash;
  readonly size: number;
}

async function tryOnce(
  { request: { address, headers, isConditional }, file, transport }: Work,
  partial: Partial | undefined,
  signal: AbortSignal,
): Promise<Outcome> {
  const received: Received = { hash: createHash('sha256'), size: 0, etag: undefined };
  try {
    const asked = { ...headers, ...rangeOf(partial) };
    const response = await httpGet(transport, { address, headers: asked, signal });
    const { status } = response;
    if (status < 200 || status >= 300) {
      response.body.destroy();
      // Of a server that answers so unasked, there is nothing at hand.
      if (status === 304 && isConditional) return { kind: 'unchanged' };
      const why = `the server answered ${status}`;
      const wait = retryAfter(response.headers['retry-after']);
      const isTransient = TRANSIENT.includes(status) || (status === 416 && partial !== undefined);
      return { kind: 'failed', why, status, isTransient, wait };
    }
    if (partial !== undefined && goesOn(response, partial)) Object.assign(received, partial);
    return { kind: 'done', result: await receive(response, file, received) };
  } catch (error) {
    if (error instanceof WriteError) {
      const why = `it cannot be written to disk: ${error.message}`;
      return { kind: 'failed', why, status: undefined, cause: error.cause, isTransient: false };
    }
    const why = error instanceof Error && error.message !== '' ? error.message : NO_CONNECTION;
    const { etag, hash, size } = received;
    const kept = etag === undefined || size === 0 ? undefined : { etag, hash, size };
    return {
      kind: 'failed',
      why,
      status: undefined,
      cause: error,
      isTransient: true,
      partial: kept,
    };
  }
}

const NO_CONNECTION = 'the connection failed';

/** The rest, or all of it if it is another file by now. */
function rangeOf(partial: Partial | undefined): Readonly<Record<string, string>> {
  if (partial === undefined) return {};
  const { size, etag } = partial;
  return { range: `bytes=${size}-`, 'if-range': etag, 'accept-encoding': 'identity' };
}

function goesOn({ status, headers, isPlain }: HttpFile, { size, etag }: Partial): boolean {
  const start = /^bytes (\d+)-/.exec(headers['content-range'] ?? '')?.[1];
  return status === 206 && isPlain && Number(start) === size && headers['etag'] === etag;
}

/** This machine's fault, not the network's. */
class WriteError extends Error {}

/** How far it has come; what is left of it when the connection breaks. */
interface Received {
  hash: Hash;
  size: number;
  /** Of bytes that can be asked for by their place. */
  etag: string | undefined;
}

async function receive(
  { headers, body, isPlain }: HttpFile,
  file: FileHandle,
  received: Received,
): Promise<DownloadResult> {
  const etag = headers['etag'];
  // What an earlier attempt has left.
  await file.truncate(received.size);
  received.etag = isPlain && etag?.startsWith('"') === true ? etag : undefined;
  for await (const chunk of body as AsyncIterable<Uint8Array>) {
    await writeAll(file, chunk, received.size);
    received.hash.update(chunk);
    received.size += chunk.length;
  }
  const lastModified = headers['last-modified'];
  const modified = Date.parse(lastModified ?? '');
  return {
    sha256: received.hash.digest('hex'),
    size: received.size,
    mtime: Number.isNaN(modified) ? 0 : Math.floor(modified / 1000),
    validators: {
      ...(etag !== undefined && { etag }),
      ...(lastModified !== undefined && isSettled(headers, modified) && { lastModified }),
    },
  };
}

/** Times have no fractions: a file that has just changed may change again and keep its time (RFC 9110 8.8.2.2). */
function isSettled(headers: HttpFile['headers'], modified: number): boolean {
  return Date.parse(headers['date'] ?? '') - modified >= 60_000;
}

async function writeAll(file: FileHandle, chunk: Uint8Array, position: number): Promise<void> {
  try {
    for (let written = 0; written < chunk.length; ) {
      const rest = chunk.length - written;
      const { bytesWritten } = await file.write(chunk, written, rest, position + written);
      written += bytesWritten;
    }
  } catch (cause) {
    throw new WriteError(cause instanceof Error ? cause.message : 'the disk failed', { cause });
  }
}

function failed(
  url: string,
  { why, status, cause, tried }: Failure,
  attempts: number,
): TsbuildError {
  const shown = redactUrl(url);
  const often = attempts === 1 ? '' : ` (tried ${attempts} times)`;
  // Some servers do not tell strangers what there is.
  const isRefusal = status === 401 || status === 403 || status === 404;
  return new TsbuildError('ERR_DOWNLOAD_FAILED', {
    message: `Cannot download "${shown}": ${why}${often}`,
    details: { url: shown, status },
    hint: isRefusal ? tried : undefined,
    cause,
  });
}
