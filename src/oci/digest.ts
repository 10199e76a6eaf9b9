/**
 * Digests: parsed once at the edge, branded so that look-alikes cannot be mixed up, and the one
 * place where sha256 in hexadecimal (OCI) meets ssri's subresource integrity strings.
 *
 * https://github.com/opencontainers/image-spec/blob/v1.1.1/descriptor.md#digests
 */

import { createHash } from 'node:crypto';
import type { Transform } from 'node:stream';
import { TsbuildError } from '../errors.ts';

declare const brand: unique symbol;

/** sha256 of the bytes as stored or sent: `sha256:` and 64 hexadecimal digits. */
export type Digest = string & { readonly [brand]: 'digest' };
/** sha256 of a layer's uncompressed tar. */
export type DiffID = string & { readonly [brand]: 'diffID' };
/** sha256 over a stack of DiffIDs, per the image spec. */
export type ChainID = string & { readonly [brand]: 'chainID' };

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

/** ChainID of layers, bottom first (image-spec config.md, "Layer ChainID"). Undefined for no layers. */
export function chainIDOf(diffIDs: readonly DiffID[]): ChainID | undefined {
  let chain: string | undefined;
  for (const diffID of diffIDs)
    chain = chain === undefined ? diffID : digestOf(`${chain} ${diffID}`);
  return chain as ChainID | undefined;
}

/**
 * A pass-through stream that fails with ERR_DIGEST_MISMATCH, before it ends, when the bytes are not
 * those of the descriptor. ssri counts and hashes; it is imported when first needed.
 */
export async function verifyStream(expected: {
  readonly digest: Digest;
  readonly size: number;
}): Promise<Transform> {
  const { default: ssri } = await import('ssri');
  const stream = ssri.integrityStream({
    integrity: ssri.fromHex(hexOf(expected.digest), 'sha256'),
    algorithms: ['sha256'],
    size: expected.size,
  });
  return stream as unknown as Transform;
}
