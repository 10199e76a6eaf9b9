/** A hash of each line and what follows it, which stays the same when lines are added elsewhere. */

const WINDOW = 100;
const BASE = 37n;
const END = 0xffff;

/**
 * What GitHub's code scanning calls `primaryLocationLineHash`, for each line, the first at 0: a
 * polynomial over the next hundred characters without blanks, then which of the equal ones it is.
 * The upload action reckons it too and complains when a result has another.
 */
export function lineHashes(source: string): readonly string[] {
  const units: number[] = [];
  const starts = [0];
  for (const unit of normalized(source)) {
    units.push(unit);
    if (unit === 10) starts.push(units.length);
  }
  units.push(END);
  const counts = new Map<string, number>();
  return starts.map((start) => {
    const hash = hashOf(units, start);
    const count = (counts.get(hash) ?? 0) + 1;
    counts.set(hash, count);
    return `${hash}:${count}`;
  });
}

/** UTF-16 code units without blanks and tabs, each end of a line as one line feed. */
function normalized(source: string): readonly number[] {
  const text = source.replaceAll(/[ \t]/g, '').replaceAll(/\r\n?/g, '\n');
  return Array.from({ length: text.length }, (_, index) => text.charCodeAt(index));
}

/** Beyond the end there are zeros. */
function hashOf(units: readonly number[], start: number): string {
  let hash = 0n;
  for (let offset = 0; offset < WINDOW; offset++) {
    hash = BigInt.asUintN(64, hash * BASE + BigInt(units[start + offset] ?? 0));
  }
  return hash.toString(16);
}
