/** What two builders made of the same Dockerfile, entry by entry. */

import type { Files } from './builders.ts';
import { OLD } from './context.ts';

/** By path, what is not equal, ours first: as lines. A failed build has one path, `fails`. */
export function differencesOf(
  ours: Files,
  theirs: Files,
): Readonly<Record<string, readonly string[]>> {
  const [a, b] = [linesOf(ours), linesOf(theirs)];
  const found: Record<string, readonly string[]> = {};
  for (const path of new Set([...Object.keys(a), ...Object.keys(b)])) {
    if (a[path] !== b[path]) found[path] = [a[path] ?? '', b[path] ?? ''];
  }
  if (ours === undefined || theirs === undefined) {
    if (ours === theirs) return {};
    return {
      '': [ours === undefined ? 'fails' : 'builds', theirs === undefined ? 'fails' : 'builds'],
    };
  }
  return found;
}

function linesOf(files: Files): Readonly<Record<string, string>> {
  const lines = Object.entries(files ?? {}).map(([path, file]) => {
    const { type, mode, owner, target, sha256, sameAs, device, xattrs, mtime } = file;
    const parts = [
      ...[type, type === 'symlink' ? '' : mode, owner, target, device, sameAs && `= ${sameAs}`],
      ...[sha256?.slice(0, 8), xattrs && JSON.stringify(xattrs)],
      // Only where what is copied has a time: what a build makes itself has its own.
      mtime === OLD ? 'old' : '',
    ];
    return [path, parts.filter((part) => part !== undefined && part !== '').join(' ')] as const;
  });
  return Object.fromEntries(lines);
}
