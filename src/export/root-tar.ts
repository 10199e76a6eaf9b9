/** A root filesystem as a tar: into a file, or through one into a stream. */

import { createReadStream, createWriteStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { CHUNK, lend, refuseTerminal, resolveTarget } from './destination.ts';
import { outputFailure } from './failure.ts';
import { withParents } from './new-parents.ts';

export interface RootTarOptions {
  /** Makes a file: complete, or not at all. */
  readonly make: (path: string) => Promise<void>;
  /** A name for a file that the stream is fed from. */
  readonly temporary: string;
  readonly signal: AbortSignal;
}

/**
 * A file appears complete or not at all. A stream is left open.
 * @throws ERR_OUTPUT_FAILED, ERR_USAGE when the stream is a terminal (OUT-3)
 */
export async function writeRootTar(
  destination: string | Writable,
  options: RootTarOptions,
): Promise<void> {
  const { make, signal } = options;
  const path = typeof destination === 'string' ? destination : '-';
  try {
    signal.throwIfAborted();
    if (typeof destination !== 'string') {
      refuseTerminal(destination);
      return await copyInto(lend(destination), options);
    }
    const target = await resolveTarget(destination);
    if (target.kind === 'special') return await copyInto(createWriteStream(target.path), options);
    await withParents(resolve(target.path), () => make(target.path));
  } catch (error) {
    throw outputFailure(error, path, signal);
  }
}

async function copyInto(
  sink: Writable,
  { make, temporary, signal }: RootTarOptions,
): Promise<void> {
  try {
    await make(temporary);
    await pipeline(createReadStream(temporary, { highWaterMark: CHUNK }), sink, { signal });
  } finally {
    await rm(temporary, { force: true });
  }
}
