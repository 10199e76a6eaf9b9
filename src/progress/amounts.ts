/** Numbers as people read them. */

/** `1.2 MB`: three digits, units are powers of 1000. */
export function sizeText(bytes: number): string {
  if (bytes < 1000) return `${bytes} B`;
  const unit = Math.min(UNITS.length, Math.floor(Math.log10(bytes) / 3));
  const value = bytes / 1000 ** unit;
  return `${value.toFixed(value < 10 ? 1 : 0)} ${UNITS[unit - 1]}`;
}

const UNITS = ['kB', 'MB', 'GB', 'TB'];

/** `12,345` */
export function countText(count: number): string {
  return String(count).replaceAll(/\B(?=(?:\d{3})+$)/g, ',');
}

/** `1 file`, `12,345 files` */
export function filesText(count: number): string {
  return `${countText(count)} ${count === 1 ? 'file' : 'files'}`;
}
