/**
 * What was downloaded, by address: `downloads/HEX.json`, HEX being the address's sha256, names a blob
 * and what the server has to be told to learn whether it is still the same file.
 */

import { join } from 'node:path';
import { type Digest, digestOf, hexOf, isDigest, parseDigest } from '../src/oci/digest.ts';
import { readChecked, writeChecked } from './atomic.ts';
import type { BlobStore } from './blobs.ts';

/** A download that is in the store. */
export interface StoredDownload {
  readonly digest: Digest;
  readonly size: number;
  /** Seconds since the Unix epoch. */
  readonly mtime: number;
  /** Headers of the server's answer. */
  readonly validators: { readonly etag?: string; readonly lastModified?: string };
}

export interface DownloadStore {
  /** Undefined for a miss, also when the blob is not there any more. @throws ERR_STORE_UNUSABLE */
  getDownload(url: string): Promise<StoredDownload | undefined>;
  /** Moves a verified file in, and remembers where it is from. @throws ERR_STORE_UNUSABLE */
  putDownload(url: string, file: string, download: StoredDownload): Promise<void>;
}

const FORMAT = 1;

/** The downloads of a store at `root`. */
export function downloadStore(root: string, blobs: BlobStore): DownloadStore {
  const pathOf = (url: string): string => join(root, 'downloads', `${hexOf(digestOf(url))}.json`);
  return {
    async getDownload(url) {
      const value = await readChecked(pathOf(url));
      // Its own hash says that this code wrote it, in this format.
      const record = value as (Partial<StoredDownload> & { format?: number }) | undefined;
      if (record?.format !== FORMAT || !isDigest(record.digest ?? '')) return undefined;
      const { size = 0, mtime = 0, validators = {} } = record;
      const download = { digest: parseDigest(record.digest ?? ''), size, mtime, validators };
      return (await blobs.hasBlob(download)) ? download : undefined;
    },
    async putDownload(url, file, { digest, size, mtime, validators }) {
      await blobs.addBlob(file, { digest, size });
      const record = { format: FORMAT, digest, size, mtime, validators };
      await writeChecked(join(root, 'tmp'), pathOf(url), record);
    },
  };
}
