/** A file in the words of a diff, and what of two differs. Pure. */

import type { DirectoryEntry, Entry, FileEntry } from '../tree/entry.ts';
import { toText } from '../tree/path.ts';
import type { FileDifference, FileFacts, FileField } from './difference.ts';

/** An entry with the content that it has or shares, and the place of its layer. */
export interface Placed {
  readonly entry: Entry;
  readonly content: FileEntry | undefined;
  readonly layer: number;
}

/** What a layer's index says of a file. */
export function factsOf({ entry, content, layer }: Placed): FileFacts {
  const { xattrs } = entry;
  const { type } = entry;
  return {
    type: type === 'hardlink' ? 'file' : type,
    mode: entry.mode.toString(8).padStart(4, '0'),
    uid: entry.uid,
    gid: entry.gid,
    mtime: timeText(entry),
    ...(content !== undefined && { size: content.size, sha256: content.sha256 }),
    ...(type === 'symlink' && { target: toText(entry.target) }),
    ...(type === 'hardlink' && { hardlink: `/${toText(entry.target)}` }),
    ...((type === 'character' || type === 'block') && { device: deviceOf(entry) }),
    ...(xattrs !== undefined && xattrs.length > 0 && { xattrs: xattrsOf(xattrs) }),
    ...(isOpaque(entry) && { opaque: true }),
    layer,
  };
}

/** The fields that differ, the most important first. Of other types nothing else is compared. */
export function changedFields(a: Placed, b: Placed): readonly FileField[] {
  const [x, y] = [a.entry, b.entry];
  if (typeOf(x) !== typeOf(y)) return ['type'];
  const fields: FileField[] = [];
  const is = (field: FileField, differs: boolean): void => {
    if (differs) fields.push(field);
  };
  is('content', a.content?.sha256 !== b.content?.sha256);
  is('target', x.type === 'symlink' && y.type === 'symlink' && x.target !== y.target);
  is('device', deviceOf(x) !== deviceOf(y));
  // A directory that an archive does not list says nothing of itself.
  if (isImplied(x) || isImplied(y)) return fields;
  is('mode', x.mode !== y.mode);
  is('owner', x.uid !== y.uid || x.gid !== y.gid);
  is('xattrs', JSON.stringify(x.xattrs ?? []) !== JSON.stringify(y.xattrs ?? []));
  is('hardlink', linkOf(x) !== linkOf(y));
  is('mtime', x.mtime !== y.mtime || x.mtimeNsec !== y.mtimeNsec);
  return fields;
}

/** Where a change belongs, by the most important of its fields. */
export function groupOf([field]: readonly FileField[]): FileDifference['group'] {
  if (field === 'mtime') return 'times';
  return field !== undefined && METADATA.includes(field) ? 'metadata' : 'files';
}

const METADATA: readonly FileField[] = ['mode', 'owner', 'xattrs', 'hardlink'];

function typeOf({ type }: Entry): Entry['type'] {
  return type === 'hardlink' ? 'file' : type;
}

function linkOf(entry: Entry): string | undefined {
  return entry.type === 'hardlink' ? entry.target : undefined;
}

function deviceOf(entry: Entry): string | undefined {
  const isDevice = entry.type === 'character' || entry.type === 'block';
  return isDevice ? `${entry.major}:${entry.minor}` : undefined;
}

/** Whether what is below it in lower layers is hidden: of layers, and not of what a container sees. */
export function isOpaque(entry: Entry): boolean {
  return entry.type === 'directory' && entry.opaque === true;
}

/** Whether an archive does not list a directory, but something in it. */
export function isImplied(entry: Entry): entry is DirectoryEntry {
  return entry.type === 'directory' && entry.implied === true;
}

function xattrsOf(
  xattrs: readonly (readonly [name: string, value: string])[],
): Readonly<Record<string, string>> {
  return Object.fromEntries(
    xattrs.map(([name, value]) => [toText(name), Buffer.from(value, 'latin1').toString('base64')]),
  );
}

/** The last time that a Date can tell, in seconds. */
const MAX_SECONDS = 8.64e12;

function timeText({ mtime, mtimeNsec }: Entry): string {
  if (Math.abs(mtime) > MAX_SECONDS) return `@${mtime}`;
  const whole = new Date(mtime * 1000).toISOString().replace(/\.000Z$/, '');
  return mtimeNsec === 0 ? `${whole}Z` : `${whole}.${String(mtimeNsec).padStart(9, '0')}Z`;
}
