/** Collects differences: those of each group up to a limit, and how many there are. */

import {
  type Difference,
  DIFFERENCE_GROUPS,
  type DifferenceGroup,
  type FileDifference,
} from './difference.ts';

export interface DifferencesOptions {
  /** What does not count as a difference. */
  readonly ignore?: readonly DifferenceGroup[] | undefined;
  /** How many of each group are kept; the others are counted. Default: all. */
  readonly limit?: number | undefined;
  /** What is in a directory that only one image has is counted there (`below`), and not listed. */
  readonly collapse?: boolean | undefined;
}

export type DifferenceCounts = Readonly<Record<DifferenceGroup, number>>;

export class Differences {
  readonly #ignored: ReadonlySet<DifferenceGroup>;
  readonly #limit: number;
  readonly #collapses: boolean;
  #hasSeen = false;
  /** The last directory that only one image has, and what is in it. */
  readonly #folders = new Map<Difference, { readonly below: number }>();
  #folder: { readonly directory: FileDifference; below: number } | undefined;
  readonly #kept = new Map<DifferenceGroup, Difference[]>();
  readonly #counts = new Map<DifferenceGroup, number>();

  constructor({
    ignore = [],
    limit = Number.POSITIVE_INFINITY,
    collapse = false,
  }: DifferencesOptions) {
    this.#ignored = new Set(ignore);
    this.#limit = limit;
    this.#collapses = collapse;
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
    if ('path' in difference && this.#collapse(difference)) return;
    if (!this.isKept(group)) return;
    const kept = this.#kept.get(group);
    if (kept === undefined) this.#kept.set(group, [difference]);
    else kept.push(difference);
  }

  /** Whether it is in a directory that is listed. A directory comes before what is in it. */
  #collapse(difference: FileDifference): boolean {
    if (!this.#collapses || difference.change === 'changed') return false;
    const folder = this.#folder;
    if (folder !== undefined && isIn(difference, folder.directory)) {
      folder.below++;
      return true;
    }
    const isDirectory = (difference.a ?? difference.b)?.type === 'directory';
    this.#folder = isDirectory ? { directory: difference, below: 0 } : undefined;
    if (this.#folder !== undefined && this.isKept(difference.group))
      this.#folders.set(difference, this.#folder);
    return false;
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
    const kept = DIFFERENCE_GROUPS.flatMap((group) => this.#kept.get(group) ?? []);
    return kept.map((difference) => {
      const below = this.#folders.get(difference)?.below ?? 0;
      return 'path' in difference && below > 0 ? { ...difference, below } : difference;
    });
  }

  counts(): DifferenceCounts {
    const entries = DIFFERENCE_GROUPS.map((group) => [group, this.#counts.get(group) ?? 0]);
    return Object.fromEntries(entries) as DifferenceCounts;
  }
}

function isIn(
  difference: FileDifference,
  { path, change, platform, inLayer }: FileDifference,
): boolean {
  return (
    difference.change === change &&
    difference.platform === platform &&
    difference.inLayer === inLayer &&
    difference.path.startsWith(`${path}/`)
  );
}
