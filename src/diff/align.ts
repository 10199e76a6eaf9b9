/** Two lists side by side: what of one stands for what of the other. Pure. */

/** Places in the two lists; one of them may have no partner. */
export type Pair = readonly [a: number | undefined, b: number | undefined];

/** Above this many comparisons, places alone decide. */
const MAX_CELLS = 1_000_000;

/**
 * Pairs in the order of both lists, such that likenesses add up to the most. `likeness` is 0 or more;
 * what is not alike at all may still be a pair.
 */
export function align<T>(
  a: readonly T[],
  b: readonly T[],
  likeness: (a: T, b: T) => number,
): readonly Pair[] {
  if (a.length * b.length > MAX_CELLS) return byPlace(a.length, b.length);
  const width = b.length + 1;
  const best = new Float64Array((a.length + 1) * width);
  const score = (i: number, j: number): number => best[i * width + j] ?? 0;
  const worth = (i: number, j: number): number => {
    const [x, y] = [a[i], b[j]];
    // Any pair is better than two without partners.
    return x === undefined || y === undefined ? 0 : 1 + likeness(x, y);
  };
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      const paired = worth(i, j) + score(i + 1, j + 1);
      best[i * width + j] = Math.max(paired, score(i + 1, j), score(i, j + 1));
    }
  }
  const pairs: Pair[] = [];
  let [i, j] = [0, 0];
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && score(i, j) === worth(i, j) + score(i + 1, j + 1)) {
      pairs.push([i++, j++]);
    } else if (i < a.length && (j === b.length || score(i, j) === score(i + 1, j))) {
      pairs.push([i++, undefined]);
    } else {
      pairs.push([undefined, j++]);
    }
  }
  return pairs;
}

function byPlace(a: number, b: number): readonly Pair[] {
  return Array.from(
    { length: Math.max(a, b) },
    (_, i): Pair => [i < a ? i : undefined, i < b ? i : undefined],
  );
}
