/** Writes a blob's bytes to a new file, verified as they pass. */

import { type FileHandle, open, rm } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { TsbuildError } from '../errors.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { verifyStream } from '../oci/digest.ts';

interface WriteOptions {
  /** Must not exist. */
  readonly to: string;
  readonly signal: AbortSignal;
}

/** Node's 64 KiB make the file wait for the socket and the socket for the file. */
const WRITE_BUFFER = 1024 * 1024;

/**
 * Streams `chunks` into the new file `to`. On failure, wrong bytes or abort the file is gone again.
 * @throws ERR_DIGEST_MISMATCH, ERR_STORE_UNUSABLE, and what `chunks` throws
 */
export async function writeBlobFile(
  chunks: AsyncIterable<Uint8Array>,
  descriptor: Descriptor,
  { to, signal }: WriteOptions,
): Promise<void> {
  signal.throwIfAborted();
  const file = await create(to);
  try {
    const verify = await verifyStream(descriptor);
    const sink = file.createWriteStream({ highWaterMark: WRITE_BUFFER });
    await pipeline(chunks, verify, sink, { signal });
  } catch (error) {
    // The stream closes its handle, but not when it never came to exist.
    await file.close().catch(() => undefined);
    await rm(to, { force: true });
    signal.throwIfAborted();
    throw isErrno(error) ? unusable(to, error) : error;
  }
}

async function create(path: string): Promise<FileHandle> {
  try {
    return await open(path, 'wx', 0o644);
  } catch (error) {
    throw unusable(path, error);
  }
}

/** Errors of file calls have a path or a system call's name; the sources' own errors are translated. */
function isErrno(error: unknown): boolean {
  return error instanceof Error && !(error instanceof TsbuildError) && 'syscall' in error;
}

function unusable(path: string, cause: unknown): TsbuildError {
  return new TsbuildError('ERR_STORE_UNUSABLE', {
    message: `Cannot write "${path}"`,
    details: { path },
    cause,
  });
}
