/** What is in the layers of an image, entry by entry, as they stand in the tars. */

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { checkLayout, type RawDescriptor } from './check.ts';

export interface LayerEntry {
  /** A directory's ends with a slash. */
  readonly name: string;
  readonly type: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Seconds. */
  readonly mtime: number;
  /** Of a link. */
  readonly target?: string;
  /** Major and minor. */
  readonly device: readonly [number, number];
  /** By name: the value in hexadecimal. */
  readonly xattrs: Readonly<Record<string, string>>;
}

export interface ImageLayers {
  readonly diffIDs: readonly string[];
  /** Lowest first. */
  readonly layers: readonly (readonly LayerEntry[])[];
}

interface RawDocuments {
  readonly config: RawDescriptor;
  readonly layers: readonly RawDescriptor[];
  readonly rootfs: { readonly diff_ids: readonly string[] };
}

/** The layers of the only image of a layout, which is checked. */
export async function readLayers(layout: string): Promise<ImageLayers> {
  const [entry] = await checkLayout(layout);
  if (entry === undefined) throw new Error('an empty layout');
  const blob = async ({ digest }: RawDescriptor) =>
    await readFile(join(layout, 'blobs', digest.replace(':', '/')));
  const parse = (bytes: Buffer) => JSON.parse(bytes.toString()) as RawDocuments;
  const manifest = parse(await blob(entry));
  const { rootfs } = parse(await blob(manifest.config));
  const layers = await Promise.all(
    manifest.layers.map(async (each) => entriesOf(await blob(each))),
  );
  return { diffIDs: rootfs.diff_ids, layers };
}

const TYPES = ['file', 'link', 'symlink', 'character-device', 'block-device', 'directory', 'fifo'];

/** Reads a tar by the letter: byte strings stay what they are, and nothing is forgiven. */
function entriesOf(packed: Buffer): readonly LayerEntry[] {
  const isGzip = packed.readUInt16BE(0) === 0x1f8b;
  const bytes = isGzip ? gunzipSync(packed) : packed;
  const entries: LayerEntry[] = [];
  let pax = new Map<string, string>();
  for (let at = 0; bytes[at] !== 0; ) {
    const header = bytes.subarray(at, at + 512);
    const size = Number(pax.get('size') ?? octal(header, 124, 12));
    const content = bytes.subarray(at + 512, at + 512 + size);
    at += 512 + Math.ceil(size / 512) * 512;
    const type = text(header, 156, 1);
    if (type === 'x') {
      pax = paxRecords(content);
      continue;
    }
    entries.push(entryOf(header, TYPES[Number(type)] ?? `type ${type}`, pax));
    pax = new Map();
  }
  return entries;
}

function entryOf(header: Buffer, type: string, pax: ReadonlyMap<string, string>): LayerEntry {
  const prefix = text(header, 345, 155);
  const name = (prefix === '' ? '' : `${prefix}/`) + text(header, 0, 100);
  const target = pax.get('linkpath') ?? text(header, 157, 100);
  const xattrs = [...pax]
    .filter(([key]) => key.startsWith(XATTR))
    .map(([key, value]) => [key.slice(XATTR.length), Buffer.from(value, 'latin1').toString('hex')]);
  return {
    name: pax.get('path') ?? name,
    type,
    mode: octal(header, 100, 8),
    uid: Number(pax.get('uid') ?? octal(header, 108, 8)),
    gid: Number(pax.get('gid') ?? octal(header, 116, 8)),
    mtime: Number(pax.get('mtime') ?? octal(header, 136, 12)),
    ...(target !== '' && { target }),
    device: [octal(header, 329, 8), octal(header, 337, 8)],
    xattrs: Object.fromEntries(xattrs) as Record<string, string>,
  };
}

const XATTR = 'SCHILY.xattr.';

function paxRecords(content: Buffer): Map<string, string> {
  const records = new Map<string, string>();
  for (let at = 0; at < content.length; ) {
    const space = content.indexOf(' ', at);
    const end = at + Number(content.toString('latin1', at, space));
    const record = content.toString('latin1', space + 1, end - 1);
    const equals = record.indexOf('=');
    records.set(record.slice(0, equals), record.slice(equals + 1));
    at = end;
  }
  return records;
}

function text(block: Buffer, at: number, width: number): string {
  return block.toString('latin1', at, at + width).replace(/\0.*$/s, '');
}

function octal(block: Buffer, at: number, width: number): number {
  return Number.parseInt(text(block, at, width).trim() || '0', 8);
}
