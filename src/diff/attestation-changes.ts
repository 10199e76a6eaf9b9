/** What is said about the images of two indexes, statement by statement. */

import { readFile } from 'node:fs/promises';
import { digestOf } from '../oci/digest.ts';
import type { CompareWork } from './compare-work.ts';
import type { DocumentValue } from './difference.ts';
import type { Subject, SubjectAttestation } from './subject.ts';
import { byName } from './subject-changes.ts';
import { isObject, valueChanges } from './value-changes.ts';

/**
 * Adds the statements that only one has, and what differs in those that both have: not what they are about,
 * which the images tell.
 */
export async function addAttestations(
  a: Subject,
  b: Subject,
  { differences }: Pick<CompareWork, 'differences'>,
): Promise<void> {
  for (const [x, y] of byName(a.attestations, b.attestations, ({ name }) => name)) {
    if (x?.digest === y?.digest) continue;
    const common = { group: 'attestations', key: (x ?? y)?.name ?? '' } as const;
    if (x === undefined) differences.add({ ...common, change: 'added', b: y?.digest });
    else if (y === undefined) differences.add({ ...common, change: 'removed', a: x.digest });
    else {
      const changes = differences.isIgnored('attestations') ? [] : await statementChanges(x, y);
      for (const change of changes) differences.add({ group: 'attestations', ...change });
      const isUnexplained = changes.length === 0;
      const whole = { ...common, change: 'changed', a: x.digest, b: y.digest } as const;
      if (isUnexplained) differences.add(whole);
    }
  }
}

async function statementChanges(a: SubjectAttestation, b: SubjectAttestation) {
  const [x, y] = [await readStatement(a), await readStatement(b)];
  return x === undefined || y === undefined ? [] : [...valueChanges(x, y, a.name)];
}

/** Bytes. One that is larger differs as a whole. */
const MAX_STATEMENT = 16 * 1024 * 1024;

async function readStatement({
  digest,
  size,
  blob,
}: SubjectAttestation): Promise<DocumentValue | undefined> {
  if (size > MAX_STATEMENT) return undefined;
  const bytes = await readFile(await blob());
  if (digestOf(bytes) !== digest) return undefined;
  try {
    const statement = JSON.parse(bytes.toString()) as DocumentValue;
    return isObject(statement) ? byID({ ...statement, subject: null }) : statement;
  } catch {
    return undefined;
  }
}

/** SPDX has lists of things with ids: they are compared one by one. */
function byID(value: DocumentValue): DocumentValue {
  if (Array.isArray(value)) {
    const items = value.map(byID);
    const ids = items.map((item) => (isObject(item) ? item['SPDXID'] : undefined));
    const isKeyed = ids.every((id) => typeof id === 'string') && new Set(ids).size === ids.length;
    if (!isKeyed || ids.length === 0) return items;
    return Object.fromEntries(items.map((item, number) => [String(ids[number]), item]));
  }
  if (!isObject(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, byID(member)]));
}
