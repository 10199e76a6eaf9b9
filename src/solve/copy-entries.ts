/**
 * COPY as a pure function: source trees and a parent tree → the entries of a new layer (CP-4 … CP-19).
 *
 * No bytes are touched here. Each file entry has its content's digest, and `origins` says where that
 * content is; whether it must be read at all is decided by the layer's identity.
 */

import { createIgnore } from '../context/ignore.ts';
import { TsbuildError } from '../errors.ts';
import type { Chmod } from '../plan/step.ts';
import { applyChmod } from '../tree/chmod.ts';
import { type Entry, metadataOf } from '../tree/entry.ts';
import type { Found, ImageTree } from '../tree/image-tree.ts';
import { ancestorsOf, joinPath, nameOf, parentOf, toPath, toText } from '../tree/path.ts';
import type { ContentOrigin, SourceTree } from './content-origin.ts';
import { copyConflict, Destination, type NewDirectory } from './destination.ts';
import { linkFiles } from './hard-links.ts';
import type { Match } from './match-source.ts';
import { selectContents, selectParents } from './selection.ts';

/** One source of a COPY. Inline files and archives are trees of their own. */
export interface TreeSource<O extends SourceTree> {
  readonly origin: O;
  readonly selection: Selection;
}

export type Selection =
  | { readonly kind: 'matches'; readonly matches: readonly Match[] }
  /** With `--parents`: the pattern as written, expanded. */
  | { readonly kind: 'parents'; readonly path: string }
  /** `tar -x` of the whole tree (CP-21): its own owners, everything makes way. */
  | { readonly kind: 'archive' };

export interface CopyRequest<O extends SourceTree> {
  readonly sources: readonly TreeSource<O>[];
  /** Absolute; a trailing slash or `/.` means a directory. */
  readonly destination: string;
  readonly parent: ImageTree;
  readonly owner: { readonly uid: number; readonly gid: number } | undefined;
  readonly chmod: Chmod | undefined;
  readonly exclude: readonly string[];
  /** Seconds since the Unix epoch: the time of directories that are created on the way. */
  readonly now: number;
  /** SOURCE_DATE_EPOCH: the time of everything that is copied, but not of what an archive holds. */
  readonly epoch?: number | undefined;
}

export interface CopyResult<O extends SourceTree> {
  /** The layer, in an index's order. */
  readonly entries: readonly Entry[];
  /** By destination path: where a file entry's content is. */
  readonly origins: ReadonlyMap<string, ContentOrigin<O>>;
  /** What else has dated entries than the epoch: then the layer's identity depends on it. */
  readonly datedBy?: string | undefined;
}

/** Decides the entries. @throws ERR_SOURCE_MISSING, ERR_COPY_CONFLICT */
export function copyEntries<O extends SourceTree>(request: CopyRequest<O>): CopyResult<O> {
  return new Copy(request).run();
}

/** One directory of a source on its way to a destination. */
interface Walk<O extends SourceTree> {
  readonly origin: O;
  readonly base: string;
  readonly destination: string;
  /** The directories below it that were made, or passed by. */
  readonly passed: Set<string>;
}

/** What a COPY changes of what it copies. */
interface Changes {
  readonly owner?: { readonly uid: number; readonly gid: number } | undefined;
  readonly chmod?: Chmod | undefined;
  readonly mtime?: number | undefined;
}

class Copy<O extends SourceTree> {
  readonly #request: CopyRequest<O>;
  readonly #destination: Destination;
  readonly #isExcluded: (path: string) => boolean;
  readonly #origins = new Map<string, ContentOrigin<O>>();
  /** How many matches there have been: each is a copy of its own, which shares no hard links with others. */
  #copies = 0;

  constructor(request: CopyRequest<O>) {
    this.#request = request;
    this.#destination = new Destination(request.parent);
    this.#isExcluded = createIgnore(request.exclude);
  }

  run(): CopyResult<O> {
    const { sources, destination } = this.#request;
    const isDirectory = /\/\.?$/.test(destination);
    const target = toPath(destination);
    for (const source of sources) {
      const resolved = this.#destination.resolve(target);
      this.#refuseSeveralOntoFile(resolved, isDirectory);
      const { origin, selection } = source;
      switch (selection.kind) {
        case 'archive':
          this.#unpack(origin, resolved);
          break;
        case 'parents':
          this.#copyParents(origin, selection.path, resolved);
          break;
        case 'matches':
          // A pattern without a match does nothing, it does not even make the directory (CP-5).
          for (const match of selection.matches) {
            if (isDirectory) this.#destination.ensureDirectory(resolved, this.#newDirectory());
            this.#copyMatch(origin, match, resolved);
          }
      }
    }
    return {
      entries: linkFiles(this.#destination.entries(), this.#origins),
      origins: this.#origins,
    };
  }

  #refuseSeveralOntoFile(resolved: string, isDirectory: boolean): void {
    const { sources } = this.#request;
    const count = sources.reduce((sum, { selection }) => sum + countOf(selection), 0);
    if (count < 2 || isDirectory) return;
    if (resolved === '' || this.#destination.lookup(resolved)?.type === 'directory') return;
    if (sources.every(isDirectorySource)) return;
    throw new TsbuildError('ERR_COPY_CONFLICT', {
      message: `Cannot copy ${count} sources to "${this.#request.destination}": it is not a directory`,
      details: { path: this.#request.destination },
      hint: 'With more than one source the destination must be a directory and end with a "/".',
    });
  }

  /** One matched source: a directory's contents, or a file (CP-6, CP-7). */
  #copyMatch(origin: O, match: Match, destination: string): void {
    this.#copies++;
    const existing = destination === '' ? 'directory' : this.#destination.lookup(destination)?.type;
    if (match.found?.entry.type !== 'directory' && match.found !== undefined) {
      const path =
        existing === 'directory' ? joinPath(destination, nameOf(match.named)) : destination;
      this.#destination.ensureDirectory(parentOf(path), this.#newDirectory());
      this.#put(origin, match.found, path);
      return;
    }
    if (existing !== undefined && existing !== 'directory') {
      throw copyConflict(destination, `cannot copy to non-directory: /${toText(destination)}`);
    }
    this.#destination.ensureDirectory(destination, this.#newDirectory());
    this.#copyContents(origin, match.path, destination);
  }

  #copyContents(origin: O, directory: string, destination: string): void {
    const { exclude } = this.#request;
    const walk = { origin, base: directory, destination, passed: new Set<string>() };
    for (const selected of selectContents(origin.tree, directory, this.#isExcluded)) {
      // Only where something is left out can a parent be missing.
      if (exclude.length > 0) this.#putParents(walk, selected.relative);
      this.#put(origin, selected.found, joinPath(destination, selected.relative));
    }
  }

  /** `--parents` (CP-16): what matches keeps its path below the pivot `/./`, and its parents' metadata. */
  #copyParents(origin: O, path: string, destination: string): void {
    const selection = selectParents(origin.tree, path, this.#isExcluded);
    for (const { path: base } of selection.bases) {
      this.#copies++;
      this.#destination.ensureDirectory(destination, this.#newDirectory());
      const walk = { origin, base, destination, passed: new Set<string>() };
      for (const { found, relative } of selection.below(base)) {
        this.#putParents(walk, relative);
        this.#put(origin, found, joinPath(destination, relative));
      }
    }
    selection.requireAny();
  }

  /**
   * The directories between a copied directory and something kept below it, as `fsutil` does it: one
   * that is there already takes the source's mode and keeps the rest.
   */
  #putParents({ origin, base, destination, passed }: Walk<O>, relative: string): void {
    for (const parent of ancestorsOf(relative)) {
      if (passed.has(parent)) continue;
      passed.add(parent);
      const path = joinPath(destination, parent);
      const found = origin.tree.lookup(joinPath(base, parent));
      if (found === undefined) continue;
      const isThere = this.#destination.lookup(path)?.type === 'directory';
      if (isThere) this.#destination.changeMode(path, found.entry.mode);
      else this.#put(origin, found, path);
    }
    passed.add(relative);
  }

  /**
   * The destination is the root of what is unpacked: no symlink, of the archive or found there, leads
   * out of it. Those in a directory's path are followed, the last one included.
   */
  #unpack(origin: O, destination: string): void {
    const { owner, now } = this.#request;
    this.#copies++;
    const implied = { mode: 0o755, uid: 0, gid: 0, mtime: now };
    this.#destination.ensureDirectory(destination, { ...implied, ...owner });
    for (const found of origin.tree.below('')) {
      const { entry } = found;
      const followLast = entry.type === 'directory';
      const path = this.#destination.resolveBelow(destination, entry.path, { followLast });
      if (path === destination) continue;
      this.#destination.ensureDirectory(parentOf(path), implied);
      if (entry.type === 'directory' && entry.implied) {
        this.#destination.ensureDirectory(path, implied);
      } else {
        this.#destination.replace(this.#converted(origin, found, path, owner && { owner }));
      }
    }
  }

  #put(origin: O, found: Found, path: string): void {
    const { chmod, owner, epoch } = this.#request;
    const reset = origin.resetOwner ? { uid: 0, gid: 0 } : undefined;
    const changes = { owner: owner ?? reset, chmod, mtime: epoch };
    this.#destination.put(this.#converted(origin, found, path, changes));
  }

  /** A source's entry as it is at the destination; remembers where its content is. */
  #converted(origin: O, found: Found, path: string, changes: Changes = {}): Entry {
    const { owner, chmod, mtime } = changes;
    const content = origin.tree.contentOf(found);
    // Of a file with several names, the first alone lists the extended attributes.
    const { entry } = content ?? found;
    const metadata = {
      ...metadataOf(entry),
      path,
      ...owner,
      ...(mtime !== undefined && { mtime, mtimeNsec: 0 }),
    };
    const mode =
      chmod === undefined || entry.type === 'symlink'
        ? entry.mode
        : applyChmod(chmod, entry.mode, entry.type === 'directory');
    if (content !== undefined) {
      this.#origins.set(path, { origin, ...content, name: found.entry.path, copy: this.#copies });
      const { size, sha256 } = content.entry;
      return { ...metadata, mode, type: 'file', size, ...(sha256 !== undefined && { sha256 }) };
    }
    this.#origins.delete(path);
    if (entry.type === 'directory') return { ...metadata, mode, type: 'directory' };
    return { ...entry, ...metadata, mode };
  }

  /** CP-8: 0755, the `--chown` owner, and the permissions of an octal `--chmod` without its set-id and sticky bits. */
  #newDirectory(): NewDirectory {
    const { chmod, owner, now } = this.#request;
    const mode = chmod?.kind === 'octal' ? chmod.mode & 0o777 : 0o755;
    return { mode, uid: owner?.uid ?? 0, gid: owner?.gid ?? 0, mtime: now };
  }
}

function countOf(selection: Selection): number {
  return selection.kind === 'matches' ? selection.matches.length : 1;
}

function isDirectorySource({ selection }: TreeSource<SourceTree>): boolean {
  if (selection.kind !== 'matches') return true;
  return selection.matches.every(
    ({ found }) => found === undefined || found.entry.type === 'directory',
  );
}
