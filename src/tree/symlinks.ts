/** Symlinks in paths, followed as in a root filesystem: nothing leads out of it (CH-7). */

import type { Entry } from './entry.ts';
import { joinPath, parentOf } from './path.ts';

/** As many symlinks as BuildKit follows in one path. */
const MAX_SYMLINKS = 255;

export interface FollowOptions {
  /** What is at a path without symlinks in it. */
  readonly lookup: (path: string) => Entry | undefined;
  /** Whether a symlink at the path itself is followed. */
  readonly followLast: boolean;
}

/**
 * The path without symlinks, whether or not something is there: an absolute target starts at the
 * root again, `..` stops there. Undefined when the links do not end.
 */
export function followSymlinks(path: string, options: FollowOptions): string | undefined {
  let resolved = '';
  let rest = partsOf(path);
  for (let links = 0; rest.length > 0; ) {
    const [part = '', ...others] = rest;
    rest = others;
    if (part === '.') continue;
    if (part === '..') {
      resolved = parentOf(resolved);
      continue;
    }
    const next = joinPath(resolved, part);
    const entry = options.lookup(next);
    if (entry?.type === 'symlink' && (rest.length > 0 || options.followLast)) {
      if (++links > MAX_SYMLINKS) return undefined;
      if (entry.target.startsWith('/')) resolved = '';
      rest = [...partsOf(entry.target), ...rest];
    } else {
      resolved = next;
    }
  }
  return resolved;
}

function partsOf(path: string): string[] {
  return path.split('/').filter((part) => part !== '');
}
