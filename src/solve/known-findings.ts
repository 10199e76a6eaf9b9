/** What was found in a context is remembered: a build that does nothing new looks through nothing. */

import { cacheKey, type JsonValue } from '../../cache/index.ts';
import type { ScannedContext } from '../context/scanned-context.ts';
import { type ContextFindings, findInContext } from './context-findings.ts';
import type { ContextUser } from './context-usage.ts';
import type { Session } from './session.ts';

/** Looks through a context, or knows from before. @throws ERR_STORE_UNUSABLE */
export async function knownFindings(
  context: ScannedContext,
  users: readonly ContextUser[],
  { store, layers }: Pick<Session, 'store' | 'layers'>,
): Promise<ContextFindings> {
  const takes = users.map(({ kind, isShipped, selection }) => ({ kind, isShipped, selection }));
  const key = cacheKey('context', { context: context.identity, takes: asJson(takes) });
  const record = await store.getRecord(key);
  // The key has the store's format version: what is there, this code has written.
  if (record !== undefined) return record.inputs as unknown as ContextFindings;
  const findings = findInContext(layers.openIndex(context.index), users);
  const created = Math.floor(Date.now() / 1000);
  await store.putRecord(key, { layer: undefined, inputs: asJson(findings), created, duration: 0 });
  return findings;
}

function asJson(value: object): JsonValue {
  return JSON.parse(JSON.stringify(value)) as JsonValue;
}
