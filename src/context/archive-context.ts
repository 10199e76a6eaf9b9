/** A build context that is a tar: its index comes from reading it once, nothing is unpacked (CTX-1). */

import { open, readFile, writeFile } from 'node:fs/promises';
import type { Helper } from '../../native/index.ts';
import type { Entry, FileEntry } from '../tree/entry.ts';
import { ImageTree } from '../tree/image-tree.ts';
import { encodeIndex } from '../tree/index-codec.ts';
import { indexFromBytes, type LayerIndex } from '../tree/layer-index.ts';
import { toPath, toText } from '../tree/path.ts';
import { type ContextFiles, MAX_TEXT, textOf, TOO_LARGE, Unreadable } from './context-files.ts';
import { createIgnore } from './ignore.ts';
import type { IgnoreFile } from './ignore-file.ts';
import { keepEntries } from './keep-entries.ts';
import type { ScannedArchive } from './scanned-context.ts';

/** An archive that has been read. */
export interface Archive {
  readonly index: LayerIndex;
  /** What the ranges of its files point into: plain, not compressed. */
  readonly file: string;
}

export interface ArchiveOptions {
  readonly helper: Helper;
  /** A path that does not exist yet. */
  readonly temporary: (what: string) => string;
  readonly signal: AbortSignal;
}

/** Reads a tar, plain or compressed; undefined for what is none. @throws ERR_LAYER_INVALID, ERR_LAYER_UNSAFE_PATH */
export async function readArchive(
  path: string,
  { helper, temporary, signal }: ArchiveOptions,
): Promise<Archive | undefined> {
  const index = temporary('index');
  const tar = temporary('tar');
  const source = { kind: 'archive', path, format: 'files', tar } as const;
  const reply = await helper.scan({ verb: 'scan', source, index }, { signal });
  if (!reply.archive) return undefined;
  return { index: indexFromBytes(await readFile(index)), file: reply.unpacked ? tar : path };
}

/** The texts in an archive. Symlinks are followed inside of it. */
export function archiveFiles({ index, file }: Archive): ContextFiles {
  const tree = new ImageTree([index]);
  return {
    nameOf: (path) => path,
    readText: async (path) => {
      const resolved = tree.resolve(toPath(path), { followLast: true });
      const found = resolved === undefined ? undefined : tree.lookup(resolved);
      if (found === undefined) return undefined;
      const entry = tree.contentOf(found)?.entry;
      if (entry !== undefined) return textOf(await readEntry(entry, file));
      throw new Unreadable(
        found.entry.type === 'directory' ? 'it is a directory' : 'it is no file',
      );
    },
  };
}

/** What the ignore file leaves, as an index file. */
export async function scanArchive(
  { index, file }: Archive,
  ignore: IgnoreFile | undefined,
  to: string,
): Promise<ScannedArchive> {
  const matches = createIgnore(ignore?.patterns ?? []);
  const isIgnored = (path: string): boolean => matches(toText(path));
  const { bytes, identity } = encodeIndex(keepEntries(index.within(''), isIgnored));
  await writeFile(to, bytes);
  return {
    kind: 'archive',
    index: to,
    identity,
    file,
    isIgnored: (path) => index.get(path) !== undefined && isIgnored(path),
  };
}

/** A context of one file, which has no name of its own (CTX-5), or of none. */
export async function writeFileContext(
  content: { readonly file: string; readonly entry: Omit<FileEntry, 'source'> } | undefined,
  to: string,
): Promise<ScannedArchive> {
  const source = { kind: 'range', file: 0, offset: 0 } as const;
  const { bytes, identity } = encodeIndex(content ? [{ ...content.entry, source }] : []);
  await writeFile(to, bytes);
  const file = content?.file ?? to;
  return { kind: 'archive', index: to, identity, file, isIgnored: () => false };
}

/** The newest of the archive's times, seconds since the Unix epoch (ARG-9). */
export function newestTime({ index }: Archive): number | undefined {
  let newest: number | undefined;
  for (const entry of index.within('')) {
    if (!isImplied(entry)) newest = Math.max(newest ?? entry.mtime, entry.mtime);
  }
  return newest;
}

function isImplied(entry: Entry): boolean {
  return entry.type === 'directory' && entry.implied === true;
}

async function readEntry({ source, size }: FileEntry, file: string): Promise<Uint8Array> {
  if (source?.kind === 'bytes') return source.bytes;
  if (source?.kind !== 'range') throw new Unreadable('it is a large sparse file');
  if (size > MAX_TEXT) throw new Unreadable(TOO_LARGE);
  const handle = await open(file);
  try {
    const bytes = Buffer.alloc(size);
    for (let at = 0; at < size; ) {
      const { bytesRead } = await handle.read(bytes, at, size - at, source.offset + at);
      if (bytesRead === 0) throw new Unreadable('the archive was changed');
      at += bytesRead;
    }
    return bytes;
  } finally {
    await handle.close();
  }
}
