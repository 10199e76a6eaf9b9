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

/** What a directory gets that is created because something goes below it. */
export interface NewDirectory {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtime: number;
}

export class Destination {
  readonly #tree: ImageTree;
  readonly #entries = new Map<string, Entry>();

  constructor(tree: ImageTree) {
    this.#tree = tree;
  }

  /** What is at a path, symlinks not followed. */
  lookup(path: string): Entry | undefined {
    const own = this.#entries.get(path);
    if (own !== undefined) return own;
    // Below something new that is no directory, the tree's old content is gone.
    for (const ancestor of ancestorsOf(path)) {
      const above = this.#entries.get(ancestor);
      if (above !== undefined && above.type !== 'directory') return undefined;
    }
    return this.#tree.lookup(path)?.entry;
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
    this.#entries.set(path, { path, type: 'directory', mtimeNsec: 0, ...create });
  }

  /** Puts an entry whose parent exists. @throws ERR_COPY_CONFLICT between directories and others (CP-9). */
  put(entry: Entry): void {
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
    this.#entries.set(entry.path, entry);
  }

  /** Puts an entry as `tar -x` does: whatever is there makes way, unless both are directories. */
  replace(entry: Entry): void {
    if (entry.type !== 'directory' && this.#entries.get(entry.path)?.type === 'directory') {
      for (const path of this.#entries.keys()) {
        if (isWithin(path, entry.path)) this.#entries.delete(path);
      }
    }
    this.#entries.set(entry.path, entry);
  }

  /** Whether nothing was put: the layer would be empty. */
  get isEmpty(): boolean {
    return this.#entries.size === 0;
  }

  /** The layer, in an index's order. */
  entries(): Entry[] {
    const ancestors = new Map<string, Entry>();
    for (const path of this.#entries.keys()) {
      for (const ancestor of ancestorsOf(path)) {
        if (this.#entries.has(ancestor) || ancestors.has(ancestor)) continue;
        const found = this.#tree.lookup(ancestor)?.entry;
        if (found?.type === 'directory') ancestors.set(ancestor, plainDirectory(found));
      }
    }
    const all = [...this.#entries.values(), ...ancestors.values()];
    return all.sort((a, b) => comparePaths(a.path, b.path));
  }
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
