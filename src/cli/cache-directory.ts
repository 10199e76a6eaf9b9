/** Where caches of programs belong. Imports nothing of ours: it is needed before anything is loaded. */

import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';

/** XDG's cache directory; for root without one /var/cache. */
export function cacheDirectory(environment: Readonly<Record<string, string | undefined>>): string {
  const { XDG_CACHE_HOME, HOME } = environment;
  // The XDG base directory specification: relative paths are to be ignored.
  if (XDG_CACHE_HOME && isAbsolute(XDG_CACHE_HOME)) return XDG_CACHE_HOME;
  return process.getuid?.() === 0 ? '/var/cache' : join(HOME || homedir(), '.cache');
}
