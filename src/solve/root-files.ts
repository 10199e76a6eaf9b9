/** The files of an image instead of the image: its root filesystem as a tar or a directory (LOC-2). */

import { TsbuildError } from '../errors.ts';
import { digestOf, hexOf } from '../oci/digest.ts';
import { formatAll, type Platform } from '../oci/platform.ts';
import type { DirectoryEntry, Entry, EntrySource, FileEntry } from '../tree/entry.ts';
import { metadataOf } from '../tree/entry.ts';
import type { Found, ImageTree } from '../tree/image-tree.ts';
import { comparePaths, toBytes, toText } from '../tree/path.ts';
import { writeList } from './compose-list.ts';
import { linkTo } from './hard-links.ts';
import type { Layer } from './layer.ts';
import { layersOrigin } from './origins.ts';
import { Places } from './places.ts';
import type { Session } from './session.ts';

/** One platform's root filesystem. */
export interface RootFiles {
  readonly platform: Platform;
  /** Lowest first. */
  readonly layers: readonly Layer[];
  /** Files that are put beside them, by names without directories. */
  readonly more?: (tree: ImageTree) => Promise<readonly NamedBytes[]>;
}

export interface NamedBytes {
  readonly name: string;
  readonly bytes: Uint8Array;
}

export interface RootFilesOptions {
  readonly session: Pick<Session, 'layers' | 'helpers' | 'jobs'>;
  /** A folder for each platform (MP-6); there is one platform otherwise. */
  readonly isSplit: boolean;
  /** Seconds: the time of all files (REP-1). */
  readonly epoch: number | undefined;
  readonly signal: AbortSignal;
}

/** What the files become: complete, or not at all. */
export interface RootFilesTarget {
  readonly kind: 'tar' | 'directory';
  /** Of a directory: nothing is there yet. */
  readonly path: string;
  /** Of a directory: whose it is. */
  readonly uid: number;
  readonly gid: number;
}

/** Writes the files: a tar keeps their owners, a directory is its user's and has no devices (LOC-3). */
export async function writeRootFiles(
  roots: readonly RootFiles[],
  target: RootFilesTarget,
  options: RootFilesOptions,
): Promise<void> {
  const { session, isSplit, signal } = options;
  const places = new Places();
  const parts = await Promise.all(
    roots.map(async ({ platform, layers, more }) => {
      const prefix = isSplit ? toBytes(formatAll(platform).replaceAll('/', '_')) : '';
      const tree = await openTree(layers, session, places);
      const added = ((await more?.(tree.tree)) ?? []).map(fileOf);
      for (const { path } of added) if (tree.tree.lookup(path)) throw taken(path);
      return { prefix, tree, added: added.sort((a, b) => comparePaths(a.path, b.path)) };
    }),
  );
  parts.sort((a, b) => comparePaths(a.prefix, b.prefix));
  // In a user namespace, who builds is root.
  const { uid, gid } = places.directories ? { uid: 0, gid: 0 } : target;
  const owner = target.kind === 'directory' ? { uid, gid } : undefined;
  const change = { owner, epoch: options.epoch };
  const list = session.layers.temporary('list');
  await writeList(list, entriesOf(parts, change));
  const { helpers, jobs } = session;
  const helper = places.directories ? (await helpers.directories()).helper : await helpers.files();
  const { path } = target;
  const made =
    target.kind === 'tar' ? { blob: { path, compression: 'none' as const } } : { directory: path };
  const request = { verb: 'compose', list, roots: places.roots, files: places.files } as const;
  await jobs.run(() => helper.compose({ ...request, ...made }, { signal }), signal);
}

interface OpenedTree {
  readonly tree: ImageTree;
  /** Contents that have several names. */
  readonly shared: ReadonlySet<string>;
  readonly sources: ReadonlyMap<number, (entry: FileEntry) => EntrySource>;
}

async function openTree(
  list: readonly Layer[],
  { layers }: Pick<Session, 'layers'>,
  places: Places,
): Promise<OpenedTree> {
  const origin = await layersOrigin(list, layers);
  const shared = new Set<string>();
  const used = new Set<number>();
  for (const found of origin.tree.below('')) {
    const content = origin.tree.contentOf(found);
    if (content === undefined) continue;
    used.add(content.layer);
    if (found.entry.type === 'hardlink') shared.add(keyOf(content));
  }
  const sources = new Map<number, (entry: FileEntry) => EntrySource>();
  for (const layer of used) sources.set(layer, await origin.open(layer, places));
  return { tree: origin.tree, shared, sources };
}

interface Change {
  /** Undefined: as in the image. */
  readonly owner: { readonly uid: number; readonly gid: number } | undefined;
  readonly epoch: number | undefined;
}

function* entriesOf(
  parts: readonly {
    readonly prefix: string;
    readonly tree: OpenedTree;
    readonly added: readonly Entry[];
  }[],
  change: Change,
): Generator<Entry> {
  for (const { prefix, tree, added } of parts) {
    if (prefix !== '') yield changed(folder(prefix), change);
    for (const entry of merged(flatten(tree), added)) {
      // What a directory cannot have without privileges it never has.
      if (change.owner !== undefined && isDevice(entry)) continue;
      yield changed(within(prefix, entry), change);
    }
  }
}

/** A tree as one layer: no whiteouts, all directories told, each content once. */
function* flatten({ tree, shared, sources }: OpenedTree): Generator<Entry> {
  const first = new Map<string, string>();
  for (const found of tree.below('')) {
    const { entry } = found;
    const content = tree.contentOf(found);
    if (entry.type === 'directory') yield { ...metadataOf(entry), type: 'directory' };
    else if (content === undefined) yield entry;
    else {
      const key = keyOf(content);
      const target = first.get(key);
      if (target === undefined) {
        if (shared.has(key)) first.set(key, entry.path);
        const source = sources.get(content.layer)?.(content.entry);
        const file = { ...content.entry, ...metadataOf(entry) };
        yield source === undefined ? file : { ...file, source };
      } else yield linkTo(target, entry);
    }
  }
}

function* merged(entries: Iterable<Entry>, added: readonly Entry[]): Generator<Entry> {
  let next = 0;
  for (const entry of entries) {
    for (;;) {
      const other = added[next];
      if (other === undefined || comparePaths(other.path, entry.path) > 0) break;
      yield other;
      next++;
    }
    yield entry;
  }
  yield* added.slice(next);
}

function fileOf({ name, bytes }: NamedBytes): FileEntry {
  const sha256 = hexOf(digestOf(bytes));
  const metadata = { path: toBytes(name), mode: 0o644, uid: 0, gid: 0, mtime: 0, mtimeNsec: 0 };
  const source = { kind: 'bytes', bytes } as const;
  return { ...metadata, type: 'file', size: bytes.length, sha256, source };
}

function taken(path: string): TsbuildError {
  return new TsbuildError('ERR_OUTPUT_FAILED', {
    message: `Cannot put "${toText(path)}" beside the files of the image: it has one of this name`,
    details: { path: toText(path) },
    hint: 'Give the others a name of their own, with "attestation-prefix=" in the output.',
  });
}

function keyOf({ entry, layer }: Found): string {
  return `${layer}:${entry.path}`;
}

function folder(path: string): DirectoryEntry {
  return { path, type: 'directory', mode: 0o755, uid: 0, gid: 0, mtime: 0, mtimeNsec: 0 };
}

function isDevice({ type }: Entry): boolean {
  return type === 'character' || type === 'block';
}

function within(prefix: string, entry: Entry): Entry {
  if (prefix === '') return entry;
  const path = `${prefix}/${entry.path}`;
  if (entry.type !== 'hardlink') return { ...entry, path };
  return { ...entry, path, target: `${prefix}/${entry.target}` };
}

function changed(entry: Entry, { owner, epoch }: Change): Entry {
  const time = epoch === undefined ? {} : { mtime: epoch, mtimeNsec: 0 };
  return { ...entry, ...owner, ...time };
}
