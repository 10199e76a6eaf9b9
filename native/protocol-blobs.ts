/** The protocol's words for blobs, and packing one again: the same tar in another compression. */

/** What a blob becomes. */
export interface BlobTarget {
  readonly path: string;
  readonly compression: Compression;
  /** Of gzip 0 to 9, of zstd 0 to 22; undefined: the usual one. Part of what the blob's digest depends on. */
  readonly level?: number | undefined;
}

export type Compression = 'none' | 'gzip' | 'zstd';

/** What a blob is. */
export interface BlobFacts {
  readonly digest: string;
  readonly diffID: string;
  readonly size: number;
}

/** A blob becomes another one of the same tar. */
export interface RepackRequest {
  readonly verb: 'repack';
  readonly source: string;
  /** Of the tar: with another one it fails with `DigestMismatch`. */
  readonly diffID: string;
  readonly blob: BlobTarget;
}

export interface RepackReply {
  readonly blob: BlobFacts;
}
