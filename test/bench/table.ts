/** The table: medians, extremes, ratios to the first column, peak memory. */

export type Result =
  | { readonly kind: 'measured'; readonly seconds: readonly number[]; readonly memory: number }
  | { readonly kind: 'failed' };

/** Column heads: the first builder is what the others are compared with. */
export function header(names: readonly string[]): string {
  const heads = names.map((name, index) => (index === 0 ? `${name} | MiB` : `${name} | MiB | ×`));
  const columns = names.length * 3;
  return `| work | ${heads.join(' | ')} |\n|${'---|'.repeat(columns)}`;
}

/** One workload: seconds as median [min–max], MiB at most, and how many times as long as the first took. */
export function row(title: string, [own, ...others]: readonly Result[]): string {
  const reference = own?.kind === 'measured' ? median(own.seconds) : undefined;
  const cells = [own === undefined ? '' : cell(own)];
  for (const result of others) {
    const canCompare = result.kind === 'measured' && reference !== undefined;
    const ratio = canCompare ? (median(result.seconds) / reference).toFixed(1) : '–';
    cells.push(`${cell(result)} | ${ratio}`);
  }
  return `| ${title} | ${cells.join(' | ')} |`;
}

function cell(result: Result): string {
  if (result.kind === 'failed') return 'failed | –';
  const { seconds, memory } = result;
  const format = (value: number): string => value.toFixed(value < 1 ? 3 : 2);
  const range = `[${format(Math.min(...seconds))}–${format(Math.max(...seconds))}]`;
  return `${format(median(seconds))} ${range} | ${Math.round(memory / 2 ** 20)}`;
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  const [low = 0, high = low] = sorted.slice(Math.ceil(middle) - 1, Math.floor(middle) + 1);
  return (low + high) / 2;
}
