/** Where a file is that a message names. */

import { resolve } from 'node:path';
import type { BuildOptions } from '../index.ts';

/**
 * The path of the Dockerfile, or of what is named beside it. Undefined when the context came from elsewhere, and the
 * name is one in there.
 */
export function dockerfilePath(
  file: string,
  { context, dockerfile }: Pick<BuildOptions, 'context' | 'dockerfile'>,
): string | undefined {
  if (typeof context !== 'string' || /^[\w.+-]+(?::\/\/|@)/.test(context)) return undefined;
  return resolve(dockerfile === undefined ? context : '.', file);
}
