/** A context whose files are listed, as COPY and mounts see it. */

/** What a context holds, as it was when the build began. */
export type ScannedContext = ScannedDirectory | ScannedArchive;

interface Scanned {
  /** The index file. */
  readonly index: string;
  /** Digest over everything but mtimes; equal contexts have equal ones. */
  readonly identity: string;
}

export interface ScannedDirectory extends Scanned {
  readonly kind: 'directory';
  /** Absolute. */
  readonly directory: string;
  /** The commit that its files have their times of. */
  readonly datedBy: string | undefined;
  /** The sockets in it, which no layer can have: they are left out, and the user is told. */
  readonly sockets: readonly string[];
  /** Byte strings of what this user may not read: neither it nor what is below it is listed (CTX-8). */
  readonly unreadable: readonly string[];
}

export interface ScannedArchive extends Scanned {
  readonly kind: 'archive';
  /** The uncompressed tar, or the one file: what the index's ranges point into. */
  readonly file: string;
  /** Whether an ignore file leaves out what is at a path (a byte string). */
  readonly isIgnored: (path: string) => boolean;
}
