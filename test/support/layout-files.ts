/** What is in an image, whoever built it: its config, and its files with all layers applied. */

import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { extract, type Header } from 'tar-stream';
import type { ContainerConfig } from '../../src/oci/image.ts';

/** A path of an image, told so that two images can be compared. */
export interface ImageFile {
  readonly type: string;
  /** Octal. */
  readonly mode: string;
  /** `uid:gid` */
  readonly owner: string;
  /** A symbolic link's. */
  readonly target?: string;
  /** A regular file's. */
  readonly sha256?: string;
  /** The first path of this file, for a hard link and for what it links to. */
  readonly sameAs?: string;
  /** A device's major and minor. */
  readonly device?: string;
  /** By name: byte strings. */
  readonly xattrs?: Readonly<Record<string, string>>;
  /** Seconds since the Unix epoch, when asked for; a directory's is that of its last change. */
  readonly mtime?: number;
}

export interface ReadImage {
  readonly config: ContainerConfig;
  /** By path, without a leading slash, sorted. */
  readonly files: Readonly<Record<string, ImageFile>>;
}

interface RawDescriptor {
  readonly digest: string;
}

interface RawDocuments {
  readonly manifests: readonly RawDescriptor[];
  readonly layers: readonly RawDescriptor[];
  readonly config: ContainerConfig & RawDescriptor;
}

/** Several paths share one of these when they are hard links of one another. */
interface Node {
  readonly header: Header;
  readonly sha256: string;
}

/** Reads the only image of a layout. */
export async function readImage(layout: string): Promise<ReadImage> {
  const { config, nodes } = await readLayout(layout);
  return { config, files: filesOf(nodes) };
}

/** Its files alone, with times. */
export async function readImageTree(layout: string): Promise<ReadImage['files']> {
  const { nodes } = await readLayout(layout);
  return filesOf(nodes, { times: true });
}

/** The files of a tar, with times. */
export async function readTarTree(bytes: Buffer): Promise<ReadImage['files']> {
  const nodes = new Map<string, Node>();
  await applyLayer(bytes, nodes);
  return filesOf(nodes, { times: true });
}

async function readLayout(
  layout: string,
): Promise<{ readonly config: ContainerConfig; readonly nodes: ReadonlyMap<string, Node> }> {
  const blob = async ({ digest }: RawDescriptor) =>
    await readFile(join(layout, 'blobs', digest.replace(':', '/')));
  const parse = (bytes: Buffer) => JSON.parse(bytes.toString()) as RawDocuments;
  const { manifests } = parse(await readFile(join(layout, 'index.json')));
  const [entry] = manifests;
  if (entry === undefined || manifests.length > 1) throw new Error('not one image');
  const { config, layers } = parse(await blob(entry));
  const nodes = new Map<string, Node>();
  for (const layer of layers) await applyLayer(await blob(layer), nodes);
  return { config: parse(await blob(config)).config, nodes };
}

async function applyLayer(packed: Buffer, nodes: Map<string, Node>): Promise<void> {
  const isGzip = packed.readUInt16BE(0) === 0x1f8b;
  const own = new Map<string, Node>();
  const archive = extract();
  archive.end(isGzip ? gunzipSync(packed) : packed);
  for await (const entry of archive) {
    const { header } = entry;
    const path = header.name.replace(/^\.?\/+/, '').replace(/\/$/, '');
    const hash = createHash('sha256');
    for await (const chunk of entry) hash.update(chunk as Uint8Array);
    const [, folder = '', name = ''] = /^(.*?)([^/]*)$/.exec(path) ?? [];
    if (name === '.wh..wh..opq') removeBelow(folder.slice(0, -1), nodes);
    else if (name.startsWith('.wh.')) removeAt(folder + name.slice('.wh.'.length), nodes);
    else if (path !== '' && path !== '.') own.set(path, nodeOf(header, hash.digest('hex'), own));
  }
  for (const [path, node] of own) {
    // What was a directory and is one no longer has taken its files along.
    if (node.header.type !== 'directory') removeBelow(path, nodes);
    nodes.set(path, node);
  }
}

function nodeOf(header: Header, sha256: string, own: ReadonlyMap<string, Node>): Node {
  if (header.type !== 'link') return { header, sha256 };
  const target = own.get((header.linkname ?? '').replace(/^\.?\/+/, ''));
  if (target === undefined) throw new Error(`"${header.name}" links to nothing in its layer`);
  return target;
}

function removeAt(path: string, nodes: Map<string, Node>): void {
  nodes.delete(path);
  removeBelow(path, nodes);
}

function removeBelow(folder: string, nodes: Map<string, Node>): void {
  for (const path of nodes.keys()) if (path.startsWith(`${folder}/`)) nodes.delete(path);
}

function filesOf(
  nodes: ReadonlyMap<string, Node>,
  { times = false }: { readonly times?: boolean } = {},
): Readonly<Record<string, ImageFile>> {
  const paths = [...nodes.keys()].sort();
  const files: Record<string, ImageFile> = {};
  const firsts = new Map<Node, string>();
  const counts = new Map<Node, number>();
  for (const node of nodes.values()) counts.set(node, (counts.get(node) ?? 0) + 1);
  for (const path of paths) {
    const node = nodes.get(path);
    if (node === undefined) continue;
    const { type, mode, uid, gid, linkname, devmajor, devminor, mtime } = node.header;
    const xattrs = xattrsOf(node.header);
    if (!firsts.has(node)) firsts.set(node, path);
    files[path] = {
      type: type ?? 'file',
      mode: (mode & 0o7777).toString(8),
      owner: `${uid}:${gid}`,
      ...(type === 'symlink' && { target: linkname ?? '' }),
      ...(type === 'file' && { sha256: node.sha256 }),
      ...(type?.endsWith('-device') && { device: `${devmajor}:${devminor}` }),
      ...(Object.keys(xattrs).length > 0 && { xattrs }),
      ...(times && type !== 'directory' && { mtime: Math.floor((mtime?.getTime() ?? 0) / 1000) }),
      ...((counts.get(node) ?? 0) > 1 && { sameAs: firsts.get(node) ?? '' }),
    };
  }
  return files;
}

const XATTR = 'SCHILY.xattr.';

function xattrsOf({ pax }: Header): Readonly<Record<string, string>> {
  const records = Object.entries(pax ?? {}).filter(([key]) => key.startsWith(XATTR));
  return Object.fromEntries(records.map(([key, value]) => [key.slice(XATTR.length), value]));
}
