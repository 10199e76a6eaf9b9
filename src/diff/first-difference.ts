/** Where the contents of two files part. */

import { type FileHandle, open } from 'node:fs/promises';
import type { FirstDifference } from './difference.ts';

/** Bytes of a file: a member of an archive, or all of it. */
export interface Range {
  readonly path: string;
  readonly offset: number;
  readonly size: number;
}

/** Undefined when all bytes are the same. Reads no more of both than it must. */
export async function firstDifference(
  a: Range,
  b: Range,
  signal: AbortSignal,
): Promise<FirstDifference | undefined> {
  const fileA = await open(a.path);
  try {
    const fileB = await open(b.path);
    try {
      return await compare({ ...a, file: fileA }, { ...b, file: fileB }, signal);
    } finally {
      await fileB.close();
    }
  } finally {
    await fileA.close();
  }
}

interface OpenRange extends Range {
  readonly file: FileHandle;
}

const CHUNK = 256 * 1024;
const NEWLINE = 0x0a;

async function compare(
  a: OpenRange,
  b: OpenRange,
  signal: AbortSignal,
): Promise<FirstDifference | undefined> {
  const common = Math.min(a.size, b.size);
  const seen = { line: 1, lineStart: 0, isText: true };
  for (let at = 0; at < common; at += CHUNK) {
    signal.throwIfAborted();
    const length = Math.min(CHUNK, common - at);
    const [x, y] = [await read(a, at, length), await read(b, at, length)];
    const same = lengthOfSame(x, y);
    look(x.subarray(0, same), at, seen);
    if (same < length) return await told(a, b, { offset: at + same, ...seen });
  }
  return a.size === b.size ? undefined : await told(a, b, { offset: common, ...seen });
}

interface Seen {
  line: number;
  lineStart: number;
  isText: boolean;
}

/** Counts the lines of what is the same; what has a zero byte has none. */
function look(bytes: Buffer, at: number, seen: Seen): void {
  if (seen.isText && bytes.includes(0)) seen.isText = false;
  if (!seen.isText) return;
  for (let i = bytes.indexOf(NEWLINE); i !== -1; i = bytes.indexOf(NEWLINE, i + 1)) {
    seen.line++;
    seen.lineStart = at + i + 1;
  }
}

/** What is shown of a line: enough to see what it is, never a file in one line. */
const SHOWN = 120;
/** Of the line, before the difference. */
const SHOWN_BEFORE = 60;

async function told(
  a: OpenRange,
  b: OpenRange,
  { offset, line, lineStart, isText }: { readonly offset: number } & Seen,
): Promise<FirstDifference> {
  const start = Math.max(lineStart, offset - SHOWN_BEFORE);
  const shown = async (range: OpenRange): Promise<Buffer> => {
    const bytes = await read(range, start, Math.max(0, Math.min(SHOWN, range.size - start)));
    const end = bytes.indexOf(NEWLINE, Math.max(0, offset - start));
    return end === -1 ? bytes : bytes.subarray(0, end);
  };
  const [x, y] = [await shown(a), await shown(b)];
  if (!isText || x.includes(0) || y.includes(0)) return { offset };
  return { offset, line, a: x.toString(), b: y.toString() };
}

/** @throws what reading fails with, a file that ends too early among it */
async function read({ file, offset }: OpenRange, at: number, length: number): Promise<Buffer> {
  const bytes = Buffer.alloc(length);
  for (let filled = 0; filled < length; ) {
    const position = offset + at + filled;
    const { bytesRead } = await file.read(bytes, filled, length - filled, position);
    if (bytesRead === 0) throw new Error('A file of the store has become shorter');
    filled += bytesRead;
  }
  return bytes;
}

function lengthOfSame(a: Buffer, b: Buffer): number {
  if (a.equals(b)) return a.length;
  // By halves: comparing is native, and a loop over bytes is not.
  let [low, high] = [0, a.length];
  while (low < high) {
    const middle = (low + high + 1) >>> 1;
    if (a.subarray(low, middle).equals(b.subarray(low, middle))) low = middle;
    else high = middle - 1;
  }
  return low;
}
