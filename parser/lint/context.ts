/** What the checks of instructions share: the run they belong to, and the words they read. */

import { suggest } from '../../src/errors.ts';
import type { Dockerfile } from '../ast.ts';
import { expandWord, type ExpandOptions } from '../expand.ts';
import type { GlobalVariables } from './global-args.ts';
import type { BaseImageFacts, LintOptions } from './options.ts';
import type { FindFix, Reporter, Warn } from './reporter.ts';
import { RULES } from './rules.ts';
import type { SourceLines } from './source-lines.ts';
import type { StageScope } from './stage-scope.ts';

/** The same for a whole run. */
export interface StageChecks {
  readonly dockerfile: Dockerfile;
  readonly globals: GlobalVariables;
  readonly options: LintOptions;
  readonly buildArgs: Readonly<Record<string, string>>;
  readonly reporter: Reporter;
  readonly lines: SourceLines;
}

/** The same for one instruction. */
export interface InstructionContext extends StageChecks {
  readonly scope: StageScope;
  readonly warn: Warn;
  /** The same with a fix, which a trigger's warning never has: it is not in the file. */
  readonly warnFixable: (fix: FindFix) => Warn;
  /** About the image that the stage begins with. */
  readonly facts: BaseImageFacts | undefined;
}

/** A word's value; reports the variables that nobody defined. */
export function expandReporting(
  text: string,
  { scope, warn }: InstructionContext,
  options: Omit<ExpandOptions, 'escape'> = {},
): string {
  const unset = new Set<string>();
  try {
    return expandWord(text, (name) => scope.variables.get(name), {
      ...options,
      escape: scope.escape,
      onUnset: (name) => unset.add(name),
    });
  } finally {
    for (const name of unset) {
      if (scope.declared.has(name) || NOT_EXPORTED.includes(name)) continue;
      const { variables } = scope;
      const isComparable = variables.size <= MAX_COMPARED;
      const close = isComparable ? suggest(name, variables.keys(), { exactCase: true }) : '';
      warn(RULES.UndefinedVar, name, close ?? '');
    }
  }
}

/** With more variables, looking for a likely one costs more than the whole check. */
const MAX_COMPARED = 500;

/** Declared, but never in the environment (ARG-10). */
export const NOT_EXPORTED = ['BUILDKIT_SBOM_SCAN_CONTEXT', 'BUILDKIT_SBOM_SCAN_STAGE'];
