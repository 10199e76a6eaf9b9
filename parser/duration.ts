/** Go's durations: `1h30m`, `1.5s`, `-2ms` (HC-1). */

const UNITS: Readonly<Record<string, number>> = {
  ns: 1,
  us: 1e3,
  µs: 1e3,
  μs: 1e3,
  ms: 1e6,
  s: 1e9,
  m: 60e9,
  h: 3600e9,
};

/** What Go can hold: 63 bits of nanoseconds. */
const MAX_NANOSECONDS = 2 ** 63;

/** Nanoseconds, or Go's words for what is wrong. */
export function parseDuration(text: string): number | string {
  const invalid = `time: invalid duration "${text}"`;
  const sign = text.startsWith('-') ? -1 : 1;
  const rest = text.replace(/^[-+]/, '');
  if (rest === '0') return 0;
  if (rest === '') return invalid;
  const part = /(\d*)\.?(\d*)([^\d.]*)/y;
  let total = 0;
  while (part.lastIndex < rest.length) {
    const [, whole = '', fraction = '', unit = ''] = part.exec(rest) ?? [];
    if (whole === '' && fraction === '') return invalid;
    if (unit === '') return `time: missing unit in duration "${text}"`;
    const factor = Object.hasOwn(UNITS, unit) ? UNITS[unit] : undefined;
    if (factor === undefined) return `time: unknown unit "${unit}" in duration "${text}"`;
    // Apart, as Go counts: their sum as a float may be just below the number that was meant.
    total +=
      Number(whole) * factor + Math.trunc(Number(fraction) * (factor / 10 ** fraction.length));
    if (total > MAX_NANOSECONDS) return invalid;
  }
  return sign * total;
}
