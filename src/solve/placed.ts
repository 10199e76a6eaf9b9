/** Entries at their destination, in layers over one another: each held, or worked out when asked for. */

import type { Entry } from '../tree/entry.ts';
import { comparePaths } from '../tree/path.ts';

/** An entry of a new layer, and what its content is told by, if it has any. */
export interface Placed<C> {
  readonly entry: Entry;
  readonly content: C | undefined;
}

/**
 * A whole directory at its destination, as a view of its source: a context of hundreds of thousands
 * of files is walked several times, and never held.
 */
export interface Graft<C> {
  readonly get: (path: string) => Placed<C> | undefined;
  /** In an index's order; anew with each call. */
  readonly walk: () => Iterable<Placed<C>>;
}

/** Lists, each in an index's order, as one: of equal paths the last list's entry counts. */
export function* mergeTopmost<C>(lists: readonly Iterable<Placed<C>>[]): Generator<Placed<C>> {
  const walks = lists.map((list) => list[Symbol.iterator]());
  const heads = walks.map((walk) => nextOf(walk));
  for (;;) {
    let top: Placed<C> | undefined;
    for (const head of heads) {
      if (head === undefined) continue;
      if (top === undefined || comparePaths(head.entry.path, top.entry.path) <= 0) top = head;
    }
    if (top === undefined) return;
    const { path } = top.entry;
    heads.forEach((head, number) => {
      const walk = walks[number];
      if (head?.entry.path === path && walk !== undefined) heads[number] = nextOf(walk);
    });
    yield top;
  }
}

function nextOf<T>(walk: Iterator<T>): T | undefined {
  const next = walk.next();
  return next.done === true ? undefined : next.value;
}
