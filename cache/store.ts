/**
 * The store: one directory on disk for everything that builds share (README.md has the layout).
 *
 * All of it is in a folder named after the layout's version, so that two versions of tsbuild can use
 * one store. That folder is for its owner alone (0700): layers hold what private images hold, and
 * set-uid programs that belong to root when root builds.
 */

import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { absent, unusable, writeAtomically } from './atomic.ts';
import { type BlobStore, blobStore } from './blobs.ts';
import { type DownloadStore, downloadStore } from './downloads.ts';
import { type ImageStore, imageStore } from './images.ts';
import { type LayerStore, layerStore } from './layers.ts';
import { makeDirectory } from './make-directory.ts';
import { openWorkspace, staleWorkspaces, type Workspace } from './lease.ts';
import { type RecordStore, recordStore } from './records.ts';
import { secretKey } from './secret-key.ts';

export interface Store extends BlobStore, DownloadStore, ImageStore, LayerStore, RecordStore {
  /** The versioned folder: a valid OCI layout. */
  readonly path: string;
  /** A new directory for this build. @throws ERR_STORE_UNUSABLE */
  openWorkspace(): Promise<Workspace>;
  /** What dead processes left, for the helper to remove: files in it may belong to sub-uids. */
  staleWorkspaces(): Promise<readonly string[]>;
  /** Where the digests of a build context's files are remembered. */
  statCachePath(contextRoot: string): string;
  /** The directory of a cache mount; not made yet. */
  mountPath(id: string): string;
  /** A key that never leaves the store, for digests of what must not be guessed. */
  secretKey(): Promise<Uint8Array>;
  /** The folder of git commits: a bare repository for each, REMOTE/COMMIT. */
  readonly gitPath: string;
}

const VERSION = 'v1';
const FOLDERS = ['blobs/sha256', 'layers', 'records', 'mounts', 'stat', 'git', 'tmp'];

/** The two files that make a directory an OCI layout. Nothing is listed: images are exported elsewhere. */
const LAYOUT_FILES: Readonly<Record<string, string>> = {
  'oci-layout': '{"imageLayoutVersion":"1.0.0"}',
  'index.json':
    '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}',
};

/** Opens the store in a directory, and makes what is missing. @throws ERR_STORE_UNUSABLE */
export async function openStore(
  directory: string,
  { signal }: { readonly signal: AbortSignal },
): Promise<Store> {
  signal.throwIfAborted();
  const path = resolve(directory, VERSION);
  const temporaries = join(path, 'tmp');
  await makeLayout(path);
  signal.throwIfAborted();
  const blobs = blobStore(path);
  return {
    path,
    ...blobs,
    ...downloadStore(path, blobs),
    ...imageStore(path),
    ...layerStore(path, blobs),
    ...recordStore(path),
    openWorkspace: () => openWorkspace(temporaries),
    staleWorkspaces: () => staleWorkspaces(temporaries),
    statCachePath: (contextRoot) => join(path, 'stat', nameFor(resolve(contextRoot))),
    mountPath: (id) => join(path, 'mounts', nameFor(id)),
    secretKey: () => secretKey(path),
    gitPath: join(path, 'git'),
  };
}

async function makeLayout(path: string): Promise<void> {
  try {
    await makeDirectory(path, 0o700);
    for (const folder of FOLDERS) await makeDirectory(join(path, folder));
  } catch (error) {
    throw unusable(path, error);
  }
  for (const [name, text] of Object.entries(LAYOUT_FILES)) {
    const file = join(path, name);
    const found = await stat(file).catch((error: unknown) => absent(file, error));
    if (found?.size !== text.length) await writeAtomically(join(path, 'tmp'), file, text);
  }
}

/** A file name for any text. */
function nameFor(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}
