/** Everything in a context: what its scan has, and what its ignore file leaves out. */

import { lstat, readdir } from 'node:fs/promises';
import type { Dirent } from 'node:fs';
import type { Entry } from '../tree/entry.ts';
import type { LayerIndex } from '../tree/layer-index.ts';
import { comparePaths, isWithin, joinPath } from '../tree/path.ts';

/** Something in a context. */
export interface ListedEntry {
  /** A byte string. */
  readonly path: string;
  readonly type: Entry['type'] | 'socket';
  /** Bytes of content; 0 for what has none, and for a hard link, whose content is counted with its target. */
  readonly size: number;
  readonly kept: boolean;
  /** False for a directory that is left out, and what is in it was not looked at. */
  readonly entered: boolean;
}

export interface ListOptions {
  /** What the scan kept. */
  readonly index: LayerIndex;
  /** Where everything is: the directory that was scanned, or the index of an archive's members; undefined when all was kept. */
  readonly whole: string | LayerIndex | undefined;
  /** Also list what is in directories that are left out as a whole. */
  readonly all: boolean;
  readonly signal: AbortSignal;
}

/** The entries in an index's order. */
export async function listEntries(options: ListOptions): Promise<ListedEntry[]> {
  const kept = new Map<string, ListedEntry>();
  for (const entry of options.index.within('')) kept.set(entry.path, listed(entry, true));
  const { whole } = options;
  if (whole === undefined) return [...kept.values()];
  const dropped =
    typeof whole === 'string'
      ? await new Walk(whole, kept, options).run()
      : droppedMembers(whole, kept, options.all);
  return merge([...kept.values()], dropped);
}

function listed(entry: Entry, kept: boolean): ListedEntry {
  const { path, type } = entry;
  return { path, type, size: entry.type === 'file' ? entry.size : 0, kept, entered: true };
}

/** What an archive has besides. */
function droppedMembers(
  whole: LayerIndex,
  kept: ReadonlyMap<string, ListedEntry>,
  all: boolean,
): ListedEntry[] {
  const dropped: ListedEntry[] = [];
  let skipped: string | undefined;
  for (const entry of whole.within('')) {
    if (kept.has(entry.path)) continue;
    if (skipped !== undefined && isWithin(entry.path, skipped)) continue;
    const isSkipped = entry.type === 'directory' && !all;
    if (isSkipped) skipped = entry.path;
    dropped.push({ ...listed(entry, false), entered: !isSkipped });
  }
  return dropped;
}

/**
 * Looks for what a scan has left out. A directory that is left out and has nothing in it that is kept
 * is not in the index: there is no need to enter it, however large it is.
 */
class Walk {
  readonly #root: Buffer;
  readonly #kept: ReadonlyMap<string, ListedEntry>;
  readonly #options: ListOptions;
  readonly #dropped: ListedEntry[] = [];

  constructor(root: string, kept: ReadonlyMap<string, ListedEntry>, options: ListOptions) {
    this.#root = Buffer.from(root);
    this.#kept = kept;
    this.#options = options;
  }

  async run(): Promise<ListedEntry[]> {
    await this.#directory('');
    return this.#dropped;
  }

  /** False when it cannot be read: the scan did not have to. */
  async #directory(path: string): Promise<boolean> {
    this.#options.signal.throwIfAborted();
    const children = await readdir(this.#pathOf(path), {
      withFileTypes: true,
      encoding: 'buffer',
    }).catch(() => undefined);
    if (children === undefined) return false;
    const named = children.map((child) => ({
      child,
      path: joinPath(path, child.name.toString('latin1')),
    }));
    for (const each of named.toSorted((a, b) => comparePaths(a.path, b.path))) {
      await this.#child(each.child, each.path);
    }
    return true;
  }

  async #child(child: Dirent<Buffer>, path: string): Promise<void> {
    const isKept = this.#kept.has(path);
    const type = typeOf(child);
    if (type !== 'directory') {
      if (isKept) return;
      const size = type === 'file' ? await this.#sizeOf(path) : 0;
      this.#dropped.push({ path, type, size, kept: false, entered: true });
      return;
    }
    if (isKept) {
      await this.#directory(path);
      return;
    }
    // It comes before what is in it.
    const at = this.#dropped.push({ path, type, size: 0, kept: false, entered: true }) - 1;
    const entered = this.#options.all && (await this.#directory(path));
    if (!entered) this.#dropped[at] = { path, type, size: 0, kept: false, entered };
  }

  async #sizeOf(path: string): Promise<number> {
    return await lstat(this.#pathOf(path)).then(
      ({ size }) => size,
      () => 0,
    );
  }

  #pathOf(path: string): Buffer {
    return hostPath(this.#root, path);
  }
}

/** A name need not be UTF-8. */
function hostPath(root: Buffer, path: string): Buffer {
  return Buffer.concat([root, Buffer.from(`/${path}`, 'latin1')]);
}

type Kinds = Pick<
  Dirent,
  'isDirectory' | 'isSymbolicLink' | 'isSocket' | 'isFIFO' | 'isCharacterDevice' | 'isBlockDevice'
>;

function typeOf(child: Kinds): ListedEntry['type'] {
  if (child.isDirectory()) return 'directory';
  if (child.isSymbolicLink()) return 'symlink';
  if (child.isSocket()) return 'socket';
  if (child.isFIFO()) return 'fifo';
  if (child.isCharacterDevice()) return 'character';
  return child.isBlockDevice() ? 'block' : 'file';
}

/** Two lists in an index's order as one. */
function merge(a: readonly ListedEntry[], b: readonly ListedEntry[]): ListedEntry[] {
  const merged: ListedEntry[] = [];
  let next = 0;
  for (const entry of a) {
    for (let other = b[next]; other !== undefined; other = b[next]) {
      if (comparePaths(other.path, entry.path) > 0) break;
      merged.push(other);
      next++;
    }
    merged.push(entry);
  }
  return [...merged, ...b.slice(next)];
}

/** One entry of a context that need not be in its list; undefined when there is none. */
export async function statInContext(
  whole: string | LayerIndex | undefined,
  path: string,
): Promise<Pick<ListedEntry, 'type' | 'size'> | undefined> {
  if (whole === undefined) return undefined;
  if (typeof whole !== 'string') {
    const entry = whole.get(path);
    return entry === undefined ? undefined : listed(entry, false);
  }
  const found = await lstat(hostPath(Buffer.from(whole), path)).catch(() => undefined);
  if (found === undefined) return undefined;
  const type = typeOf(found);
  return { type, size: type === 'file' ? found.size : 0 };
}
