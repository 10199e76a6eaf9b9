/** Files from the network (CP-23, CTX-5): to disk, hashed on the way; asked again when the network fails. */

import { createHash } from 'node:crypto';
import { type FileHandle, open, rm } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { TsbuildError } from '../errors.ts';
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
  /** Milliseconds to wait before each further attempt. */
  readonly delays?: readonly number[];
}

const DELAYS = [300, 1500];

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
  const { signal, delays = DELAYS } = options;
  const request = requestOf(url, options);
  const file = await open(to, 'wx');
  let result: DownloadResult | undefined;
  try {
    for (let attempt = 0; ; attempt++) {
      const outcome = await tryOnce(request, file, signal);
      signal.throwIfAborted();
      switch (outcome.kind) {
        case 'done':
          result = outcome.result;
          return result;
        case 'unchanged':
          return undefined;
        case 'failed': {
          const delay = outcome.isTransient ? delays[attempt] : undefined;
          if (delay === undefined)
            throw failed(url, { ...outcome, tried: request.tried }, attempt + 1);
          await sleep(delay, undefined, { signal }).catch(() => signal.throwIfAborted());
        }
      }
    }
  } finally {
    await file.close();
    if (result === undefined) await rm(to, { force: true });
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

/** fetch takes no user and password in an address. Like BuildKit's, the server may compress with gzip. */
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
  | ({ readonly kind: 'failed'; readonly isTransient: boolean } & Failure);

async function tryOnce(
  { address, headers, isConditional }: Request,
  file: FileHandle,
  signal: AbortSignal,
): Promise<Outcome> {
  try {
    // A signal of its own: fetch lets go of its listener only when the garbage collector comes.
    const response = await fetch(address, { headers, signal: AbortSignal.any([signal]) });
    const { status } = response;
    if (!response.ok) {
      await response.body?.cancel();
      // Of a server that answers so unasked, there is nothing at hand.
      if (status === 304 && isConditional) return { kind: 'unchanged' };
      const why = `the server answered ${status}`;
      return { kind: 'failed', why, status, isTransient: TRANSIENT.includes(status) };
    }
    return { kind: 'done', result: await receive(response, file) };
  } catch (error) {
    if (error instanceof WriteError) {
      const why = `it cannot be written to disk: ${error.message}`;
      return { kind: 'failed', why, status: undefined, cause: error.cause, isTransient: false };
    }
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    const why = cause instanceof Error && cause.message !== '' ? cause.message : NO_CONNECTION;
    return { kind: 'failed', why, status: undefined, cause: error, isTransient: true };
  }
}

const NO_CONNECTION = 'the connection failed';

/** This machine's fault, not the network's. */
class WriteError extends Error {}

async function receive(response: Response, file: FileHandle): Promise<DownloadResult> {
  const hash = createHash('sha256');
  let size = 0;
  // What an earlier attempt has left.
  await file.truncate(0);
  for await (const chunk of response.body ?? []) {
    hash.update(chunk);
    await writeAll(file, chunk, size);
    size += chunk.length;
  }
  const { headers } = response;
  const etag = headers.get('etag') ?? undefined;
  const lastModified = headers.get('last-modified') ?? undefined;
  const modified = Date.parse(lastModified ?? '');
  return {
    sha256: hash.digest('hex'),
    size,
    mtime: Number.isNaN(modified) ? 0 : Math.floor(modified / 1000),
    validators: {
      ...(etag !== undefined && { etag }),
      ...(lastModified !== undefined && isSettled(headers, modified) && { lastModified }),
    },
  };
}

/** Times have no fractions: a file that has just changed may change again and keep its time (RFC 9110 8.8.2.2). */
function isSettled(headers: Headers, modified: number): boolean {
  return Date.parse(headers.get('date') ?? '') - modified >= 60_000;
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
