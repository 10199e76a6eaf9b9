/**
 * The layer that COPY, ADD and WORKDIR write: new entries over a parent tree, as data.
 *
 * It answers what is at a path as the steps see it (new entries first), creates missing parents, and
 * at the end lists the layer with every ancestor directory in it, with the metadata that the tree
 * gives them, so that layers unpacked apart merge into the right root filesystem.
 */

import { TsbuildError } from '../errors.ts';
import { type DirectoryEntry, type Entry, metadataOf } from '../tree/entry.ts';
import type { ImageTree } from '../tree/image-tree.ts';
import { ancestorsOf, comparePaths, isWithin, joinPath, parentOf, toText } from '../tree/path.ts';
import { followSymlinks } from '../tree/symlinks.ts';
import { type Graft, mergeTopmost, type Placed } from './placed.ts';

/** What a directory gets that is created because something goes below it. */
export interface NewDirectory {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtime: number;
}

/** `C` is what tells of a content; layers of directories alone have none. */
export class Destination<C = never> {
  readonly #tree: ImageTree;
  /** Lowest first; the last word on a path counts. */
  #layers: readonly NewLayer<C>[] = [];
  /** Only what replaces can lie over a directory. */
  #replaced = false;

  constructor(tree: ImageTree) {
    this.#tree = tree;
  }

  /** What was put at a path. */
  placedAt(path: string): Placed<C> | undefined {
    for (const layer of this.#layers.toReversed()) {
      const placed = layer.get(path);
      if (placed !== undefined) return placed;
    }
    return undefined;
  }

  /** What is at a path, symlinks not followed. */
  lookup(path: string): Entry | undefined {
    const own = this.placedAt(path);
    if (own !== undefined) return own.entry;
    if (this.#replaced && this.#isBuried(path)) return undefined;
    return this.#tree.lookup(path)?.entry;
  }

  /** Whether something new that is no directory is above a path: the tree's old content is gone there. */
  #isBuried(path: string): boolean {
    return ancestorsOf(path).some((ancestor) => {
      const above = this.placedAt(ancestor);
      return above !== undefined && above.entry.type !== 'directory';
    });
  }

  /** Follows symlinks in a path, the last one included; what is missing is taken as it is named (CP-10). */
  resolve(path: string): string {
    const resolved = followSymlinks(path, { followLast: true, lookup: (at) => this.lookup(at) });
    if (resolved !== undefined) return resolved;
    throw copyConflict(path, `too many symlinks at "/${toText(path)}"`);
  }

  /** The same for a path below a directory that stands for the root: nothing leads out of it. */
  resolveBelow(
    root: string,
    path: string,
    { followLast }: { readonly followLast: boolean },
  ): string {
    const lookup = (at: string): Entry | undefined => this.lookup(joinPath(root, at));
    const resolved = followSymlinks(path, { followLast, lookup });
    if (resolved !== undefined) return joinPath(root, resolved);
    throw copyConflict(path, `too many symlinks at "/${toText(path)}"`);
  }

  /** Gives a directory that is there another mode. */
  changeMode(path: string, mode: number): void {
    const existing = this.lookup(path);
    if (existing?.type === 'directory') this.put({ ...plainDirectory(existing), mode });
  }

  /** Makes a directory and its parents where missing. The path has no symlinks any more. */
  ensureDirectory(path: string, create: NewDirectory): void {
    if (path === '') return;
    const existing = this.lookup(path);
    if (existing?.type === 'directory') return;
    if (existing !== undefined) {
      throw copyConflict(path, `"/${toText(path)}" is not a directory`);
    }
    this.ensureDirectory(parentOf(path), create);
    this.#held().set(path, {
      entry: { path, type: 'directory', mtimeNsec: 0, ...create },
      content: undefined,
    });
  }

  /** Puts an entry whose parent exists. @throws ERR_COPY_CONFLICT between directories and others (CP-9). */
  put(entry: Entry, content?: C): void {
    this.check(entry);
    this.#held().set(entry.path, { entry, content });
  }

  /** Whether an entry could be put. @throws ERR_COPY_CONFLICT */
  check(entry: Entry): void {
    const existing = this.lookup(entry.path);
    const isDirectory = entry.type === 'directory';
    if (existing !== undefined && isDirectory && existing.type !== 'directory') {
      throw copyConflict(entry.path, `cannot copy to non-directory: /${toText(entry.path)}`);
    }
    if (existing?.type === 'directory' && !isDirectory) {
      throw copyConflict(
        entry.path,
        `cannot replace to directory /${toText(entry.path)} with file`,
      );
    }
  }

  /** Whether one more directory can be put as a graft: with many, each lookup would ask them all. */
  get takesGrafts(): boolean {
    return this.#layers.length < MAX_LAYERS;
  }

  /** Puts everything of a directory, all of it checked, below parents that exist. */
  graft(graft: Graft<C>): void {
    this.#layers = [...this.#layers, graft];
  }

  /** Puts an entry as `tar -x` does: whatever is there makes way, unless both are directories. */
  replace(entry: Entry, content?: C): void {
    this.#replaced = true;
    const held = this.#flattened();
    if (entry.type !== 'directory' && held.get(entry.path)?.entry.type === 'directory') {
      for (const path of held.keys()) if (isWithin(path, entry.path)) held.delete(path);
    }
    held.set(entry.path, { entry, content });
  }

  /** Whether nothing was put: the layer would be empty. */
  get isEmpty(): boolean {
    return this.#layers.length === 0;
  }

  /** What was put one by one, in no order. */
  *held(): Generator<Placed<C>> {
    for (const layer of this.#layers) if (layer instanceof Map) yield* layer.values();
  }

  /** The layer, in an index's order. */
  entries(): Entry[] {
    return [...this.placed()].map(({ entry }) => entry);
  }

  /** The same one after the other, with contents: nothing that was grafted is held. */
  *placed(): Generator<Placed<C>> {
    const ancestors = this.#ancestors();
    const lists = this.#layers.map((layer) =>
      layer instanceof Map ? sorted(layer.values()) : layer.walk(),
    );
    yield* mergeTopmost([ancestors, ...lists]);
  }

  /** Directories of the tree above what was put one by one; above a graft, its own are among these. */
  #ancestors(): Placed<C>[] {
    const ancestors = new Map<string, Placed<C>>();
    const paths = [...this.held()].map(({ entry }) => entry.path);
    const grafted = this.#layers.flatMap((layer) => firstOf(layer));
    for (const path of [...paths, ...grafted]) {
      for (const ancestor of ancestorsOf(path)) {
        if (ancestors.has(ancestor) || this.placedAt(ancestor) !== undefined) continue;
        const found = this.#tree.lookup(ancestor)?.entry;
        if (found?.type !== 'directory') continue;
        ancestors.set(ancestor, { entry: plainDirectory(found), content: undefined });
      }
    }
    return sorted(ancestors.values());
  }

  /** The topmost layer of what is put one by one. */
  #held(): Map<string, Placed<C>> {
    const top = this.#layers.at(-1);
    if (top instanceof Map) return top;
    const held = new Map<string, Placed<C>>();
    this.#layers = [...this.#layers, held];
    return held;
  }

  /** All layers as one that is held. */
  #flattened(): Map<string, Placed<C>> {
    const [only, ...others] = this.#layers;
    if (only instanceof Map && others.length === 0) return only;
    const held = new Map<string, Placed<C>>();
    for (const layer of this.#layers) {
      const placed = layer instanceof Map ? layer.values() : layer.walk();
      for (const each of placed) held.set(each.entry.path, each);
    }
    this.#layers = [held];
    return held;
  }
}

/** Entries that are held, by path, or a graft. */
type NewLayer<C> = Map<string, Placed<C>> | Graft<C>;

const MAX_LAYERS = 16;

/** The path of a graft's first entry: it has the same ancestors as all others, but for the graft's own. */
function firstOf<C>(layer: NewLayer<C>): string[] {
  if (layer instanceof Map) return [];
  for (const { entry } of layer.walk()) return [entry.path];
  return [];
}

function sorted<C>(placed: Iterable<Placed<C>>): Placed<C>[] {
  return [...placed].sort((a, b) => comparePaths(a.entry.path, b.entry.path));
}

/** A directory as it is seen, without what only its own layer's index says. */
function plainDirectory(directory: DirectoryEntry): DirectoryEntry {
  return { ...metadataOf(directory), type: 'directory' };
}

/** A COPY that cannot be, between what is there and what comes. */
export function copyConflict(path: string, why: string): TsbuildError {
  return new TsbuildError('ERR_COPY_CONFLICT', {
    message: `Cannot copy: ${why}`,
    details: { path: `/${toText(path)}` },
  });
}
