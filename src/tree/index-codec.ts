/** The bytes of an index file, both ways: README.md has the format, `native/src/index.rs` the other half. */

import { createHash } from 'node:crypto';
import { type Digest, parseDigest } from '../oci/digest.ts';
import type { Entry, EntrySource } from './entry.ts';
import { ByteReader, type ByteSource, ByteWriter, invalidIndex } from './bytes.ts';
import { comparePaths } from './path.ts';

const MAGIC = 'tsbidx1\n';
const ENTRIES_PER_BLOCK = 128;
/** table offset u64, entries u64, blocks u32, magic. */
export const TRAILER_LENGTH = 28;

const FLAG = { digest: 1, xattrs: 2, opaque: 4, source: 8, implied: 16 } as const;

const TYPE_OF_CODE: Readonly<Record<string, Entry['type']>> = {
  f: 'file',
  d: 'directory',
  l: 'symlink',
  h: 'hardlink',
  c: 'character',
  b: 'block',
  p: 'fifo',
  w: 'whiteout',
};
const CODE_OF_TYPE = Object.fromEntries(
  Object.entries(TYPE_OF_CODE).map(([code, type]) => [type, code.charCodeAt(0)]),
) as Readonly<Record<Entry['type'], number>>;

/** Where an index's blocks are. */
export interface IndexTable {
  readonly entries: number;
  readonly blocks: readonly { readonly offset: number; readonly first: string }[];
  /** Where the last block ends. */
  readonly end: number;
}

/** What there is to say of an encoded index (the same as the helper's summary). */
export interface EncodedIndex {
  readonly bytes: Uint8Array;
  readonly entries: number;
  readonly identity: Digest;
}

/** Entries, already in order → the bytes of an index and its identity. @throws TypeError when out of order. */
export function encodeIndex(entries: Iterable<Entry>): EncodedIndex {
  const writer = new ByteWriter();
  const identity = new IdentityHash();
  const blocks: { offset: number; first: string }[] = [];
  let previous = '';
  let count = 0;
  writer.text(MAGIC);
  for (const entry of entries) {
    if (count > 0 && comparePaths(previous, entry.path) >= 0) {
      throw new TypeError(`Index entries out of order: "${previous}" before "${entry.path}"`);
    }
    if (count % ENTRIES_PER_BLOCK === 0) {
      blocks.push({ offset: writer.length, first: entry.path });
      previous = '';
    }
    encodeEntry(writer, entry, previous);
    identity.add(entry);
    previous = entry.path;
    count++;
  }
  const table = writer.length;
  for (const { offset, first } of blocks) {
    writer.u64(offset);
    writer.string(first);
  }
  writer.u64(table);
  writer.u64(count);
  writer.u32(blocks.length);
  writer.text(MAGIC);
  return {
    bytes: writer.bytes(),
    entries: count,
    identity: identity.digest(),
  };
}

/** The identity alone, of entries already in order. */
export function identityOfEntries(entries: Iterable<Entry>): Digest {
  const identity = new IdentityHash();
  for (const entry of entries) identity.add(entry);
  return identity.digest();
}

function encodeEntry(writer: ByteWriter, entry: Entry, previous: string): void {
  const shared = sharedLength(previous, entry.path);
  writer.varint(shared);
  writer.string(entry.path.slice(shared));
  writer.u8(CODE_OF_TYPE[entry.type]);
  const source = entry.type === 'file' ? entry.source : undefined;
  const sha256 = entry.type === 'file' ? entry.sha256 : undefined;
  const directory = entry.type === 'directory' ? entry : undefined;
  writer.u8(
    (sha256 === undefined ? 0 : FLAG.digest) |
      (entry.xattrs?.length ? FLAG.xattrs : 0) |
      (directory?.opaque ? FLAG.opaque : 0) |
      (source === undefined ? 0 : FLAG.source) |
      (directory?.implied ? FLAG.implied : 0),
  );
  writer.varint(entry.mode);
  writer.varint(entry.uid);
  writer.varint(entry.gid);
  writer.zigzag(entry.mtime);
  writer.varint(entry.mtimeNsec);
  encodeTypeFields(writer, entry);
  if (sha256 !== undefined) writer.hex(sha256);
  if (entry.xattrs?.length) encodeXattrs(writer, entry.xattrs);
  if (source !== undefined) encodeSource(writer, source);
}

function encodeTypeFields(writer: ByteWriter, entry: Entry): void {
  switch (entry.type) {
    case 'file':
      return writer.varint(entry.size);
    case 'symlink':
    case 'hardlink':
      return writer.string(entry.target);
    case 'character':
    case 'block':
      writer.varint(entry.major);
      return writer.varint(entry.minor);
    case 'directory':
    case 'fifo':
    case 'whiteout':
      return;
  }
}

function encodeXattrs(writer: ByteWriter, xattrs: NonNullable<Entry['xattrs']>): void {
  writer.varint(xattrs.length);
  for (const [name, value] of xattrs) {
    writer.string(name);
    writer.string(value);
  }
}

function encodeSource(writer: ByteWriter, source: EntrySource): void {
  switch (source.kind) {
    case 'path':
      writer.varint(1);
      writer.varint(source.root);
      return writer.string(source.path);
    case 'bytes':
      writer.varint(2);
      writer.varint(source.bytes.length);
      return writer.raw(source.bytes);
    case 'range':
      writer.varint(3);
      writer.varint(source.file);
      return writer.varint(source.offset);
    case 'sparse':
      writer.varint(4);
      writer.varint(source.file);
      writer.varint(source.offset);
      writer.varint(source.parts.length / 2);
      for (const length of source.parts) writer.varint(length);
      return;
  }
}

/** How many bytes of entries are hashed at once. */
const HASHED_AT_ONCE = 32_768;

/** What identity is made of; mtimes, sources and implied directories are not. */
class IdentityHash {
  readonly #hash = createHash('sha256');
  readonly #writer = new ByteWriter();

  add(entry: Entry): void {
    if (entry.type === 'directory' && entry.implied) return;
    writeIdentity(this.#writer, entry);
    if (this.#writer.length >= HASHED_AT_ONCE) this.#flush();
  }

  digest(): Digest {
    this.#flush();
    return parseDigest(`sha256:${this.#hash.digest('hex')}`);
  }

  #flush(): void {
    this.#hash.update(this.#writer.bytes());
    this.#writer.clear();
  }
}

function writeIdentity(writer: ByteWriter, entry: Entry): void {
  writer.string(entry.path);
  writer.u8(CODE_OF_TYPE[entry.type]);
  writer.varint(entry.mode);
  writer.varint(entry.uid);
  writer.varint(entry.gid);
  encodeTypeFields(writer, entry);
  if (entry.type === 'file') {
    writer.u8(1);
    writer.hex(entry.sha256 ?? '');
  }
  encodeXattrs(writer, entry.xattrs ?? []);
  writer.u8(entry.type === 'directory' && entry.opaque ? 1 : 0);
}

function sharedLength(a: string, b: string): number {
  let i = 0;
  while (i < a.length && i < b.length && a.charCodeAt(i) === b.charCodeAt(i)) i++;
  return i;
}

/** Reads the table at an index's end. @throws ERR_INDEX_INVALID */
export function decodeTable(source: ByteSource): IndexTable {
  const trailer = new ByteReader(source.read(source.size - TRAILER_LENGTH, TRAILER_LENGTH));
  const end = trailer.u64();
  const entries = trailer.u64();
  const count = trailer.u32();
  if (trailer.text(MAGIC.length) !== MAGIC || end > source.size - TRAILER_LENGTH) {
    throw invalidIndex();
  }
  const table = new ByteReader(source.read(end, source.size - TRAILER_LENGTH - end));
  const blocks: { offset: number; first: string }[] = [];
  for (let i = 0; i < count; i++) blocks.push({ offset: table.u64(), first: table.string() });
  return { entries, blocks, end };
}

/** Decodes the entries of one block. @throws ERR_INDEX_INVALID */
export function decodeBlock(bytes: Uint8Array): Entry[] {
  const reader = new ByteReader(bytes);
  const entries: Entry[] = [];
  let previous = '';
  while (!reader.done) {
    const entry = decodeEntry(reader, previous);
    previous = entry.path;
    entries.push(entry);
  }
  return entries;
}

function decodeEntry(reader: ByteReader, previous: string): Entry {
  const path = previous.slice(0, reader.varint()) + reader.string();
  const type = TYPE_OF_CODE[String.fromCharCode(reader.u8())];
  const flags = reader.u8();
  const mode = reader.varint();
  const uid = reader.varint();
  const gid = reader.varint();
  const mtime = reader.zigzag();
  const mtimeNsec = reader.varint();
  if (type === undefined) throw invalidIndex();
  const fields = decodeTypeFields(reader, type);
  const sha256 = flags & FLAG.digest ? reader.hex(32) : undefined;
  const xattrs = flags & FLAG.xattrs ? decodeXattrs(reader) : undefined;
  const source = flags & FLAG.source ? decodeSource(reader) : undefined;
  // The union's shapes follow from `type`; spelling each out would cost a lookup its speed.
  return {
    path,
    type,
    mode,
    uid,
    gid,
    mtime,
    mtimeNsec,
    ...fields,
    ...(sha256 !== undefined && { sha256 }),
    ...(xattrs !== undefined && { xattrs }),
    ...(source !== undefined && { source }),
    ...(flags & FLAG.opaque && { opaque: true }),
    ...(flags & FLAG.implied && { implied: true }),
  } as Entry;
}

function decodeTypeFields(reader: ByteReader, type: Entry['type']): object {
  switch (type) {
    case 'file':
      return { size: reader.varint() };
    case 'symlink':
    case 'hardlink':
      return { target: reader.string() };
    case 'character':
    case 'block':
      return { major: reader.varint(), minor: reader.varint() };
    case 'directory':
    case 'fifo':
    case 'whiteout':
      return {};
  }
}

function decodeXattrs(reader: ByteReader): [string, string][] {
  const xattrs: [string, string][] = [];
  for (let left = reader.varint(); left > 0; left--)
    xattrs.push([reader.string(), reader.string()]);
  return xattrs;
}

function decodeSource(reader: ByteReader): EntrySource {
  switch (reader.varint()) {
    case 1:
      return { kind: 'path', root: reader.varint(), path: reader.string() };
    case 2:
      return { kind: 'bytes', bytes: reader.raw(reader.varint()) };
    case 3:
      return { kind: 'range', file: reader.varint(), offset: reader.varint() };
    case 4:
      return decodeSparse(reader);
    default:
      throw invalidIndex();
  }
}

function decodeSparse(reader: ByteReader): EntrySource {
  const file = reader.varint();
  const offset = reader.varint();
  const parts: number[] = [];
  for (let left = 2 * reader.varint(); left > 0; left--) parts.push(reader.varint());
  return { kind: 'sparse', file, offset, parts };
}
