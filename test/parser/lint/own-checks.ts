/** A table of texts in which own checks must find something, and of those in which they must not. */

import assert from 'node:assert/strict';
import {
  type BaseImageFacts,
  lint,
  type LintOptions,
  parseDockerfile,
} from '../../../parser/index.ts';
import type { OWN_RULES } from '../../../parser/lint/beyond/rules.ts';

export interface OwnCheckCase {
  readonly rule: keyof typeof OWN_RULES;
  /** Each must be reported once, at this line. */
  readonly bad: readonly (readonly [line: number, text: string, options?: LintOptions])[];
  readonly good: readonly (string | readonly [string, LintOptions])[];
}

/** A base image of which something is known; without arguments, that it runs as root. */
export const root = (facts: BaseImageFacts = { user: '' }): LintOptions => ({
  baseImage: () => facts,
});
export const DEBIAN = 'FROM debian:13\n';
export const ALPINE = 'FROM alpine:3\n';

/** Two tests for each case. */
export function testCases(cases: readonly OwnCheckCase[]): void {
  for (const { rule, bad, good } of cases) {
    it(`${rule} finds what is wrong`, () => {
      for (const [line, text, options] of bad) {
        assert.deepEqual(linesOf(rule, text, options), [line], text);
      }
    });

    it(`${rule} leaves alone what is right, or not sure to be wrong`, () => {
      for (const each of good) {
        const [text, options] = typeof each === 'string' ? [each] : each;
        assert.deepEqual(linesOf(rule, text, options), [], text);
      }
    });
  }
}

/** Where a check reports something. */
export function linesOf(rule: string, text: string, options?: LintOptions): readonly number[] {
  const warnings = lint(parseDockerfile(text), { beyond: 'all', ...options });
  return warnings.flatMap((warning) => (warning.rule === rule ? warning.range.start.line : []));
}
