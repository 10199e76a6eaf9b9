/** Paths inside an image, as Dockerfiles write them. */

import { posix } from 'node:path';

/** `path` below `directory` unless absolute; absolute, without `.`, `..` and trailing slash. */
export function resolvePath(directory: string, path: string): string {
  return posix.resolve('/', directory, path);
}

/**
 * A destination of COPY or ADD. A trailing slash, or `/.`, means a directory and is kept (CP-7); so
 * does a destination that says nothing but "here".
 */
export function resolveDestination(directory: string, path: string): string {
  const written = path === '' || path === '.' ? './' : path;
  const resolved = resolvePath(directory, written);
  if (resolved === '/') return '/';
  if (written.endsWith('/')) return `${resolved}/`;
  return written.endsWith('/.') ? `${resolved}/.` : resolved;
}

/** Go's `path.Clean`: shortest form, relative stays relative. */
export function cleanPath(path: string): string {
  const clean = posix.normalize(path === '' ? '.' : path);
  return clean.length > 1 && clean.endsWith('/') ? clean.slice(0, -1) : clean;
}
