/** A file from the network, or the copy of an earlier build that the server says is still right. */

import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { type Digest, parseDigest } from '../oci/digest.ts';
import {
  download,
  type DownloadOptions,
  type DownloadResult,
  type Validators,
} from './download.ts';
import { redactUrl, type Secrets } from './url-credentials.ts';

/** A file that nobody changes: in the store, or among the temporary files of the build. */
export interface FetchedFile {
  readonly path: string;
  /** Hexadecimal. */
  readonly sha256: string;
  readonly size: number;
  /** Seconds since the Unix epoch, from Last-Modified; 0 without one (CP-23). */
  readonly mtime: number;
}

/** Where earlier builds' downloads are (the store). */
export interface DownloadMemory {
  readonly getDownload: (url: string) => Promise<KnownDownload | undefined>;
  readonly putDownload: (url: string, file: string, download: KnownDownload) => Promise<void>;
  readonly blobPath: (digest: Digest) => string;
}

interface KnownDownload {
  readonly digest: Digest;
  readonly size: number;
  readonly mtime: number;
  readonly validators: Validators;
}

export interface FetchOptions {
  readonly memory: DownloadMemory;
  /** A path that does not exist yet. */
  readonly temporary: () => string;
  readonly secrets: Secrets;
  readonly signal: AbortSignal;
  /** `sha256:…` that is wanted: when it is at hand, the server is not asked (CS-3). */
  readonly checksum?: string | undefined;
  /** Of `download()`. */
  readonly delays?: readonly number[];
  readonly transport?: DownloadOptions['transport'];
}

/** Fetches a file. What is stored is asked for with its ETag or Last-Modified. @throws ERR_DOWNLOAD_FAILED */
export async function fetchFile(url: string, options: FetchOptions): Promise<FetchedFile> {
  const { memory, temporary, secrets, signal, delays, transport, checksum } = options;
  const name = redactUrl(url);
  const stored = await findIntact(name, options);
  if (stored?.digest === checksum && stored !== undefined) {
    return fetched(memory.blobPath(stored.digest), stored);
  }
  const to = temporary();
  const result = await download(url, to, {
    secrets,
    signal,
    transport,
    ...(delays !== undefined && { delays }),
    ...(stored !== undefined && { known: stored.validators }),
  });
  if (result === undefined) {
    if (stored === undefined) throw new TypeError(`Nothing is known of "${name}"`);
    return fetched(memory.blobPath(stored.digest), stored);
  }
  const known = knownOf(result);
  const { etag, lastModified } = known.validators;
  const isOfUse = etag !== undefined || lastModified !== undefined || known.digest === checksum;
  // A stored copy that is damaged has its name still: better the file at hand.
  if (!isOfUse || (await isDamaged(known, options))) return fetched(to, known);
  await memory.putDownload(name, to, known);
  return fetched(memory.blobPath(known.digest), known);
}

function knownOf({ sha256, size, mtime, validators }: DownloadResult): KnownDownload {
  return { digest: parseDigest(`sha256:${sha256}`), size, mtime, validators };
}

function fetched(path: string, { digest, size, mtime }: KnownDownload): FetchedFile {
  return { path, sha256: digest.slice('sha256:'.length), size, mtime };
}

/** The store compares sizes alone; these bytes go into an image under a digest that is taken for true. */
async function findIntact(url: string, options: FetchOptions): Promise<KnownDownload | undefined> {
  const stored = await options.memory.getDownload(url);
  return stored === undefined || (await isDamaged(stored, options)) ? undefined : stored;
}

/** Whether there is a file with this name that has other bytes. */
async function isDamaged(
  { digest }: KnownDownload,
  { memory, signal }: FetchOptions,
): Promise<boolean> {
  const hash = createHash('sha256');
  try {
    await pipeline(createReadStream(memory.blobPath(digest)), hash, { signal });
  } catch {
    signal.throwIfAborted();
    // Not there: then it can be put there.
    return false;
  }
  return `sha256:${hash.digest('hex')}` !== digest;
}
