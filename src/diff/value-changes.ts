/** Two values of documents, key by key. Pure. */

import type { Change, DocumentValue } from './difference.ts';

/** What differs at a key. */
export interface ValueChange {
  readonly change: Change;
  readonly key: string;
  readonly a?: DocumentValue | undefined;
  readonly b?: DocumentValue | undefined;
}

export type DocumentObject = Readonly<Record<string, DocumentValue>>;

/** Nobody nests deeper; who does is shown whole. */
const MAX_DEPTH = 20;

/** Objects are compared by their keys, lists as a whole. Null is as good as absent. */
export function* valueChanges(
  a: DocumentValue | undefined,
  b: DocumentValue | undefined,
  key: string,
  depth = 0,
): Generator<ValueChange> {
  if (isEqual(a, b)) return;
  if (isObject(a) && isObject(b) && depth < MAX_DEPTH) {
    for (const name of namesOf(a, b)) {
      yield* valueChanges(own(a, name), own(b, name), keyOf(key, name), depth + 1);
    }
    return;
  }
  const change = isAbsent(a) ? 'added' : isAbsent(b) ? 'removed' : 'changed';
  yield {
    ...{ change, key },
    ...(!isAbsent(a) && { a }),
    ...(!isAbsent(b) && { b }),
  };
}

/** Members of either, those of `a` first. */
export function namesOf(a: DocumentObject, b: DocumentObject): readonly string[] {
  return [...new Set([...Object.keys(a), ...Object.keys(b)])];
}

/** `key.name`, or `key["name"]` for what would not read well so. */
export function keyOf(key: string, name: string): string {
  if (!/^[\w-]+$/.test(name)) return `${key}[${JSON.stringify(name)}]`;
  return key === '' ? name : `${key}.${name}`;
}

export function isObject(value: DocumentValue | undefined): value is DocumentObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Whether two values say the same, in whatever order their keys are. */
export function isEqual(a: DocumentValue | undefined, b: DocumentValue | undefined): boolean {
  if (isAbsent(a) || isAbsent(b)) return isAbsent(a) && isAbsent(b);
  if (Array.isArray(a) && Array.isArray(b)) {
    return a.length === b.length && a.every((item: DocumentValue, i) => isEqual(item, b[i]));
  }
  if (isObject(a) && isObject(b)) {
    return namesOf(a, b).every((name) => isEqual(own(a, name), own(b, name)));
  }
  return a === b;
}

function own(object: DocumentObject, name: string): DocumentValue | undefined {
  return Object.hasOwn(object, name) ? object[name] : undefined;
}

function isAbsent(value: DocumentValue | undefined): value is undefined | null {
  return value === undefined || value === null;
}
