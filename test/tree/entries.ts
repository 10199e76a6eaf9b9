/** Entries for tests, in a word each. */

import { digestOf } from '../../src/oci/digest.ts';
import type { DirectoryEntry, Entry, FileEntry, LinkEntry } from '../../src/tree/entry.ts';
import { encodeIndex } from '../../src/tree/index-codec.ts';
import { indexFromBytes, type LayerIndex } from '../../src/tree/layer-index.ts';
import { comparePaths } from '../../src/tree/path.ts';

const plain = { mode: 0o644, uid: 0, gid: 0, mtime: 1_700_000_000, mtimeNsec: 5 };

export function file(path: string, content = path): FileEntry {
  const sha256 = digestOf(content).slice('sha256:'.length);
  return { ...plain, path, type: 'file', size: content.length, sha256 };
}

export function directory(path: string, flags: Partial<DirectoryEntry> = {}): DirectoryEntry {
  return { ...plain, path, type: 'directory', mode: 0o755, ...flags };
}

export function symlink(path: string, target: string): LinkEntry {
  return { ...plain, path, type: 'symlink', mode: 0o777, target };
}

export function hardlink(path: string, target: string): LinkEntry {
  return { ...plain, path, type: 'hardlink', target };
}

export function whiteout(path: string): Entry {
  return { path, type: 'whiteout', mode: 0, uid: 0, gid: 0, mtime: 0, mtimeNsec: 0 };
}

/** A layer's index of entries in any order. */
export function layerOf(...entries: readonly Entry[]): LayerIndex {
  const sorted = entries.toSorted((a, b) => comparePaths(a.path, b.path));
  return indexFromBytes(encodeIndex(sorted).bytes);
}
