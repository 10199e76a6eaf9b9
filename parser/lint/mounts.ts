/** What a `RUN --mount` says, as far as it can be told before variables are known. */

import { splitCsv } from '../csv.ts';

/** The stage, image or context that it takes its files from. */
export function mountSource(mount: string): string | undefined {
  return fieldOf(mount, ['from']);
}

/** Whether a cache or tmpfs covers a directory, or may: its target has a variable. */
export function mayCover(mount: string, directory: string): boolean {
  const type = fieldOf(mount, ['type']);
  if (type !== 'cache' && type !== 'tmpfs') return false;
  const target = fieldOf(mount, ['target', 'dst', 'destination']) ?? '';
  const path = target.replace(/\/+$/, '');
  return target.includes('$') || path === directory || directory.startsWith(`${path}/`);
}

/** Undefined also for what is no list of fields: the build says what is wrong with it. */
function fieldOf(mount: string, keys: readonly string[]): string | undefined {
  const fields = splitCsv(mount);
  if (typeof fields === 'string') return undefined;
  const field = fields.find((each) => keys.includes(each.split('=', 1)[0]?.toLowerCase() ?? ''));
  return field === undefined || !field.includes('=')
    ? undefined
    : field.slice(field.indexOf('=') + 1);
}
