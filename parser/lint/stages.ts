/** The stages of a file as far as the checks need them: bases, and who needs whom. */

import { expandWord } from '../expand.ts';
import type { Dockerfile, FromInstruction, Instruction } from '../ast.ts';
import { mountSource } from './mounts.ts';

export interface LintStage {
  readonly index: number;
  readonly from: FromInstruction;
  /** Lower case; '' without one. */
  readonly name: string;
  readonly instructions: readonly Instruction[];
  /** The stage that it starts from; undefined: an image, or scratch. */
  readonly base: LintStage | undefined;
  readonly isScratch: boolean;
}

/** The stages in file order, each with its base (FROM-3). */
export function stagesOf(
  dockerfile: Dockerfile,
  values: ReadonlyMap<string, string>,
): readonly LintStage[] {
  const byName = new Map<string, LintStage>();
  return groupByStage(dockerfile).map(({ from, instructions }, index) => {
    const image = tryExpand(from.image.text, dockerfile, values);
    const name = from.name?.toLowerCase() ?? '';
    const base = byName.get(image);
    const isScratch = base === undefined && image === 'scratch';
    const stage: LintStage = { index, from, name, instructions, base, isScratch };
    if (name !== '') byName.set(name, stage);
    return stage;
  });
}

/** The stages that a target needs, itself included; all when undefined (CHK-1, FROM-8). */
export function neededStages(
  stages: readonly LintStage[],
  target: string | undefined,
): ReadonlySet<LintStage> {
  if (target === undefined) return new Set(stages);
  const needed = new Set<LintStage>();
  const open = [targetStage(stages, target)];
  for (let stage = open.pop(); stage !== undefined || open.length > 0; stage = open.pop()) {
    if (stage === undefined || needed.has(stage)) continue;
    needed.add(stage);
    open.push(...usedStages(stages, stage));
  }
  return needed;
}

/** The stage that is built: the last one when nobody chose (FROM-8). */
export function targetStage(
  stages: readonly LintStage[],
  target: string | undefined,
): LintStage | undefined {
  return target === undefined || target === '' ? stages.at(-1) : findStage(stages, target);
}

/** The stages that one takes something from, its base included. */
export function usedStages(
  stages: readonly LintStage[],
  stage: LintStage,
): readonly (LintStage | undefined)[] {
  return [stage.base, ...sourcesOf(stage).map((name) => findStage(stages, name))];
}

interface StageGroup {
  readonly from: FromInstruction;
  readonly instructions: Instruction[];
}

function groupByStage(dockerfile: Dockerfile): readonly StageGroup[] {
  const groups: StageGroup[] = [];
  for (const instruction of dockerfile.instructions) {
    if (instruction.kind === 'from') groups.push({ from: instruction, instructions: [] });
    else groups.at(-1)?.instructions.push(instruction);
  }
  return groups;
}

function tryExpand(
  text: string,
  { escape }: Dockerfile,
  values: ReadonlyMap<string, string>,
): string {
  try {
    return expandWord(text, (name) => values.get(name), { escape });
  } catch {
    // The build says what is wrong with it.
    return text;
  }
}

/** By name, else by index. */
export function findStage(stages: readonly LintStage[], name: string): LintStage | undefined {
  let named = byNames.get(stages);
  if (named === undefined) {
    // Of several the last one.
    named = new Map(stages.map((stage) => [stage.name, stage]));
    named.delete('');
    byNames.set(stages, named);
  }
  return named.get(name.toLowerCase()) ?? (/^\d+$/.test(name) ? stages[Number(name)] : undefined);
}

/** For one list of stages, which never changes. */
const byNames = new WeakMap<readonly LintStage[], Map<string, LintStage>>();

/** What `COPY --from` and mounts name. */
function sourcesOf(stage: LintStage): readonly string[] {
  return stage.instructions.flatMap((instruction) => {
    if (instruction.kind === 'copy') return instruction.from ?? [];
    if (instruction.kind !== 'run') return [];
    return instruction.mounts.flatMap((mount) => mountSource(mount) ?? []);
  });
}
