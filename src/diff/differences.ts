/** Collects differences: those of each group up to a limit, and how many there are. */

import { type Difference, DIFFERENCE_GROUPS, type DifferenceGroup } from './difference.ts';

export interface DifferencesOptions {
  /** What does not count as a difference. */
  readonly ignore?: readonly DifferenceGroup[] | undefined;
  /** How many of each group are kept; the others are counted. Default: all. */
  readonly limit?: number | undefined;
}

export type DifferenceCounts = Readonly<Record<DifferenceGroup, number>>;

export class Differences {
  readonly #ignored: ReadonlySet<DifferenceGroup>;
  readonly #limit: number;
  #hasSeen = false;
  readonly #kept = new Map<DifferenceGroup, Difference[]>();
  readonly #counts = new Map<DifferenceGroup, number>();

  constructor({ ignore = [], limit = Number.POSITIVE_INFINITY }: DifferencesOptions) {
    this.#ignored = new Set(ignore);
    this.#limit = limit;
  }

  /** Whether there was any, ignored or not. */
  get hasSeen(): boolean {
    return this.#hasSeen;
  }

  isIgnored(group: DifferenceGroup): boolean {
    return this.#ignored.has(group);
  }

  /** Whether one more of a group will be kept: what nobody sees need not be looked into. */
  isKept(group: DifferenceGroup): boolean {
    return !this.isIgnored(group) && (this.#kept.get(group)?.length ?? 0) < this.#limit;
  }

  add(difference: Difference): void {
    const { group } = difference;
    this.#hasSeen = true;
    if (this.isIgnored(group)) return;
    this.#counts.set(group, (this.#counts.get(group) ?? 0) + 1);
    if (!this.isKept(group)) return;
    const kept = this.#kept.get(group);
    if (kept === undefined) this.#kept.set(group, [difference]);
    else kept.push(difference);
  }

  addAll(differences: Iterable<Difference>): void {
    for (const difference of differences) this.add(difference);
  }

  /** Whether nothing counted so far. */
  get isEmpty(): boolean {
    return this.#counts.size === 0;
  }

  /** Those that were kept, the most important group first. */
  list(): readonly Difference[] {
    return DIFFERENCE_GROUPS.flatMap((group) => this.#kept.get(group) ?? []);
  }

  counts(): DifferenceCounts {
    const entries = DIFFERENCE_GROUPS.map((group) => [group, this.#counts.get(group) ?? 0]);
    return Object.fromEntries(entries) as DifferenceCounts;
  }
}
