/** Reads back what `--progress=plain` says. */

import assert from 'node:assert/strict';
import type { Outcome } from './accounts.ts';

export interface PlainStep {
  readonly name: string;
  readonly state: string;
}

/** The steps of a build that has succeeded, in order, without its exports. */
export function stepsOf(outcome: Outcome): readonly PlainStep[] {
  assert.equal(outcome.code, 0, outcome.stderr);
  const names = new Map<number, string>();
  const states = new Map<number, string>();
  for (const line of outcome.stderr.split('\n')) {
    const [, number, name, state] =
      /^#(\d+) (?:(\[.*)|(CACHED|DONE|ERROR|CANCELED)\b.*)$/.exec(line) ?? [];
    if (name !== undefined) names.set(Number(number), name);
    if (state !== undefined) states.set(Number(number), state);
  }
  return [...names]
    .sort(([a], [b]) => a - b)
    .map(([number, name]) => ({ name, state: states.get(number) ?? 'none' }));
}

/** The instructions, without "[stage 1/2] ", of the steps that were not CACHED. */
export function ranIn(outcome: Outcome): readonly string[] {
  return stepsOf(outcome)
    .filter(({ state }) => state !== 'CACHED')
    .map(({ name }) => name.replace(/^\[.*?\] /, ''));
}

/** What the RUNs of a build printed, line by line, in the order in which it came. */
export function outputOf({ stderr }: Outcome): readonly string[] {
  const lines = stderr.split('\n').map((line) => /^#\d+ \d+\.\d+ (.*)$/.exec(line)?.[1]);
  return lines.filter((line) => line !== undefined);
}

/** The digest of the manifest that was exported. */
export function digestOf(outcome: Outcome): string {
  assert.equal(outcome.code, 0, outcome.stderr);
  const exported = outcome.stderr.slice(outcome.stderr.lastIndexOf(' exporting to '));
  const [digest] = /sha256:[0-9a-f]{64}/.exec(exported) ?? [];
  assert.ok(digest, outcome.stderr);
  return digest;
}
