/** Files of a root filesystem that exists only as layers, one by one: whole, and in memory. */

import { readFile } from 'node:fs/promises';
import { hasCode } from '../errors.ts';
import type { ScannedContext } from '../context/scanned-context.ts';
import type { FileEntry } from '../tree/entry.ts';
import { ImageTree } from '../tree/image-tree.ts';
import { toBytes } from '../tree/path.ts';
import type { Layer } from './layer.ts';
import type { LayerArchive, Layers } from './layers.ts';
import { memberBytes } from './member-bytes.ts';

export interface ImageFiles {
  readonly tree: ImageTree;
  /** A file's bytes; undefined for what is no file, too large for that, or may not be read by this user. */
  readonly read: (path: string) => Promise<Buffer | undefined>;
}

/** The largest databases of packages are a fifth of it. */
const MAX_FILE = 256 * 1024 * 1024;

/** Opens the root filesystem of layers, lowest first. */
export async function openImageFiles(list: readonly Layer[], layers: Layers): Promise<ImageFiles> {
  const tree = await layers.tree(list, { directories: false });
  return {
    tree,
    read: async (path) => {
      const found = tree.fileAt(path);
      const layer = found === undefined ? undefined : list[found.layer];
      if (found === undefined || layer === undefined || found.entry.size > MAX_FILE)
        return undefined;
      return await readFrom(layer, found.entry.path, layers);
    },
  };
}

/** The files of a build context. */
export function openContextFiles(context: ScannedContext, layers: Layers): ImageFiles {
  const index = layers.openIndex(context.index);
  const tree = new ImageTree([index]);
  return {
    tree,
    read: async (path) => {
      const entry = tree.fileAt(path)?.entry;
      if (entry === undefined || entry.size > MAX_FILE) return undefined;
      return context.kind === 'directory'
        ? await readIn(context.directory, path)
        : await readMember(context.file, entry);
    },
  };
}

async function readFrom(layer: Layer, path: string, layers: Layers): Promise<Buffer | undefined> {
  const content = await layers.content(layer);
  if (content.kind === 'tar') return await readArchived(content, path);
  const bytes = await readIn(content.path, path);
  if (bytes !== undefined) return bytes;
  try {
    return await readArchived(await layers.archive(layer), path);
  } catch (error) {
    // A stage that no image is made of has no blob.
    if (hasCode(error, 'ERR_LAYER_INVALID')) return undefined;
    throw error;
  }
}

async function readArchived(
  { path: archive, index }: LayerArchive,
  path: string,
): Promise<Buffer | undefined> {
  const entry = index.get(path);
  return entry?.type === 'file' ? await readMember(archive, entry) : undefined;
}

/** In a directory whose files belong to many ids, some are not for us. */
async function readIn(directory: string, path: string): Promise<Buffer | undefined> {
  const name = Buffer.from(`${toBytes(directory)}/${path}`, 'latin1');
  return await readFile(name).catch(() => undefined);
}

async function readMember(
  archive: string,
  { source, size }: FileEntry,
): Promise<Buffer | undefined> {
  if (source === undefined) return undefined;
  const chunks: Uint8Array[] = [];
  for await (const chunk of memberBytes(archive, source, size)) chunks.push(chunk);
  return Buffer.concat(chunks);
}
