/**
 * Blobs by digest: `blobs/sha256/HEX`, the place an OCI layout has them.
 *
 * Whoever brings a blob has verified it. Here its size is compared each time: the damage that a
 * power loss does shows there. A damaged blob is a miss and stays until a good one replaces it; to
 * remove it could hit the good one that another process has just put there.
 */

import { rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Descriptor } from '../src/oci/descriptor.ts';
import { type Digest, digestOf, hexOf } from '../src/oci/digest.ts';
import { absent, moveInto, writeAtomically } from './atomic.ts';

export type BlobName = Pick<Descriptor, 'digest' | 'size'>;

export interface BlobStore {
  blobPath(digest: Digest): string;
  /** Whether a blob is there and has its size. */
  hasBlob(blob: BlobName): Promise<boolean>;
  /** Moves a verified file in; if the blob is there already, the file is removed. @throws ERR_STORE_UNUSABLE */
  addBlob(file: string, blob: BlobName): Promise<void>;
  /** Adds bytes as a blob and answers its name. @throws ERR_STORE_UNUSABLE */
  putBytes(bytes: Uint8Array): Promise<BlobName>;
}

/** The blobs of a store at `root`. */
export function blobStore(root: string): BlobStore {
  const blobPath = (digest: Digest): string => join(root, 'blobs/sha256', hexOf(digest));

  const hasBlob = async ({ digest, size }: BlobName): Promise<boolean> => {
    const path = blobPath(digest);
    const found = await stat(path).catch((error: unknown) => absent(path, error));
    return found?.isFile() === true && found.size === size;
  };

  return {
    blobPath,
    hasBlob,
    async addBlob(file, blob) {
      if (await hasBlob(blob)) await rm(file);
      else await moveInto(file, blobPath(blob.digest));
    },
    async putBytes(bytes) {
      const blob = { digest: digestOf(bytes), size: bytes.length };
      if (!(await hasBlob(blob))) {
        await writeAtomically(join(root, 'tmp'), blobPath(blob.digest), bytes);
      }
      return blob;
    },
  };
}
