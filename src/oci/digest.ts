/**
 * Digests: parsed once at the edge, branded so that look-alikes cannot be mixed up, and the one
 * place where sha256 in hexadecimal (OCI) meets ssri's subresource integrity strings.
 *
 * https://github.com/opencontainers/image-spec/blob/v1.1.1/descriptor.md#digests
 */

import { createHash } from 'node:crypto';
import type { Transform } from 'node:stream';
import type { Integrity } from 'ssri';
import { TsbuildError } from '../errors.ts';

declare const brand: unique symbol;

/** sha256 of the bytes as stored or sent: `sha256:` and 64 hexadecimal digits. */
export type Digest = string & { readonly [brand]: 'digest' };
/** sha256 of a layer's uncompressed tar. */
export type DiffID = string & { readonly [brand]: 'diffID' };

const DIGEST = /^sha256:[0-9a-f]{64}$/;

/** Text to Digest. @throws ERR_DIGEST_INVALID for anything but a lower-case sha256 digest. */
export function parseDigest(text: string): Digest {
  if (!DIGEST.test(text)) {
    throw new TsbuildError('ERR_DIGEST_INVALID', {
      message: `Cannot use "${text}" as a digest`,
      details: { digest: text },
      hint: 'A digest is "sha256:" and 64 lower-case hexadecimal digits.',
    });
  }
  return text as Digest;
}

/** Text to DiffID. @throws ERR_DIGEST_INVALID */
export function parseDiffID(text: string): DiffID {
  return parseDigest(text) as string as DiffID;
}

/** Whether a text is a digest that `parseDigest()` takes. */
export function isDigest(text: string): boolean {
  return DIGEST.test(text);
}

/** The digest of bytes in memory. */
export function digestOf(bytes: Uint8Array | string): Digest {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}` as Digest;
}

/** The 64 hexadecimal digits of a digest, its name in a blob directory. */
export function hexOf(digest: Digest | DiffID): string {
  return digest.slice('sha256:'.length);
}

/** What bytes have to be. */
export interface ExpectedBytes {
  readonly digest: Digest;
  readonly size: number;
}

/**
 * A pass-through stream that fails with ERR_DIGEST_MISMATCH, before it ends, when the bytes are not
 * those expected; at the first byte too many, without waiting for the rest.
 *
 * ssri hashes; it is imported when first needed. Not its `integrityStream()`: that one fails with
 * errors that name base64 digests, and only once everything has arrived.
 */
export async function verifyStream(expected: ExpectedBytes): Promise<Transform> {
  const [{ default: ssri }, { Transform }] = await Promise.all([
    import('ssri'),
    import('node:stream'),
  ]);
  // Its published types take this for node:crypto's Hash.
  const hash = ssri.create({ algorithms: ['sha256'] }) as unknown as Hasher;
  const integrity = ssri.fromHex(hexOf(expected.digest), 'sha256', { single: true });
  let size = 0;
  return new Transform({
    highWaterMark: STREAM_BUFFER,
    transform(chunk: Uint8Array, _encoding, done): void {
      size += chunk.length;
      if (size > expected.size) return done(mismatch(sizeOf(expected), `at least ${bytes(size)}`));
      hash.update(chunk);
      done(null, chunk);
    },
    flush(done): void {
      if (size !== expected.size) return done(mismatch(sizeOf(expected), bytes(size)));
      const found = hash.digest();
      if (found.match(integrity)) return done();
      done(mismatch(expected.digest, `sha256:${found.hexDigest()}`));
    },
  });
}

interface Hasher {
  update(chunk: Uint8Array): unknown;
  digest(): Integrity;
}

/** The same for bytes in memory. @throws ERR_DIGEST_MISMATCH */
export function verifyBytes(data: Uint8Array, expected: ExpectedBytes): void {
  if (data.length !== expected.size) throw mismatch(sizeOf(expected), bytes(data.length));
  const found = digestOf(data);
  if (found !== expected.digest) throw mismatch(expected.digest, found);
}

/** Fewer wake-ups than Node's 64 KiB: a layer passes in chunks of the socket's size all the same. */
const STREAM_BUFFER = 1024 * 1024;

function sizeOf(expected: ExpectedBytes): string {
  return `${bytes(expected.size)} of ${expected.digest}`;
}

function bytes(count: number): string {
  return `${count} bytes`;
}

function mismatch(expected: string, found: string): TsbuildError<'ERR_DIGEST_MISMATCH'> {
  return new TsbuildError('ERR_DIGEST_MISMATCH', {
    message: `Cannot use a blob: expected ${expected}, found ${found}`,
    details: { expected, found },
    hint: 'It was damaged on its way or where it is stored. Try again, or pull from elsewhere.',
  });
}
