/** COPY on trees in memory: what tests of `src/solve` copy from, onto, and how they look at it. */

import type { ContentOrigin, SourceTree } from '../../src/solve/content-origin.ts';
import { copyEntries } from '../../src/solve/copy-entries.ts';
import type { Chmod } from '../../src/plan/step.ts';
import { matchSource } from '../../src/solve/match-source.ts';
import type { Entry } from '../../src/tree/entry.ts';
import { ImageTree } from '../../src/tree/image-tree.ts';
import { layerOf } from '../tree/entries.ts';

/** When the copies of these tests are made, seconds since the Unix epoch. */
export const NOW = 1_800_000_000;

/** A COPY in a word: what is missing is as in a COPY without flags. */
export interface Copying {
  readonly from: readonly Entry[] | ImageTree;
  readonly sources: readonly string[];
  readonly to: string;
  readonly onto?: readonly Entry[] | ImageTree;
  /** As for files of the build context, whose owners do not count. */
  readonly isContext?: boolean;
  readonly chown?: { readonly uid: number; readonly gid: number };
  readonly chmod?: Chmod;
  readonly exclude?: readonly string[];
  readonly kind?: 'matches' | 'parents';
  readonly epoch?: number;
}

/** A layer, held. */
export interface Copied {
  readonly entries: readonly Entry[];
  /** By destination path: where a file's content is. */
  readonly origins: ReadonlyMap<string, ContentOrigin<SourceTree>>;
}

export function copy(copying: Copying): Copied {
  const { sources, kind = 'matches' } = copying;
  const origin = originOf(copying.from, copying.isContext);
  return copyFrom({
    ...copying,
    selected: sources.map((path) => ({
      origin,
      selection:
        kind === 'parents' ? { kind, path } : { kind, matches: matchSource(origin.tree, path) },
    })),
  });
}

type Request = Parameters<typeof copyEntries<SourceTree>>[0];

/** The same with sources of any kind. */
export function copyFrom({
  selected,
  to,
  onto = [],
  chown,
  chmod,
  exclude = [],
  epoch,
}: Pick<Copying, 'to' | 'onto' | 'chown' | 'chmod' | 'exclude' | 'epoch'> & {
  readonly selected: Request['sources'];
}): Copied {
  const { placed } = copyEntries({
    sources: selected,
    destination: to,
    parent: treeOf(onto),
    owner: chown,
    chmod,
    exclude,
    now: NOW,
    epoch,
  });
  const held = [...placed];
  return {
    entries: held.map(({ entry }) => entry),
    origins: new Map(
      held.flatMap(({ entry, content }) => (content === undefined ? [] : [[entry.path, content]])),
    ),
  };
}

/** ADD of archives with these members. */
export function unpack(
  archives: readonly (readonly Entry[])[],
  options: Pick<Copying, 'to' | 'onto' | 'chown' | 'chmod' | 'epoch'>,
): Copied {
  const selected = archives.map((members) => ({
    origin: originOf(members),
    selection: { kind: 'archive' } as const,
  }));
  return copyFrom({ ...options, selected });
}

export function originOf(from: readonly Entry[] | ImageTree, isContext = false): SourceTree {
  return { tree: treeOf(from), resetOwner: isContext };
}

export function treeOf(entries: readonly Entry[] | ImageTree): ImageTree {
  return entries instanceof ImageTree ? entries : new ImageTree([layerOf(...entries)]);
}

/** A layer as lines like `directory 755 0:0 a`, `symlink 777 0:0 a/b -> c`. */
export function lines(entries: Iterable<Entry>): string[] {
  return [...entries].map((entry) => {
    const { type, mode, uid, gid, path } = entry;
    const target = 'target' in entry ? ` -> ${entry.target}` : '';
    return `${type} ${mode.toString(8)} ${uid}:${gid} ${path}${target}`;
  });
}

/** Only what is where. */
export function paths(entries: Iterable<Entry>): string[] {
  return [...entries].map(({ path }) => path);
}

export function entryAt(entries: readonly Entry[], path: string): Entry | undefined {
  return entries.find((entry) => entry.path === path);
}
