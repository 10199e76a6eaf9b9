/** What of a context this user may not read is no failure until somebody wants it (CTX-8). */

import { TsbuildError } from '../errors.ts';
import { tryGlob } from '../tree/glob.ts';
import { isWithin, toPath, toText } from '../tree/path.ts';
import type { Origin } from './origins.ts';

/** Refuses a source, or a pattern, that may mean something unreadable. @throws ERR_CONTEXT_MISSING */
export function requireReadable(
  { unreadable }: Pick<Origin, 'unreadable'>,
  source: string,
  resolved: readonly string[],
): void {
  if (unreadable.length === 0) return;
  const pattern = toPath(source);
  const wanted = unreadable.find(
    (path) => mayMean(pattern, path) || resolved.some((each) => isWithin(path, each)),
  );
  if (wanted === undefined) return;
  const shown = toText(wanted);
  throw new TsbuildError('ERR_CONTEXT_MISSING', {
    message: `Cannot read "${shown}" of the build context: permission denied`,
    details: { path: shown },
    hint: 'Make it readable for the user who builds, or name it in .dockerignore.',
  });
}

/** Whether a pattern may match a path, something above it, or something below it. */
function mayMean(pattern: string, path: string): boolean {
  const names = path.split('/');
  const parts = pattern === '' ? [] : pattern.split('/');
  for (const [index, part] of parts.entries()) {
    const name = names[index];
    if (name === undefined || part.includes('**')) return true;
    // A malformed pattern is for others to tell.
    if (part !== name && tryGlob(toText(part), toText(name)) === false) return false;
  }
  return true;
}
