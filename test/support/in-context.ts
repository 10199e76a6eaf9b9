/** Calls of the public API with a context made for them. */

import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { BuildOptions } from '../../src/index.ts';
import { withDirectory } from './temporary.ts';

/** Contents by path. */
export type Files = Readonly<Record<string, string>>;

/** Calls with a context of these files, or of a Dockerfile alone, and a store of its own. */
export async function inContext<T>(
  content: string | Files,
  use: (options: BuildOptions & { readonly context: string }) => Promise<T>,
  more: Partial<BuildOptions> = {},
): Promise<T> {
  const files = typeof content === 'string' ? { Dockerfile: content } : content;
  return await withDirectory(async (folder) => {
    const context = join(folder, 'context');
    await mkdir(context);
    for (const [name, text] of Object.entries(files)) {
      await mkdir(dirname(join(context, name)), { recursive: true });
      await writeFile(join(context, name), text);
    }
    return await use({ store: join(folder, 'store'), ...more, context });
  });
}
