/** What the documents of two images say differently: config, history, manifest. Pure. */

import { align } from './align.ts';
import type { DocumentValue, ValueDifference } from './difference.ts';
import {
  type DocumentObject,
  isEqual,
  isObject,
  keyOf,
  type ValueChange,
  valueChanges,
} from './value-changes.ts';

/** The config but for its history and its layers. `Env` by the names of its variables. */
export function* configChanges(a: DocumentObject, b: DocumentObject): Generator<ValueDifference> {
  const rest = (document: DocumentObject): DocumentObject =>
    without(document, ['history', 'rootfs', 'config']);
  yield* told('config', containerChanges(a['config'], b['config']));
  yield* told('config', valueChanges(rest(a), rest(b), ''));
}

/** Entries side by side; of two that are one step, what differs in them. */
export function* historyChanges(a: DocumentObject, b: DocumentObject): Generator<ValueDifference> {
  const [entriesA, entriesB] = [listOf(a['history']), listOf(b['history'])];
  for (const [i, j] of align(entriesA, entriesB, likenessOfSteps)) {
    const key = `history[${i ?? j}]`;
    const [entryA, entryB] = [at(entriesA, i), at(entriesB, j)];
    yield* told('history', valueChanges(entryA, entryB, key));
  }
}

/** The manifest but for the bytes that it names: media types, annotations, what kind of thing it is. */
export function* manifestChanges(a: DocumentObject, b: DocumentObject): Generator<ValueDifference> {
  const rest = (document: DocumentObject): DocumentObject =>
    without(document, ['layers', 'config', 'subject', 'manifests']);
  yield* told('manifest', valueChanges(rest(a), rest(b), ''));
  yield* told('manifest', descriptorChanges(a['config'], b['config'], 'config'));
  const [layersA, layersB] = [listOf(a['layers']), listOf(b['layers'])];
  if (layersA.length !== layersB.length) return;
  for (const [number, layer] of layersA.entries()) {
    const key = `layers[${number}]`;
    yield* told('manifest', descriptorChanges(layer, layersB[number], key, ['mediaType']));
  }
}

/** What two entries of indexes say about images of one platform. */
export function* descriptorChanges(
  a: DocumentValue | undefined,
  b: DocumentValue | undefined,
  key: string,
  leftOut: readonly string[] = [],
): Generator<ValueChange> {
  const names = ['digest', 'size', 'data', ...leftOut];
  const rest = (value: DocumentValue | undefined): DocumentValue | undefined =>
    isObject(value) ? without(value, names) : value;
  yield* valueChanges(rest(a), rest(b), key);
}

function* containerChanges(
  a: DocumentValue | undefined,
  b: DocumentValue | undefined,
): Generator<ValueChange> {
  if (!isObject(a) || !isObject(b)) {
    yield* valueChanges(a, b, 'config');
    return;
  }
  for (const change of valueChanges(a, b, 'config')) {
    if (change.key === 'config.Env') yield* environmentChanges(change);
    else yield change;
  }
}

/** By name; the list itself where only its order differs, or where it is none of variables. */
function* environmentChanges(change: ValueChange): Generator<ValueChange> {
  const [a, b] = [variablesOf(change.a), variablesOf(change.b)];
  if (a === undefined || b === undefined || isEqual(a, b)) yield change;
  else yield* valueChanges(a, b, change.key);
}

function variablesOf(value: DocumentValue | undefined): DocumentObject | undefined {
  const variables = listOf(value).map((text) =>
    typeof text === 'string' ? /^(?<name>[^=]+)=(?<value>.*)$/s.exec(text) : null,
  );
  const pairs = variables.flatMap((match): readonly [string, string][] =>
    match?.groups === undefined ? [] : [[match.groups['name'] ?? '', match.groups['value'] ?? '']],
  );
  if (pairs.length !== variables.length) return undefined;
  const names = new Set(pairs.map(([name]) => name));
  return names.size === pairs.length ? Object.fromEntries(pairs) : undefined;
}

/** Being equal counts most, then doing the same. */
function likenessOfSteps(a: DocumentValue, b: DocumentValue): number {
  if (isEqual(a, b)) return 1000;
  if (!isObject(a) || !isObject(b)) return 0;
  return isEqual(a['created_by'], b['created_by']) ? 100 : 0;
}

function without(document: DocumentObject, names: readonly string[]): DocumentObject {
  return Object.fromEntries(Object.entries(document).filter(([name]) => !names.includes(name)));
}

function listOf(value: DocumentValue | undefined): readonly DocumentValue[] {
  return Array.isArray(value) ? value : [];
}

function at<T>(list: readonly T[], index: number | undefined): T | undefined {
  return index === undefined ? undefined : list[index];
}

function* told(
  group: ValueDifference['group'],
  changes: Iterable<ValueChange>,
): Generator<ValueDifference> {
  for (const change of changes) yield { group, ...change };
}

/** The key of a platform's entry in an index. */
export function entryKey(platform: string): string {
  return keyOf('manifests', platform);
}
