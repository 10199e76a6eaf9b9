/** Text of flags to values. */

import { TsbuildError } from '../index.ts';
import { usage } from './argv.ts';

const UNITS = ['', 'k', 'm', 'g', 't'];

/** `name=value` at the first `=`; without one the value is empty. */
export function splitPair(text: string): readonly [string, string] {
  const equals = text.indexOf('=');
  return equals === -1 ? [text, ''] : [text.slice(0, equals), text.slice(equals + 1)];
}

/** docker's sizes in bytes: `67108864`, `64m`, `64MB`, `64MiB`, `1.5g`; units are powers of 1024. */
export function parseSize(flag: string, text: string): number {
  const [, number = '', unit = ''] = /^(\d+(?:\.\d+)?) ?([kmgt]?)(?:i?b)?$/i.exec(text) ?? [];
  if (number === '') throw usage(`Cannot use "${text}" as the size of "${flag}"`, 'E.g. "64m".');
  return Math.trunc(Number(number) * 1024 ** UNITS.indexOf(unit.toLowerCase()));
}

/** `90`, `90s`, `1h30m`, `1.5h`: milliseconds; a number alone is seconds. */
export function parseDuration(flag: string, text: string): number {
  const units: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ms|[smh])/gy)];
  const isWhole = parts.length > 0 && parts.map(([part]) => part).join('') === text;
  const seconds = /^\d+(?:\.\d+)?$/.test(text) ? Number(text) * 1000 : undefined;
  const sum = parts.reduce((time, [, count = '', unit = '']) => {
    return time + Number(count) * (units[unit] ?? 0);
  }, 0);
  const milliseconds = Math.ceil(seconds ?? (isWhole ? sum : 0));
  // What a timer can count.
  if (milliseconds > 0 && milliseconds < 2 ** 31) return milliseconds;
  throw usage(`Cannot use "${text}" as the value of "${flag}"`, 'E.g. "90s", "10m" or "1h30m".');
}

/** A whole number from 1. */
export function parseCount(flag: string, text: string): number {
  if (!/^[1-9]\d{0,3}$/.test(text)) {
    throw usage(`Cannot use "${text}" as the value of "${flag}": it is a number from 1`);
  }
  return Number(text);
}

/** pflag's booleans. */
export function parseBoolean(flag: string, text: string): boolean {
  if (/^(1|t|true)$/i.test(text)) return true;
  if (/^(0|f|false)$/i.test(text)) return false;
  throw usage(`Cannot use "${text}" as the value of "${flag}"`);
}

/** The fields of `key=value,key=value` (docker's CSV flags); values may be quoted with `"`. */
export function parseFields(text: string): ReadonlyMap<string, string> {
  const fields = text.match(/(?:"(?:[^"]|"")*"|[^,])+/g) ?? [];
  return new Map(
    fields.map((field) => {
      const [key, value] = splitPair(field.replaceAll(/^"|"$/g, '').replaceAll('""', '"'));
      return [key.trim().toLowerCase(), value];
    }),
  );
}

/** Something that docker's command line has and this one does not, yet. */
export function unsupported(feature: string): TsbuildError {
  return new TsbuildError('ERR_UNSUPPORTED', {
    message: `Cannot use ${feature}: this version does not have it`,
    details: { feature },
  });
}
