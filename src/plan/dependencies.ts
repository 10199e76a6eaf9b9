/** Which stages need which, as far as the Dockerfile alone says (FROM-8). */

import { type Dockerfile, parseMount } from '../../parser/index.ts';
import { type SourceLocation, TsbuildError } from '../errors.ts';
import { flagLocation, locationOf } from './failures.ts';
import { type OutlineOrigin, findOrigin } from './origin.ts';
import type { Sources } from './sources.ts';
import type { BaseImage } from './options.ts';
import type { StageInstruction, StageOutline } from './stage-outline.ts';

/** A `--from` of COPY or of a mount. */
interface Need {
  readonly origin: OutlineOrigin;
  readonly location: SourceLocation;
}

/** What each stage's instructions copy from or mount. Stages are checked whether they are built or not. */
export class Dependencies {
  readonly #needs: ReadonlyMap<StageOutline, readonly Need[]>;

  /** @throws ERR_STAGE_UNKNOWN, ERR_REFERENCE_INVALID, ERR_STAGE_CYCLE */
  constructor(needs: ReadonlyMap<StageOutline, readonly Need[]>) {
    this.#needs = needs;
    this.#refuseCycles();
  }

  /** The stages that building `target` takes, in file order, itself included. */
  reachableFrom(target: StageOutline): readonly StageOutline[] {
    const reached = new Set<StageOutline>();
    const pending = [target];
    for (let stage = pending.pop(); stage !== undefined; stage = pending.pop()) {
      if (reached.has(stage)) continue;
      reached.add(stage);
      if (stage.base.kind === 'stage') pending.push(stage.base.stage);
      for (const { origin } of this.needsOf(stage)) {
        if (origin.kind === 'stage') pending.push(origin.stage);
      }
    }
    return [...reached].sort((a, b) => a.index - b.index);
  }

  needsOf(stage: StageOutline): readonly Need[] {
    return this.#needs.get(stage) ?? [];
  }

  /** Bases are always earlier stages: only what is copied or mounted can close a circle. */
  #refuseCycles(): void {
    const done = new Set<StageOutline>();
    const path = new Set<StageOutline>();
    const visit = (stage: StageOutline, start: StageOutline): void => {
      if (done.has(stage)) return;
      done.add(stage);
      path.add(stage);
      for (const { origin, location } of this.needsOf(stage)) {
        if (origin.kind !== 'stage') continue;
        if (path.has(origin.stage)) throw cycle(start, { path, back: origin.stage, location });
        visit(origin.stage, start);
      }
      path.delete(stage);
    };
    for (const stage of this.#needs.keys()) visit(stage, stage);
  }
}

/** Reads the needs of all stages. @throws ERR_STAGE_UNKNOWN, ERR_REFERENCE_INVALID, ERR_STAGE_CYCLE */
export function findDependencies<Image extends BaseImage>(
  dockerfile: Dockerfile,
  stages: readonly StageOutline[],
  sources: Sources<Image>,
): Dependencies {
  return new Dependencies(
    new Map(
      stages.map((stage) => [
        stage,
        stage.instructions.flatMap((instruction) => {
          const location = locationOf(dockerfile, instruction.range);
          return namesOf(instruction).map(({ name, allowIndex, flag }) => {
            const at = flagLocation(location, instruction, flag);
            const origin = findOrigin(name, { stages, sources, allowIndex, location: at });
            return { origin, location: at };
          });
        }),
      ]),
    ),
  );
}

interface NamedOrigin {
  readonly name: string;
  readonly allowIndex: boolean;
  /** That names it. */
  readonly flag: Parameters<typeof flagLocation>[2];
}

function namesOf(instruction: StageInstruction): readonly NamedOrigin[] {
  if (instruction.kind === 'copy' && instruction.from !== undefined) {
    return [{ name: instruction.from, allowIndex: true, flag: { name: 'from' } }];
  }
  if (instruction.kind !== 'run') return [];
  return instruction.mounts.flatMap((text, index) => {
    const name = mountFrom(text);
    const flag = { name: 'mount', index };
    return name === undefined ? [] : [{ name, allowIndex: false, flag }];
  });
}

/** The `from` of a mount, which never has variables; what else is in the mount may have. */
function mountFrom(text: string): string | undefined {
  try {
    const mount = parseMount(text);
    return mount.kind === 'bind' || mount.kind === 'cache' ? mount.from : undefined;
  } catch {
    // It can only be read with its variables: then it is found when its stage is evaluated.
    return undefined;
  }
}

interface Circle {
  /** From where the search began to the stage that closes the circle. */
  readonly path: ReadonlySet<StageOutline>;
  /** What that stage needs, which is on the path. */
  readonly back: StageOutline;
  readonly location: SourceLocation;
}

function cycle(
  stage: StageOutline,
  { path, back, location }: Circle,
): TsbuildError<'ERR_STAGE_CYCLE'> {
  const name = stage.displayName;
  const names = [...path].map(({ displayName }) => `"${displayName}"`);
  const circle = [...names.slice([...path].indexOf(back)), `"${back.displayName}"`];
  return new TsbuildError('ERR_STAGE_CYCLE', {
    message: `Cannot order the stages: circular dependency detected on stage: ${name}`,
    details: { stage: name },
    location,
    hint:
      circle.length === 2
        ? 'A stage cannot copy from itself.'
        : `One needs the other: ${circle.join(' → ')}.`,
  });
}
