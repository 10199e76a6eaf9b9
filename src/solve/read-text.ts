/** Small files of a root filesystem that exists only as layers. */

import { open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ImageTree } from '../tree/image-tree.ts';
import type { Layer } from './layer.ts';
import type { Layers } from './layers.ts';

/** The text of a small file of a tree, e.g. /etc/passwd; undefined when there is none. */
export async function readText(
  list: readonly Layer[],
  tree: ImageTree,
  path: string,
  layers: Layers,
): Promise<string | undefined> {
  const resolved = tree.resolve(path, { followLast: true });
  const found = resolved === undefined ? undefined : tree.fileAt(resolved);
  const layer = found === undefined ? undefined : list[found.layer];
  if (found === undefined || layer === undefined) return undefined;
  const content = await layers.content(layer);
  const { entry } = found;
  if (content.kind === 'directory') {
    return await readFile(join(content.path, entry.path), 'utf8');
  }
  const ranged = content.index.get(entry.path);
  if (ranged?.type !== 'file' || ranged.source?.kind !== 'range') return undefined;
  const file = await open(content.path);
  try {
    const bytes = Buffer.alloc(ranged.size);
    await file.read(bytes, 0, ranged.size, ranged.source.offset);
    return bytes.toString('utf8');
  } finally {
    await file.close();
  }
}
