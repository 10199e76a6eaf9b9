/**
 * COPY as a pure function: source trees and a parent tree → the entries of a new layer (CP-4 … CP-19).
 *
 * No bytes are touched here. Each file entry has its content's digest, and `origins` says where that
 * content is; whether it must be read at all is decided by the layer's identity.
 */

import { createIgnore } from '../context/ignore.ts';
import { TsbuildError } from '../errors.ts';
import type { Chmod } from '../plan/step.ts';
import type { Found, ImageTree } from '../tree/image-tree.ts';
import { ancestorsOf, joinPath, nameOf, parentOf, toPath, toText } from '../tree/path.ts';
import type { ContentOrigin, SourceTree } from './content-origin.ts';
import { copyConflict, Destination, type NewDirectory } from './destination.ts';
import { type Changes, convertEntry } from './convert-entry.ts';
import { graftDirectory } from './graft-directory.ts';
import { HardLinks, linkTo } from './hard-links.ts';
import type { Match } from './match-source.ts';
import type { Placed } from './placed.ts';
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
  /** The layer, in an index's order, worked out anew with each walk: it may be large. */
  readonly placed: Iterable<Placed<ContentOrigin<O>>>;
  /** The layers of trees that contents are in. */
  readonly sources: ReadonlyMap<O, ReadonlySet<number>>;
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

class Copy<O extends SourceTree> {
  readonly #request: CopyRequest<O>;
  readonly #destination: Destination<ContentOrigin<O>>;
  readonly #isExcluded: (path: string) => boolean;
  readonly #hardLinks = new HardLinks<O>();
  readonly #sources = new Map<O, Set<number>>();
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
    return { placed: this.#result(), sources: this.#sources };
  }

  #result(): CopyResult<O>['placed'] {
    const destination = this.#destination;
    if (this.#hardLinks.isEmpty) return { [Symbol.iterator]: () => destination.placed() };
    for (const { entry, content } of destination.held()) {
      if (content !== undefined) this.#hardLinks.addKnown(content, entry.path);
    }
    const targets = this.#hardLinks.targets((path) => destination.placedAt(path));
    return {
      *[Symbol.iterator]() {
        for (const placed of destination.placed()) {
          const target = targets.get(placed.entry.path);
          if (target === undefined) yield placed;
          else yield { entry: linkTo(target, placed.entry), content: undefined };
        }
      },
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
    // Only where a "!" keeps something can a parent be missing.
    const isWhole = !exclude.some((pattern) => pattern.trim().startsWith('!'));
    if (isWhole && this.#destination.takesGrafts) {
      this.#graft(origin, directory, destination);
      return;
    }
    const walk = { origin, base: directory, destination, passed: new Set<string>() };
    for (const selected of selectContents(origin.tree, directory, this.#isExcluded)) {
      if (!isWhole) this.#putParents(walk, selected.relative);
      this.#put(origin, selected.found, joinPath(destination, selected.relative));
    }
  }

  /** A whole directory: it is checked and looked through now, and held by nobody. */
  #graft(origin: O, base: string, destination: string): void {
    const graft = graftDirectory({
      source: { origin, copy: this.#copies },
      base,
      destination,
      isExcluded: this.#isExcluded,
      changes: this.#changes(origin),
    });
    for (const { entry, content } of graft.walk()) {
      this.#destination.check(entry);
      if (content !== undefined) this.#remember(content, () => graft.placesOf(content));
    }
    this.#destination.graft(graft);
  }

  /** Notes where a content is, and where its names may have gone if it has several. */
  #remember(content: ContentOrigin<O>, paths: () => readonly string[]): void {
    const layers = this.#sources.get(content.origin);
    if (layers === undefined) this.#sources.set(content.origin, new Set([content.layer]));
    else layers.add(content.layer);
    if (content.name !== content.entry.path) this.#hardLinks.add(content, paths());
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
        const { entry: placed, content } = this.#convert(origin, found, path, { owner });
        this.#destination.replace(placed, content);
      }
    }
  }

  #put(origin: O, found: Found, path: string): void {
    const { entry, content } = this.#convert(origin, found, path, this.#changes(origin));
    this.#destination.put(entry, content);
  }

  #convert(origin: O, found: Found, path: string, changes: Changes): Placed<ContentOrigin<O>> {
    const placed = convertEntry({ origin, copy: this.#copies }, found, path, changes);
    if (placed.content !== undefined) this.#remember(placed.content, () => [path]);
    return placed;
  }

  #changes(origin: O): Changes {
    const { chmod, owner, epoch } = this.#request;
    const reset = origin.resetOwner ? { uid: 0, gid: 0 } : undefined;
    return { owner: owner ?? reset, chmod, mtime: epoch };
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
