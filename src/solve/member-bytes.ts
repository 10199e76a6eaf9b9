/** The bytes of an archive's member, read by this process: for the few that are looked into before they are copied. */

import { createReadStream } from 'node:fs';
import type { EntrySource } from '../tree/entry.ts';

const ZEROS = new Uint8Array(65_536);

/** Streams a file of `size` bytes out of an uncompressed tar; the holes of a sparse one as zeros. */
export async function* memberBytes(
  file: string,
  source: EntrySource,
  size: number,
): AsyncGenerator<Uint8Array> {
  switch (source.kind) {
    case 'path':
      throw new TypeError('Members of archives have no paths');
    case 'bytes':
      yield source.bytes;
      return;
    case 'range':
      yield* rangeOf(file, source.offset, size);
      return;
    case 'sparse': {
      let { offset } = source;
      let left = size;
      for (let i = 0; i < source.parts.length; i += 2) {
        const [hole = 0, length = 0] = source.parts.slice(i, i + 2);
        yield* zeros(hole);
        yield* rangeOf(file, offset, length);
        offset += length;
        left -= hole + length;
      }
      yield* zeros(left);
    }
  }
}

async function* rangeOf(file: string, start: number, length: number): AsyncGenerator<Uint8Array> {
  if (length > 0) yield* createReadStream(file, { start, end: start + length - 1 });
}

function* zeros(length: number): Generator<Uint8Array> {
  for (let left = length; left > 0; left -= ZEROS.length) yield ZEROS.subarray(0, left);
}
