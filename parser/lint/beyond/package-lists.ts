/** The order of packages that stand one on a line. */

import type { SourceRange } from '../../../src/errors.ts';
import type { Fix } from '../options.ts';
import type { BeyondChecks } from './context.ts';
import type { Install } from './installs.ts';
import { OWN_RULES } from './rules.ts';
import type { RunCalls } from './run-scripts.ts';

/** pip is left out: there, people group by what belongs together. */
export function checkSorted(
  { manager, call, packages }: Install,
  { run }: RunCalls,
  { reporter }: BeyondChecks,
): void {
  if (manager === 'pip') return;
  const items: Item[] = [];
  for (const { text, value, start, end } of packages) {
    const range = call.script.locate(start, end);
    if (range === undefined) return;
    items.push({ text, isPlain: value === text, range });
  }
  const lineNumbers = items.map(({ range }) => range.start.line);
  if (new Set(lineNumbers).size < lineNumbers.length) return;
  for (const group of groupByLine(items)) {
    if (ORDERS.some((order) => isSorted(group, order))) continue;
    const wrong = group.findIndex((item, at) => at > 0 && byName(group[at - 1] ?? item, item) > 0);
    const [before, after] = [group[wrong - 1]?.text ?? '', group[wrong]?.text ?? ''];
    const range = { start: run.range.start, end: run.range.end };
    reporter.at(run, range, () => sort(group))(OWN_RULES.UnsortedPackages, before, after);
    return;
  }
}

interface Item {
  readonly text: string;
  /** Without quotes and variables. */
  readonly isPlain: boolean;
  readonly range: SourceRange;
}

/** Comments, blank lines and whatever is computed part a list. */
function groupByLine(items: readonly Item[]): readonly (readonly Item[])[] {
  const groups: Item[][] = [];
  let line = -1;
  for (const item of items) {
    const { start, end } = item.range;
    if (!item.isPlain || start.line !== end.line) {
      line = -1;
      continue;
    }
    if (start.line !== line + 1) groups.push([]);
    groups.at(-1)?.push(item);
    line = start.line;
  }
  return groups;
}

type Order = (a: Item, b: Item) => number;

/** What `sort` makes of a list depends on the locale: each of its orders is one. */
const byText: Order = (a, b) => compare(a.text, b.text);
const byName: Order = (a, b) => compare(nameOf(a), nameOf(b)) || compare(a.text, b.text);
const byLetters: Order = (a, b) => compare(lettersOf(a), lettersOf(b));
const ORDERS = [byText, byName, byLetters];

function compare(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}

function nameOf({ text }: Item): string {
  return text.replace(/[=<>~@:/].*$/, '');
}

function lettersOf({ text }: Item): string {
  return text.toLowerCase().replace(/[^a-z0-9]/g, '');
}

function isSorted(items: readonly Item[], order: Order): boolean {
  return items.every((item, at) => order(items[at - 1] ?? item, item) <= 0);
}

/** Every package goes to the place of another one, so that the layout stays. */
function sort(items: readonly Item[]): Fix {
  const sorted = items.toSorted(byName);
  const edits = items.flatMap(({ text, range }, at) => {
    const next = sorted[at]?.text ?? text;
    return next === text ? [] : [{ range, text: next }];
  });
  return { description: 'sort the packages', edits };
}
