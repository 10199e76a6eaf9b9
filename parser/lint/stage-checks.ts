/** Checks that need to know what is true at an instruction: variables, shell, directory. */

import { parseInstruction } from '../dockerfile.ts';
import type { Instruction } from '../ast.ts';
import type { StageChecks } from './context.ts';
import { DEFAULT_PLATFORM } from './global-args.ts';
import { checkInstruction } from './instruction-checks.ts';
import type { BaseImageFacts } from './options.ts';
import { RULES } from './rules.ts';
import { StageScope } from './stage-scope.ts';
import type { LintStage } from './stages.ts';

/** Evaluates stages, each once and its base before it. */
export class StageChecker {
  readonly #checks: StageChecks;
  readonly #ends = new Map<LintStage, StageScope>();

  constructor(checks: StageChecks) {
    this.#checks = checks;
  }

  /** Reports on a stage's instructions, and on its base's if nobody did yet. */
  check(stage: LintStage): StageScope {
    const known = this.#ends.get(stage);
    if (known !== undefined) return known;
    const { dockerfile, reporter } = this.#checks;
    const facts = stage.base === undefined ? this.#factsOf(stage) : undefined;
    if (facts !== undefined) this.#checkPlatform(stage, facts);
    const parent = stage.base === undefined ? undefined : this.check(stage.base);
    const scope = new StageScope({ parent, facts, escape: dockerfile.escape });
    this.#ends.set(stage, scope);
    const context = { ...this.#checks, scope, facts: this.#factsOf(stage) };
    for (const trigger of triggersOf(stage, facts)) {
      // A trigger has no place in the file; the FROM that sets it off has.
      const warn = reporter.at(stage.from);
      checkInstruction(trigger, { ...context, warn, warnFixable: () => warn });
    }
    for (const instruction of stage.instructions) {
      checkInstruction(instruction, {
        ...context,
        warn: reporter.at(instruction),
        warnFixable: (fix) => reporter.fixable(instruction, fix),
      });
    }
    return scope;
  }

  /** What holds at the end of a stage that was checked. */
  scopeAfter(stage: LintStage): StageScope | undefined {
    return this.#ends.get(stage);
  }

  #factsOf(stage: LintStage): BaseImageFacts | undefined {
    let first = stage;
    while (first.base !== undefined) first = first.base;
    return first.isScratch ? undefined : this.#checks.options.baseImage?.(first.index);
  }

  /** The variant does not matter. */
  #checkPlatform({ from }: LintStage, { platform: actual }: BaseImageFacts): void {
    const { options, reporter } = this.#checks;
    // With a platform of its own, the image was chosen for it.
    if (actual === undefined || from.platform !== undefined) return;
    const [os = '', architecture = ''] = (options.platform ?? DEFAULT_PLATFORM).split('/');
    if (actual.os === os && actual.architecture === architecture) return;
    const found = `${actual.os}/${actual.architecture}`;
    const expected = `${os}/${architecture}`;
    reporter.at(from)(RULES.InvalidBaseImagePlatform, from.image.text, found, expected);
  }
}

/** HC-5: those of the base, not those that the base was triggered by. */
function triggersOf(stage: LintStage, facts: BaseImageFacts | undefined): readonly Instruction[] {
  const own = (stage.base?.instructions ?? []).flatMap((instruction) =>
    instruction.kind === 'onbuild' ? instruction.trigger : [],
  );
  return [...(facts?.triggers ?? []), ...own].flatMap((text) => {
    try {
      return parseInstruction(text, { file: 'ONBUILD' });
    } catch {
      // The build says what is wrong with it.
      return [];
    }
  });
}
