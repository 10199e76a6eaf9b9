/** What a build can be given: ARGs, secrets, SSH agents and caches of a target (OPT-3). */

import {
  type ArgInstruction,
  type Dockerfile,
  expandWord,
  type FromInstruction,
} from '../../parser/index.ts';
import type { SourceRange } from '../errors.ts';
import { descriptionOf } from './descriptions.ts';
import type { GlobalArgs } from './global-args.ts';
import type { BuildPlan, PlannedStage, RunStep } from './step.ts';

/** Each list is in file order; a name is in it once. */
export interface BuildOutline {
  /** Of the target; lower case. */
  readonly name: string | undefined;
  readonly description: string;
  readonly args: readonly OutlineArg[];
  readonly secrets: readonly OutlineMount[];
  readonly ssh: readonly OutlineMount[];
  readonly caches: readonly OutlineCache[];
}

/** An ARG that the target declares, or that a FROM it needs takes part in. */
export interface OutlineArg {
  readonly name: string;
  /** From the comment above it, '' without one. */
  readonly description: string;
  /** '' when it has none. */
  readonly value: string;
  /** Of the instruction. */
  readonly range: SourceRange;
}

/** A secret or an SSH agent. */
export interface OutlineMount {
  readonly name: string;
  readonly isRequired: boolean;
  readonly range: SourceRange;
}

export interface OutlineCache {
  readonly id: string;
  readonly range: SourceRange;
}

interface OutlineOptions {
  readonly plan: BuildPlan<unknown>;
  readonly globals: Pick<GlobalArgs, 'values' | 'buildArgs'>;
}

/** Lists what the target and the stages that it needs can be given. */
export function outlineOf(dockerfile: Dockerfile, { plan, globals }: OutlineOptions): BuildOutline {
  const froms = dockerfile.instructions.filter((each) => each.kind === 'from');
  const declared = globalDeclarations(dockerfile, globals);
  const stages = stagesFrom(plan.target);
  const target = froms[plan.target.index];
  const { name } = plan.target;
  return Object.freeze({
    name,
    description: name === undefined || target === undefined ? '' : descriptionOf(name, target),
    args: byPlace(
      stages.flatMap((stage) => {
        const used = namesInFrom(froms[stage.index], dockerfile, globals.values);
        return argsOf(stage, declared, used);
      }),
      ({ name: key }) => key,
    ),
    secrets: byPlace(mountsOf(stages, 'secret'), ({ name: key }) => key),
    ssh: byPlace(mountsOf(stages, 'ssh'), ({ name: key }) => key),
    caches: byPlace(cachesOf(stages), ({ id }) => id),
  });
}

/** An ARG from above the first FROM, with the names that its default is made of. */
interface GlobalDeclaration extends OutlineArg {
  readonly uses: ReadonlySet<string>;
}

function globalDeclarations(
  dockerfile: Dockerfile,
  { values, buildArgs }: OutlineOptions['globals'],
): ReadonlyMap<string, GlobalDeclaration> {
  const declared = new Map<string, GlobalDeclaration>();
  const first = dockerfile.instructions.findIndex(({ kind }) => kind === 'from');
  const args = dockerfile.instructions
    .slice(0, first)
    .filter((each): each is ArgInstruction => each.kind === 'arg');
  for (const instruction of args) {
    for (const { name, default: written = '' } of instruction.args) {
      declared.set(name, {
        name,
        description: descriptionOf(name, instruction),
        value: values.get(name) ?? '',
        range: instruction.range,
        // A given value takes the default's place, and what the default uses with it.
        uses: buildArgs.has(name) ? new Set() : namesIn(written, dockerfile, values),
      });
    }
  }
  return declared;
}

function namesInFrom(
  from: FromInstruction | undefined,
  dockerfile: Dockerfile,
  values: ReadonlyMap<string, string>,
): readonly string[] {
  if (from === undefined) return [];
  return [from.image.text, from.platform ?? ''].flatMap((word) => [
    ...namesIn(word, dockerfile, values),
  ]);
}

/** The variables of a word that have a value. */
function namesIn(
  word: string,
  { escape }: Dockerfile,
  values: ReadonlyMap<string, string>,
): ReadonlySet<string> {
  const names = new Set<string>();
  const lookup = (name: string): string | undefined => {
    const value = values.get(name);
    if (value !== undefined) names.add(name);
    return value;
  };
  expandWord(word, lookup, { escape });
  return names;
}

/** The stage's own ARGs, and the global ones that it names or starts from. */
function argsOf(
  stage: PlannedStage<unknown>,
  globals: ReadonlyMap<string, GlobalDeclaration>,
  usedInFrom: readonly string[],
): readonly OutlineArg[] {
  const own = new Map<string, OutlineArg>();
  for (const { name, description, value, isInherited, location } of stage.args) {
    if (!isInherited) own.set(name, { name, description, value, range: location.range });
  }
  const found = new Map<string, OutlineArg>();
  const pending = [...usedInFrom, ...stage.args.map(({ name }) => name)];
  for (let name = pending.shift(); name !== undefined; name = pending.shift()) {
    if (found.has(name)) continue;
    const global = globals.get(name);
    const arg = own.get(name) ?? global;
    // A predefined one is nobody's to give.
    if (arg === undefined) continue;
    const { description, value, range } = arg;
    found.set(name, { name, description, value, range });
    if (arg === global) pending.push(...global.uses);
  }
  return [...found.values()];
}

/** The target first, then what it starts from, then what it copies and mounts from. */
function stagesFrom(target: PlannedStage<unknown>): readonly PlannedStage<unknown>[] {
  const stages = new Map<number, PlannedStage<unknown>>();
  const visit = (stage: PlannedStage<unknown>): void => {
    if (stages.has(stage.index)) return;
    stages.set(stage.index, stage);
    if (stage.base.kind === 'stage') visit(stage.base.stage);
    for (const step of stage.steps) {
      if (step.kind === 'copy' && step.origin.kind === 'stage') visit(step.origin.stage);
      if (step.kind !== 'run') continue;
      for (const { from } of step.mounts) if (from?.kind === 'stage') visit(from.stage);
    }
  };
  visit(target);
  return [...stages.values()];
}

function runsOf(stages: readonly PlannedStage<unknown>[]): readonly RunStep<unknown>[] {
  return stages.flatMap(({ steps }) => steps.filter((step) => step.kind === 'run'));
}

function mountsOf(
  stages: readonly PlannedStage<unknown>[],
  kind: 'secret' | 'ssh',
): readonly OutlineMount[] {
  return runsOf(stages).flatMap(({ mounts, location }) =>
    mounts.flatMap(({ mount }) =>
      mount.kind === kind
        ? [{ name: mount.id, isRequired: mount.required, range: location.range }]
        : [],
    ),
  );
}

function cachesOf(stages: readonly PlannedStage<unknown>[]): readonly OutlineCache[] {
  return runsOf(stages).flatMap(({ mounts, location }) =>
    mounts.flatMap(({ mount, target }) =>
      mount.kind === 'cache' ? [{ id: mount.id ?? target, range: location.range }] : [],
    ),
  );
}

/** Of several with a key the first found counts, as it is nearest to the target. */
function byPlace<T extends { readonly range: SourceRange }>(
  found: readonly T[],
  keyOf: (item: T) => string,
): readonly T[] {
  const unique = new Map<string, T>();
  for (const item of found) if (!unique.has(keyOf(item))) unique.set(keyOf(item), item);
  const items = [...unique.values()].map((item) => Object.freeze(item));
  return Object.freeze(items.toSorted((a, b) => a.range.start.line - b.range.start.line));
}
