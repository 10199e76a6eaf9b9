/**
 * Cache keys (design.md §5): what a step is and what goes into it, in one digest.
 *
 * The bytes hashed are canonical JSON of `[FORMAT_VERSION, kind, parts]`: object members sorted by
 * UTF-16 code units, no white space, e.g. `[3,"workdir",{"parent":["sha256:…"],"path":"/app"}]`.
 */

import { createHash } from 'node:crypto';

declare const brand: unique symbol;

/** 64 hexadecimal digits that stand for a step and all its inputs. */
export type CacheKey = string & { readonly [brand]: 'cacheKey' };

/** Goes into every key. A change of what a step does to the same inputs needs another number. */
export const FORMAT_VERSION = 4;

export type JsonValue =
  | string
  | number
  | boolean
  | null
  | readonly JsonValue[]
  | { readonly [name: string]: JsonValue };

/** The key of a step of this kind with these inputs. Throws a TypeError for what JSON cannot say. */
export function cacheKey(kind: string, parts: JsonValue): CacheKey {
  const text = canonicalJson([FORMAT_VERSION, kind, parts]);
  return createHash('sha256').update(text).digest('hex') as CacheKey;
}

/** The one text of a value, whatever order its members were written in. */
export function canonicalJson(value: JsonValue): string {
  if (isList(value)) return `[${value.map(canonicalJson).join(',')}]`;
  if (typeof value === 'object' && value !== null) {
    const members = Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, member]) => `${JSON.stringify(name)}:${canonicalJson(member)}`);
    return `{${members.join(',')}}`;
  }
  // JSON would turn both into something that other values are, too: a wrong hit.
  if (value === undefined || (typeof value === 'number' && !Number.isFinite(value))) {
    throw new TypeError(`Cannot hash ${String(value)}`);
  }
  return JSON.stringify(value);
}

/** `Array.isArray()` does not narrow readonly lists. */
function isList(value: JsonValue): value is readonly JsonValue[] {
  return Array.isArray(value);
}
