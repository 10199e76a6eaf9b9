/** The helper without namespaces, and the blobs and indexes that its tests work with. */

import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { type Helper, openHelper } from '../../native/index.ts';
import type { Entry } from '../../src/tree/entry.ts';
import { encodeIndex } from '../../src/tree/index-codec.ts';
import { indexFromBytes } from '../../src/tree/layer-index.ts';
import { itUnless } from './missing.ts';
import { HELPER } from './sandbox.ts';
import { tar, type TarMember } from './tar.ts';
import { withDirectory } from './temporary.ts';

/** A signal that nobody aborts. */
export const signal: AbortSignal = new AbortController().signal;

export const IS_ROOT = process.getuid?.() === 0;

/** Owners, devices and whiteouts in directories are for root alone; run's tests cover namespaces. */
export const itAsRoot = itUnless(IS_ROOT ? undefined : 'needs root');

/** Runs `use` with a new helper and a new directory, which are gone afterwards. */
export async function withHelper<T>(
  use: (helper: Helper, directory: string) => Promise<T>,
): Promise<T> {
  return await withDirectory(async (directory) => {
    const helper = await openHelper({ mode: 'plain', binary: HELPER });
    try {
      return await use(helper, directory);
    } finally {
      await helper.close();
    }
  });
}

export function digestOf(bytes: Uint8Array): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

/** A blob on disk, as an extract request names it. */
export async function blobOf(
  directory: string,
  plain: Buffer,
  packed: Buffer = gzipSync(plain),
): Promise<{ readonly blob: string; readonly digest: string; readonly diffID: string }> {
  const blob = join(directory, 'blob');
  await writeFile(blob, packed);
  return { blob, digest: digestOf(packed), diffID: digestOf(plain) };
}

/** Extracts members into `directory`/layer; the entries of its index. */
export async function extracted(
  helper: Helper,
  directory: string,
  members: readonly TarMember[],
): Promise<readonly Entry[]> {
  const index = join(directory, 'index');
  const blob = await blobOf(directory, tar(members));
  await helper.extract({ ...blob, index, directory: join(directory, 'layer') }, { signal });
  return await entriesOf(index);
}

export async function entriesOf(index: string): Promise<readonly Entry[]> {
  return [...indexFromBytes(await readFile(index)).within('')];
}

/** Writes entries as the list of a compose request. */
export async function writeList(path: string, entries: readonly Entry[]): Promise<string> {
  await writeFile(path, encodeIndex(entries).bytes);
  return path;
}

/** An entry with usual metadata. */
export function metadata(path: string, mode = 0o644) {
  return { path, mode, uid: 0, gid: 0, mtime: 1_700_000_000, mtimeNsec: 0 };
}

/** A file entry with its bytes. */
export function inlineFile(path: string, text: string, mode = 0o644): Entry {
  const bytes = Buffer.from(text);
  return {
    ...metadata(path, mode),
    type: 'file',
    size: bytes.length,
    source: { kind: 'bytes', bytes },
  };
}
