/** Checks that need to know what is true at an instruction: variables, shell, directory. */

import type { FromInstruction, Instruction } from '../ast.ts';
import { expandWord } from '../expand.ts';
import type { StageChecks } from './context.ts';
import { DEFAULT_PLATFORM } from './global-args.ts';
import { checkInstruction } from './instruction-checks.ts';
import type { BaseImageFacts } from './options.ts';
import { readPlatform } from './platforms.ts';
import { RULES } from './rules.ts';
import { StageScope } from './stage-scope.ts';
import type { LintStage } from './stages.ts';
import { readTrigger } from './triggers.ts';

/** Evaluates stages, each once and its base before it. */
export class StageChecker {
  readonly #checks: StageChecks;
  readonly #ends = new Map<LintStage, StageScope>();
  readonly #facts = new Map<LintStage, BaseImageFacts | undefined>();

  constructor(checks: StageChecks) {
    this.#checks = checks;
  }

  /** Reports on a stage's instructions, and on its base's if nobody did yet. */
  check(stage: LintStage): StageScope {
    const known = this.#ends.get(stage);
    if (known !== undefined) return known;
    const { dockerfile, reporter } = this.#checks;
    const parent = stage.base === undefined ? undefined : this.check(stage.base);
    const facts = this.#factsOf(stage);
    this.#facts.set(stage, facts);
    if (parent === undefined && facts !== undefined) this.#checkPlatform(stage, facts);
    const scope = new StageScope({ parent, facts, escape: dockerfile.escape });
    this.#ends.set(stage, scope);
    const context = { ...this.#checks, scope, facts };
    for (const trigger of triggersOf(stage, parent === undefined ? facts : undefined)) {
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

  /** About the image that the stage begins with; its base was checked before. */
  #factsOf({ base, isScratch, index }: LintStage): BaseImageFacts | undefined {
    if (base !== undefined) return this.#facts.get(base);
    return isScratch ? undefined : this.#checks.options.baseImage?.(index);
  }

  /** Its own, when it has one that can be evaluated; an empty one is the build's. */
  #platformOf({ platform }: FromInstruction): string | undefined {
    const { globals, dockerfile } = this.#checks;
    if (platform === undefined) return undefined;
    try {
      const { escape } = dockerfile;
      return expandWord(platform, (name) => globals.values.get(name), { escape }) || undefined;
    } catch {
      return undefined;
    }
  }

  /** The variant does not matter. */
  #checkPlatform({ from }: LintStage, { platform: actual }: BaseImageFacts): void {
    const { options, reporter } = this.#checks;
    const written = this.#platformOf(from) ?? options.platform ?? DEFAULT_PLATFORM;
    const expected = readPlatform(written);
    if (actual === undefined || expected?.architecture === undefined) return;
    if (actual.os === expected.os && actual.architecture === expected.architecture) return;
    const found = `${actual.os}/${actual.architecture}`;
    const wanted = `${expected.os}/${expected.architecture}`;
    reporter.at(from)(RULES.InvalidBaseImagePlatform, from.image.text, found, wanted);
  }
}

/** HC-5: those of the base, not those that the base was triggered by. */
function triggersOf(stage: LintStage, facts: BaseImageFacts | undefined): readonly Instruction[] {
  const own = (stage.base?.instructions ?? []).flatMap((instruction) =>
    instruction.kind === 'onbuild' ? instruction.trigger : [],
  );
  return [...(facts?.triggers ?? []), ...own].flatMap((text) => readTrigger(text) ?? []);
}
