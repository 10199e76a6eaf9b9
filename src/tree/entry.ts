/** The entries of a layer: what its index lists. */

/**
 * What every entry has. Paths are byte strings (`path.ts`); `""` only where a foreign layer's root is
 * opaque.
 */
interface EntryBase {
  readonly path: string;
  /** Permission bits, 07777. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Seconds since the Unix epoch, and nanoseconds on top. */
  readonly mtime: number;
  readonly mtimeNsec: number;
  /** Extended attributes: byte strings, sorted by name. */
  readonly xattrs?: readonly (readonly [name: string, value: string])[];
}

export interface FileEntry extends EntryBase {
  readonly type: 'file';
  readonly size: number;
  /** sha256 of the content in hexadecimal; only a list that is still to be composed may lack it. */
  readonly sha256?: string;
  /** Where the bytes are: in lists to compose, and in indexes of archives. */
  readonly source?: EntrySource;
}

export interface DirectoryEntry extends EntryBase {
  readonly type: 'directory';
  /** What lower layers have in this directory is hidden. */
  readonly opaque?: boolean;
  /** Not listed by the archive, only something below it. */
  readonly implied?: boolean;
}

export interface LinkEntry extends EntryBase {
  /** A symlink has any text as target, a hardlink a path of the same layer. */
  readonly type: 'symlink' | 'hardlink';
  readonly target: string;
}

export interface DeviceEntry extends EntryBase {
  readonly type: 'character' | 'block';
  readonly major: number;
  readonly minor: number;
}

export interface PlainEntry extends EntryBase {
  readonly type: 'fifo' | 'whiteout';
}

export type Entry = FileEntry | DirectoryEntry | LinkEntry | DeviceEntry | PlainEntry;

/** Where compose finds a file's bytes; numbers are places in the request's `roots` and `files`. */
export type EntrySource =
  | { readonly kind: 'path'; readonly root: number; readonly path: string }
  | { readonly kind: 'bytes'; readonly bytes: Uint8Array }
  | { readonly kind: 'range'; readonly file: number; readonly offset: number }
  /** A sparse member of an archive: from `offset` on the bytes of its parts, one after the other. */
  | {
      readonly kind: 'sparse';
      readonly file: number;
      readonly offset: number;
      /** In turn how long a hole is, and how long the part behind it; behind the last part is a hole. */
      readonly parts: readonly number[];
    };

/** An entry's metadata, to be spread into another. */
export function metadataOf(entry: Entry): EntryBase {
  const { path, mode, uid, gid, mtime, mtimeNsec, xattrs } = entry;
  return { path, mode, uid, gid, mtime, mtimeNsec, ...(xattrs !== undefined && { xattrs }) };
}
