/**
 * A blob's bytes into an upload of a registry: small ones at once, large ones as a stream that goes on
 * where it was cut off.
 *
 * https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#pushing-blobs
 */

import { createReadStream, type ReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { hasCode, type TsbuildError } from '../errors.ts';
import { isBusy, isConnectionCut, type RetryBudget } from '../http/retry.ts';
import { discardBody, type HttpResponse } from '../http/transport.ts';
import type { Digest } from '../oci/digest.ts';
import { answerFailure } from './failures.ts';
import { askedOf, checkDigest, type PushTarget, sendPush, uploadAddress } from './push-request.ts';

/** A blob in a file that nobody changes. */
export interface BlobFile {
  readonly digest: Digest;
  readonly size: number;
  readonly path: string;
  /** The repository (`registry/repository`) that it came from: from there it may be mounted. */
  readonly origin?: string | undefined;
  /** Brings the file if it is not there yet: only what must be uploaded is needed. */
  readonly fetch?: ((signal: AbortSignal) => Promise<void>) | undefined;
}

const READ_BUFFER = 1024 * 1024;

/** An upload that the registry has opened. */
export interface Upload {
  readonly blob: BlobFile;
  readonly target: PushTarget;
  /** Of everything that is done to get this blob there. */
  readonly budget: RetryBudget;
  /** The registry's own origin: an upload may be elsewhere, behind an address that is good for a while. */
  readonly home: string;
  /** Bytes that a part must have, unless it is the last (OCI-Chunk-Min-Length). */
  readonly least: number;
  /** Where it goes on. Each answer may say another place. */
  location: URL;
}

interface Progress {
  /** Bytes that the registry has. */
  offset: number;
  /** Bytes that were ever sent: it cannot have more. */
  sent: number;
  /** Bytes in one request, at most. */
  part: number;
}

/**
 * Sends the file. Answers a failure when the registry does not know the upload any more, or will not end
 * it: then another upload may do. Files are closed when it settles. @throws ERR_REGISTRY_*,
 * ERR_DIGEST_MISMATCH
 */
export async function sendBlob(upload: Upload): Promise<TsbuildError | undefined> {
  const { size, path } = upload.blob;
  if (size <= upload.target.sizes.small) return await finish(upload, await readFile(path));
  const progress: Progress = { offset: 0, sent: 0, part: Infinity };
  while (progress.offset < size) {
    const lost = await sendPart(upload, progress);
    if (lost !== undefined) return lost;
  }
  return await finish(upload, undefined);
}

/** One PATCH; after a failure, the question how much of it arrived. Answers a failure for a lost upload. */
async function sendPart(upload: Upload, progress: Progress): Promise<TsbuildError | undefined> {
  const { budget, target } = upload;
  const { signal } = target;
  const end = Math.min(upload.blob.size, progress.offset + progress.part);
  progress.sent = Math.max(progress.sent, end);
  let response: HttpResponse;
  try {
    response = await patch(upload, progress.offset, end);
  } catch (error) {
    signal.throwIfAborted();
    const isCut = hasCode(error, 'ERR_REGISTRY_UNREACHABLE') && isConnectionCut(error.cause);
    if (!isCut || !(await budget.pause(signal))) throw error;
    return await findOffset(upload, progress);
  }
  const { status } = response;
  if (status < 300) return await advance(upload, progress, { response, end });
  const failure = await answerFailure(response, askedOf(target));
  const part = Math.max(target.sizes.part, upload.least);
  if (status === 413 && progress.part > part) {
    progress.part = part;
    return await findOffset(upload, progress);
  }
  if (isBusy(response)) {
    if (await budget.pause(signal, response)) return await findOffset(upload, progress);
    throw failure;
  }
  if (LOST.includes(status) || isForeign(upload)) return failure;
  throw failure;
}

/** Sent once: after a failure nobody knows how much of it the registry has. */
async function patch(upload: Upload, start: number, end: number): Promise<HttpResponse> {
  const { blob, target, location } = upload;
  const bodies: ReadStream[] = [];
  const body = (): ReadStream => {
    const range = { start, end: end - 1, highWaterMark: READ_BUFFER };
    const stream = createReadStream(blob.path, range);
    bodies.push(stream);
    return stream;
  };
  const isWhole = start === 0 && end === blob.size;
  const headers = {
    'content-type': 'application/octet-stream',
    'content-length': String(end - start),
    // Without it the request is a stream, which all registries take; not all know parts.
    ...(!isWhole && { 'content-range': `${start}-${end - 1}` }),
  };
  const accept = [...BUSY, 413, ...lostAnswers(upload)];
  const request = { method: 'PATCH', path: location, headers, body, once: true, accept } as const;
  try {
    return await sendPush(target, request);
  } finally {
    for (const stream of bodies) await close(stream);
  }
}

/** Taken as answers, since they say how long to wait. */
const BUSY = [408, 425, 429, 500, 502, 503, 504];
/** What registries say to an upload that is over, or does not come to the blob that it should be. */
const LOST = [400, 404, 409, 410, 416];
/** A signed address that is no longer good. */
const EXPIRED = [401, 403];

function lostAnswers(upload: Upload): readonly number[] {
  return isForeign(upload) ? [...LOST, ...EXPIRED] : LOST;
}

function isForeign({ location, home }: Upload): boolean {
  return location.origin !== home;
}

async function close(stream: ReadStream): Promise<void> {
  if (stream.closed) return;
  // Not `once()` of node:events: it rejects with what the connection broke by, which is told already.
  await new Promise<void>((resolve) => {
    stream.on('error', () => undefined).once('close', resolve);
    stream.destroy();
  });
}

/** After a part: what the registry has of it, which it says. */
async function advance(
  upload: Upload,
  progress: Progress,
  { response, end }: { readonly response: HttpResponse; readonly end: number },
): Promise<TsbuildError | undefined> {
  const { budget, target } = upload;
  await discardBody(response.body);
  upload.location = uploadAddress(response, target);
  const before = progress.offset;
  const received = receivedBytes(response) ?? end;
  // More than it was sent cannot be; what it is then, the digest tells.
  progress.offset = Math.min(received, end);
  if (progress.offset > before) budget.progress();
  else if (!(await budget.pause(target.signal)))
    return await answerFailure(response, askedOf(target));
  return undefined;
}

/** Asks how much the registry has. Answers a failure when it does not know the upload. */
async function findOffset(upload: Upload, progress: Progress): Promise<TsbuildError | undefined> {
  const { budget, target, location } = upload;
  // 405: uploads that cannot be asked for.
  const accept = [...lostAnswers(upload), 405];
  const response = await sendPush(target, { method: 'GET', path: location, accept, budget });
  const received = receivedBytes(response);
  if (response.status >= 300 || received === undefined || received > progress.sent) {
    return await answerFailure(response, askedOf(target));
  }
  await discardBody(response.body);
  if (response.headers['location'] !== undefined) upload.location = uploadAddress(response, target);
  if (received > progress.offset) budget.progress();
  progress.offset = received;
  return undefined;
}

/** `0-99` are 100 bytes; `0-0` are none: nobody sends one. */
function receivedBytes({ headers }: HttpResponse): number | undefined {
  const last = /^(?:bytes=)?0-(\d+)$/.exec(headers['range'] ?? '')?.[1];
  if (last === undefined) return undefined;
  return Number(last) === 0 ? 0 : Number(last) + 1;
}

/** The last request of an upload: with the bytes of a small blob, else without any. */
async function finish(
  upload: Upload,
  body: Uint8Array | undefined,
): Promise<TsbuildError | undefined> {
  const { blob, budget, target, location } = upload;
  const path = new URL(location);
  // Its own query stays as it is, to the letter: it may be signed.
  path.search += `${path.search === '' ? '?' : '&'}digest=${encodeURIComponent(blob.digest)}`;
  const headers = {
    'content-type': 'application/octet-stream',
    'content-length': String(body?.length ?? 0),
  };
  const response = await sendPush(target, {
    ...{ method: 'PUT', path, headers, budget, accept: lostAnswers(upload) },
    ...(body !== undefined && { body }),
  });
  if (response.status >= 300) return await answerFailure(response, askedOf(target));
  await discardBody(response.body);
  checkDigest(response, blob.digest, target);
  return undefined;
}
