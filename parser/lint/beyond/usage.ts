/** Checks of what nobody uses: stages, and build arguments. */

import { suggest } from '../../../src/errors.ts';
import { type LintStage, usedStages } from '../stages.ts';
import { readTrigger } from '../triggers.ts';
import type { BeyondChecks } from './context.ts';
import { OWN_RULES } from './rules.ts';

/**
 * With a target, somebody chose; without one, the last stage is what counts (FROM-8). Several stages
 * that have a name and no user are most likely targets: then only those without a name are reported.
 * So is one with a name that only collects files from others, for `--output`.
 */
export function checkStages({ allStages, options, reporter }: BeyondChecks): void {
  if (options.target !== undefined && options.target !== '') return;
  const stages = allStages.map(({ stage }) => stage);
  const used = new Set(stages.flatMap((stage) => usedStages(stages, stage)));
  const patterns = stages.flatMap(computedNames);
  const unused = stages.slice(0, -1).filter((stage) => {
    const isMeant = patterns.some((pattern) => pattern.test(stage.name));
    return !used.has(stage) && !isMeant;
  });
  const hasTargets = unused.filter(({ name }) => name !== '').length > 1;
  for (const stage of unused) {
    const { from, name, index } = stage;
    if (name !== '' && (hasTargets || isOutput(stage))) continue;
    const shown = from.name === undefined ? String(index) : `"${from.name}"`;
    reporter.at(from)(OWN_RULES.UnusedStage, shown);
  }
}

function isOutput({ isScratch, instructions }: LintStage): boolean {
  const isTaken = instructions.every((each) => each.kind === 'copy' && each.from !== undefined);
  return isScratch && isTaken && instructions.length > 0;
}

/** What `FROM build-$ARCH` may name with another value than today's. */
function computedNames({ from }: LintStage): readonly RegExp[] {
  const { text } = from.image;
  if (!text.includes('$')) return [];
  const parts = text.split(/\$(?:\{[^}]*\}?|\w+)/);
  const escaped = parts.map((part) => part.replace(/[^\w-]/g, '\\$&'));
  return [new RegExp(`^${escaped.join('.*')}$`)];
}

/** ARG-5, ARG-8: these mean something without an ARG. */
const PREDEFINED =
  /^(?:(?:https?|ftp|no|all)_proxy|(?:BUILD|TARGET)(?:PLATFORM|OS|OSVERSION|ARCH|VARIANT)|TARGETSTAGE|SOURCE_DATE_EPOCH|BUILDKIT_\w+)$/;

/** Reported at the first FROM, as the file has no better place. */
export function checkBuildArgs({ dockerfile, options, allStages, reporter }: BeyondChecks): void {
  const [first] = allStages;
  if (first === undefined) return;
  const declared = new Set(
    dockerfile.instructions.flatMap((instruction) => {
      if (instruction.kind === 'arg') return instruction.args.map(({ name }) => name);
      return instruction.kind === 'onbuild' ? argsOf(instruction.trigger) : [];
    }),
  );
  for (const { facts } of allStages) {
    for (const trigger of facts?.triggers ?? []) {
      for (const name of argsOf(trigger)) declared.add(name);
    }
  }
  for (const name of Object.keys(options.buildArgs ?? {})) {
    const isProxy = PREDEFINED.test(/_proxy$/i.test(name) ? name.toLowerCase() : name);
    if (declared.has(name) || isProxy) continue;
    const close = suggest(name, declared) ?? '';
    reporter.at(first.stage.from)(OWN_RULES.UnusedBuildArg, name, close);
  }
}

function argsOf(trigger: string): readonly string[] {
  const instruction = readTrigger(trigger);
  return instruction?.kind === 'arg' ? instruction.args.map(({ name }) => name) : [];
}
