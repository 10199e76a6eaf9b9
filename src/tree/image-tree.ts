/**
 * The virtual root filesystem: the merge of the layers' indexes, without copying them.
 *
 * A lookup asks the layers from the top down and stops where one hides what is below it:
 *
 * 1. the layer has the path: a whiteout means "nothing there", anything else is the answer;
 * 2. the layer has a whiteout or something that is no directory at an ancestor: nothing there;
 * 3. the layer has the ancestor as an opaque directory: lower layers do not count;
 * 4. else the next layer is asked, unless this one's root is opaque.
 *
 * A directory that an archive merely implied has its metadata from below (src/tree/README.md).
 */

import type { DirectoryEntry, Entry, FileEntry } from './entry.ts';
import type { LayerIndex } from './layer-index.ts';
import { ancestorsOf, comparePaths, isWithin, parentOf } from './path.ts';
import { followSymlinks } from './symlinks.ts';

/** An entry and the layer that it comes from: a place in the list the tree was made of. */
export interface Found {
  readonly entry: Entry;
  readonly layer: number;
}

/** The root directory, which no index lists. */
const ROOT: DirectoryEntry = {
  path: '',
  type: 'directory',
  mode: 0o755,
  uid: 0,
  gid: 0,
  mtime: 0,
  mtimeNsec: 0,
};

export class ImageTree {
  /** Lowest first. */
  readonly layers: readonly LayerIndex[];
  /** The number of the lowest layer that counts: those below one whose root is opaque do not. */
  readonly lowest: number;
  /** Directories and symlinks: they are asked for again with each path below them. */
  readonly #ways = new Map<string, Found>();

  constructor(layers: readonly LayerIndex[]) {
    this.layers = layers;
    this.lowest = Math.max(0, layers.findLastIndex(isOpaque));
  }

  /** What is at a path, symlinks not followed. Parents that are symlinks lead nowhere: `resolve()` first. */
  lookup(path: string): Found | undefined {
    if (path === '') return { entry: ROOT, layer: -1 };
    const known = this.#ways.get(path);
    if (known !== undefined) return known;
    const found = this.#lookup(path, this.layers.length - 1);
    const type = found?.entry.type;
    if (found && (type === 'directory' || type === 'symlink')) this.#ways.set(path, found);
    return found;
  }

  #lookup(path: string, top: number): Found | undefined {
    const ancestors = ancestorsOf(path);
    for (let number = top; number >= this.lowest; number--) {
      const layer = this.layers[number];
      if (layer === undefined) return undefined;
      const entry = layer.get(path);
      if (entry?.type === 'whiteout') return undefined;
      if (entry?.type === 'directory' && entry.implied) {
        const below = this.#hides(layer, ancestors) ? undefined : this.#lookup(path, number - 1);
        return below?.entry.type === 'directory' ? below : { entry, layer: number };
      }
      if (entry !== undefined) return { entry: ownOf(entry, layer), layer: number };
      if (this.#hides(layer, ancestors)) return undefined;
    }
    return undefined;
  }

  /** Whether a layer says that nothing of the layers below it is visible under these directories. */
  #hides(layer: LayerIndex, ancestors: readonly string[]): boolean {
    for (const ancestor of ancestors) {
      const entry = layer.get(ancestor);
      // Without the directory itself, nothing further down can be in this layer.
      if (entry === undefined) return false;
      if (entry.type !== 'directory' || entry.opaque) return true;
    }
    return false;
  }

  /** The file that a path's content is: hardlinks lead to their target in the same layer. */
  fileAt(path: string): { readonly entry: FileEntry; readonly layer: number } | undefined {
    const found = this.lookup(path);
    return found === undefined ? undefined : this.contentOf(found);
  }

  /** The same for an entry that was found already. */
  contentOf(found: Found): { readonly entry: FileEntry; readonly layer: number } | undefined {
    const { entry, layer } = found;
    if (entry.type === 'file') return { entry, layer };
    if (entry.type !== 'hardlink') return undefined;
    const target = this.layers[layer]?.get(entry.target);
    return target?.type === 'file' ? { entry: target, layer } : undefined;
  }

  /** Follows symlinks inside the root: `followSymlinks()`. */
  resolve(path: string, { followLast }: { readonly followLast: boolean }): string | undefined {
    return followSymlinks(path, { followLast, lookup: (at) => this.lookup(at)?.entry });
  }

  /** Everything below a directory in order, parents before children; not the directory itself. */
  *below(directory: string): Generator<Found> {
    const seen = this.layers.slice(this.lowest);
    const [only, ...others] = seen;
    if (only !== undefined && others.length === 0) {
      yield* belowIn(only, this.lowest, directory);
      return;
    }
    const walks = seen.map((layer) => layer.within(directory));
    const heads = walks.map((walk) => nextOf(walk));
    for (;;) {
      const path = lowest(heads);
      if (path === undefined) return;
      // Advance every layer that has this path; the tree itself decides which of them is seen.
      heads.forEach((head, number) => {
        const walk = walks[number];
        if (head?.path === path && walk !== undefined) heads[number] = nextOf(walk);
      });
      if (path === directory) continue;
      const found = this.lookup(path);
      if (found !== undefined && this.#visible(path, directory)) yield found;
    }
  }

  /** Whether every directory between is still a directory: a lower layer's file may lie under an upper one's. */
  #visible(path: string, directory: string): boolean {
    const parent = parentOf(path);
    if (parent === directory || !isWithin(parent, directory)) return true;
    return this.lookup(parent)?.entry.type === 'directory' && this.#visible(parent, directory);
  }

  /** The names in a directory, in order. */
  *list(directory: string): Generator<Found> {
    for (const found of this.below(directory)) {
      if (parentOf(found.entry.path) === directory) yield found;
    }
  }
}

/** The same of a tree of one layer, such as a build context: nothing is hidden, nothing needs a lookup. */
function* belowIn(layer: LayerIndex, number: number, directory: string): Generator<Found> {
  let leaf: string | undefined;
  for (const entry of layer.within(directory)) {
    const { path, type } = entry;
    if (path === directory || type === 'whiteout') continue;
    // An archive may say that something is below what is no directory.
    if (leaf !== undefined && isWithin(path, leaf)) continue;
    if (type !== 'directory') leaf = path;
    yield { entry: ownOf(entry, layer), layer: number };
  }
}

/** A hard link to a symlink, a device or a FIFO is one itself; only files have content to share. */
function ownOf(entry: Entry, layer: LayerIndex): Entry {
  const target = entry.type === 'hardlink' ? layer.get(entry.target) : undefined;
  return target === undefined || target.type === 'file' ? entry : { ...target, path: entry.path };
}

/** Whether a layer says that nothing below it counts. */
function isOpaque(layer: LayerIndex): boolean {
  const root = layer.get('');
  return root?.type === 'directory' && root.opaque === true;
}

function nextOf(walk: Generator<Entry>): Entry | undefined {
  const next = walk.next();
  return next.done ? undefined : next.value;
}

function lowest(heads: readonly (Entry | undefined)[]): string | undefined {
  let path: string | undefined;
  for (const head of heads) {
    if (head !== undefined && (path === undefined || comparePaths(head.path, path) < 0)) {
      path = head.path;
    }
  }
  return path;
}
