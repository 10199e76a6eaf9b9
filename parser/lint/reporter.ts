/** Collects warnings, as far as the configuration lets them through. */

import type { SourceRange } from '../../src/errors.ts';
import type { Instruction } from '../ast.ts';
import { mergeComments } from './config.ts';
import type { Fix, LintConfig, LintWarning } from './options.ts';
import type { Rule } from './rules.ts';

/** Reports a warning of a rule. */
export type Warn = <Args extends readonly string[]>(rule: Rule<Args>, ...args: Args) => void;

/** Asked once a warning is sure to be reported; undefined when there is nothing to offer. */
export type FindFix = () => Fix | undefined;

const NO_FIX: FindFix = () => undefined;

/** Where the checks of one run report to. */
export class Reporter {
  readonly #config: LintConfig;
  readonly #warnings: LintWarning[] = [];
  readonly #seen = new Set<string>();

  constructor(config: LintConfig) {
    this.#config = config;
  }

  /** For warnings about an instruction, whose comments may skip them (DIR-8). */
  at(
    instruction: Instruction,
    range: SourceRange = instruction.range,
    fix: FindFix = NO_FIX,
  ): Warn {
    return this.#warn(mergeComments(this.#config, instruction.leadingComments), range, fix);
  }

  /** For warnings about a whole instruction that can be mended. */
  fixable(instruction: Instruction, fix: FindFix): Warn {
    return this.at(instruction, instruction.range, fix);
  }

  /** For warnings that are about no instruction. */
  atRange(range: SourceRange, fix: FindFix = NO_FIX): Warn {
    return this.#warn(this.#config, range, fix);
  }

  /** In the order of the file; those of one line in the order in which they were found. */
  get warnings(): readonly LintWarning[] {
    return Object.freeze(
      this.#warnings.toSorted((a, b) => a.range.start.line - b.range.start.line),
    );
  }

  #warn(config: LintConfig, range: SourceRange, findFix: FindFix): Warn {
    return (rule, ...args) => {
      if (!isOn(rule, config)) return;
      const { name, description, url, level = 'warning' } = rule;
      const message = rule.message(...args);
      // The same variable twice in an instruction is one mistake (CHK-5).
      const key = JSON.stringify([name, message, range]);
      if (this.#seen.has(key)) return;
      this.#seen.add(key);
      const fix = findFix();
      this.#warnings.push(
        Object.freeze({
          rule: name,
          level,
          message,
          description,
          url,
          range,
          ...(fix !== undefined && { fix }),
        }),
      );
    };
  }
}

/** `skip` is not for experimental checks: they are on only where somebody asked for them. */
function isOn(
  rule: { readonly name: string; readonly experimental?: boolean },
  config: LintConfig,
): boolean {
  return rule.experimental === true
    ? config.experimentalAll || config.experimental.has(rule.name)
    : !config.skipAll && !config.skip.has(rule.name);
}
