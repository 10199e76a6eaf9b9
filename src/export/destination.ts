/** Where an archive goes: a file, a device or a pipe, or a stream that is lent. */

import { realpath, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { Writable } from 'node:stream';
import { TsbuildError } from '../errors.ts';
import { isErrno } from './failure.ts';

/** Archives are copied through memory in pieces of this size; smaller ones cost a turn of the loop each. */
export const CHUNK = 1024 * 1024;

/** A link stays a link: what it points to is written. Rejects for a directory. */
export async function resolveTarget(
  path: string,
): Promise<{ readonly kind: 'file' | 'special'; readonly path: string }> {
  try {
    const stats = await stat(path);
    if (stats.isDirectory()) throw new Error('it is a directory');
    return { kind: stats.isFile() ? 'file' : 'special', path: await realpath(path) };
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return { kind: 'file', path: resolve(path) };
    throw error;
  }
}

/** OUT-3. @throws ERR_USAGE */
export function refuseTerminal(stream: Writable): void {
  if (!('isTTY' in stream) || stream.isTTY !== true) return;
  throw new TsbuildError('ERR_USAGE', {
    message: 'Cannot write an image to the terminal',
    details: undefined,
    hint: 'Name a file with dest=FILE, or redirect the output.',
  });
}

/** A stream that writes into another and does not end it; tar-stream's own pipe always does. */
export function lend(stream: Writable): Writable {
  // Failures come back through the callback; the event would end the process.
  stream.on('error', () => undefined);
  return new Writable({
    highWaterMark: CHUNK,
    write: (chunk: Uint8Array, _encoding, done) => void stream.write(chunk, done),
  });
}
