/** Evaluates stages: base, then triggers, then instructions, one after the other (1.6, HC-5). */

import { type Dockerfile, parseInstruction } from '../../parser/index.ts';
import { locate, type SourceLocation, TsbuildError } from '../errors.ts';
import type { Platform } from '../oci/platform.ts';
import type { Dependencies } from './dependencies.ts';
import { invalid, locationOf } from './failures.ts';
import type { GlobalArgs } from './global-args.ts';
import type { BaseImage, PlanOptions } from './options.ts';
import { findOrigin } from './origin.ts';
import { copyOfContext } from './plan-copy.ts';
import { planInstruction } from './plan-instruction.ts';
import type { FindOrigin } from './planning.ts';
import type { Source, Sources } from './sources.ts';
import type { StageInstruction, StageOutline } from './stage-outline.ts';
import { inheritedConfig, scratchConfig, StageState, startConfig } from './stage-state.ts';
import type { PlannedStage, StageBase } from './step.ts';
import { instructionText, isCounted, platformLabel, StepNames } from './step-names.ts';

export interface StagePlannerOptions<Image extends BaseImage> {
  readonly dockerfile: Dockerfile;
  readonly build: PlanOptions<Image>;
  readonly args: GlobalArgs;
  readonly stages: readonly StageOutline[];
  readonly sources: Sources<Image>;
  readonly dependencies: Dependencies;
}

/** A stage with what its children need of it. */
interface Evaluated<Image> {
  readonly planned: PlannedStage<Image>;
  readonly state: StageState<Image>;
}

interface Located {
  readonly instruction: StageInstruction;
  readonly location: SourceLocation;
  /** From ONBUILD. */
  readonly isTrigger: boolean;
}

/** Where a stage starts. */
interface Start<Image> {
  readonly base: StageBase<Image>;
  readonly state: StageState<Image>;
  /** ONBUILD triggers of the base, as text. */
  readonly triggers: readonly string[];
}

/** Evaluates each needed stage once, whoever needs it first. */
export class StagePlanner<Image extends BaseImage> {
  readonly #options: StagePlannerOptions<Image>;
  readonly #evaluated = new Map<StageOutline, Evaluated<Image>>();
  /** Names of the ARGs that triggers declared; the Dockerfile's own are known to the caller. */
  readonly triggerArgs = new Set<string>();

  constructor(options: StagePlannerOptions<Image>) {
    this.#options = options;
  }

  /** Every stage that was evaluated, in file order. */
  get planned(): readonly PlannedStage<Image>[] {
    const stages = [...this.#evaluated.values()].map(({ planned }) => planned);
    return stages.sort((a, b) => a.index - b.index);
  }

  /** Asks for every image that is needed for sure, so that the answers come while stages are planned. */
  prefetch(reachable: readonly StageOutline[]): void {
    for (const stage of reachable) {
      if (stage.base.kind === 'image') {
        void this.#resolve(stage.base, this.#platformOf(stage), stage.location);
      }
      for (const { origin, location } of this.#options.dependencies.needsOf(stage)) {
        if (origin.kind === 'image') {
          void this.#resolve(origin, this.#options.build.platform, location);
        }
      }
    }
  }

  async plan(outline: StageOutline): Promise<PlannedStage<Image>> {
    return (await this.#evaluate(outline)).planned;
  }

  async #evaluate(outline: StageOutline): Promise<Evaluated<Image>> {
    const known = this.#evaluated.get(outline);
    if (known !== undefined) return known;
    const { base, state, triggers } = await this.#start(outline);
    const instructions = this.#instructions(outline, triggers);
    const names = this.#names(outline, instructions);
    const reference = base.kind === 'image' ? base.reference : undefined;
    const where = this.#whereOf(state.platform);
    const fromName = reference === undefined ? undefined : names.next(`FROM ${reference}`, where);
    if (outline.base.kind === 'directory') {
      const { location } = outline;
      const name = names.next(`FROM ${outline.base.name}`, where);
      state.steps.push(copyOfContext(state, { context: outline.base.name, name, location }));
    }
    for (const located of instructions) await this.#planOne(state, located, names);
    const planned: PlannedStage<Image> = Object.freeze({
      index: outline.index,
      name: outline.name,
      base,
      steps: Object.freeze([...state.steps]),
      args: Object.freeze([...state.declared]),
      platform: state.platform,
      config: state.config,
      location: outline.location,
      fromName,
    });
    const evaluated = { planned, state };
    this.#evaluated.set(outline, evaluated);
    return evaluated;
  }

  async #start(outline: StageOutline): Promise<Start<Image>> {
    const { base } = outline;
    const { build } = this.#options;
    if (base.kind === 'stage') return this.#startFromStage(outline, base.stage);
    const platform = base.kind === 'scratch' ? build.platform : this.#platformOf(outline);
    if (base.kind === 'scratch' || base.kind === 'directory') {
      const state = this.#state(outline, { platform, config: scratchConfig(platform) });
      return { base: Object.freeze({ kind: 'scratch' }), state, triggers: [] };
    }
    const image = await this.#resolve(base, platform, outline.location);
    const { OnBuild: triggers = [], ...container } = inheritedConfig(image.config).config;
    const config = { ...inheritedConfig(image.config), config: container };
    return {
      base: Object.freeze({ kind: 'image', image, reference: base.reference }),
      state: this.#state(outline, { platform, config }),
      triggers: outline.isReplaced ? [] : triggers,
    };
  }

  /** Triggers are those of the base's own ONBUILDs: what it was triggered by itself is spent (HC-5). */
  async #startFromStage(outline: StageOutline, base: StageOutline): Promise<Start<Image>> {
    const { planned, state } = await this.#evaluate(base);
    const { OnBuild: triggers = [], ...container } = planned.config.config;
    return {
      base: Object.freeze({ kind: 'stage', stage: planned }),
      state: this.#state(outline, {
        platform: planned.platform,
        config: { ...planned.config, config: container },
        parent: state,
      }),
      triggers,
    };
  }

  #state(
    outline: StageOutline,
    start: Pick<ConstructorParameters<typeof StageState<Image>>[0], 'platform' | 'config'> & {
      readonly parent?: StageState<unknown>;
    },
  ): StageState<Image> {
    const { noCache = false, noCacheFilter = [] } = this.#options.build;
    return new StageState<Image>({
      outline,
      platform: start.platform,
      config: startConfig(start.config),
      parent: start.parent,
      escape: this.#options.dockerfile.escape,
      ignoreCache: noCache || noCacheFilter.some((name) => name.toLowerCase() === outline.name),
    });
  }

  #instructions(outline: StageOutline, triggers: readonly string[]): readonly Located[] {
    const { dockerfile } = this.#options;
    const { location } = outline;
    const triggered = triggers.map((text) => {
      const instruction = parseTrigger(text, location);
      if (instruction.kind === 'arg') {
        for (const { name } of instruction.args) this.triggerArgs.add(name);
      }
      return { instruction, location, isTrigger: true };
    });
    const own = outline.instructions.map((instruction) => ({
      instruction,
      location: locationOf(dockerfile, instruction.range),
      isTrigger: false,
    }));
    return [...triggered, ...own];
  }

  #names(outline: StageOutline, instructions: readonly Located[]): StepNames {
    const counted = instructions.filter(({ instruction }) => isCounted(instruction)).length;
    const hasBase = outline.base.kind === 'image' || outline.base.kind === 'directory';
    const total = counted + (hasBase ? 1 : 0);
    const isOnly = this.#options.stages.length === 1;
    return new StepNames(isOnly ? '' : outline.displayName, total);
  }

  async #planOne(state: StageState<Image>, located: Located, names: StepNames): Promise<void> {
    const { instruction, location, isTrigger } = located;
    const text = instructionText(instruction, isTrigger);
    const { args, build } = this.#options;
    try {
      const step = await planInstruction(state, instruction, {
        args,
        network: build.network,
        allow: build.allow ?? new Set(),
        devices: build.devices,
        findOrigin: this.#findOrigin,
        location,
        nextName: () => names.next(text, this.#whereOf(state.platform, state.lookup)),
        text,
      });
      state.steps.push(step);
    } catch (error) {
      throw locate(error, location);
    }
  }

  readonly #findOrigin: FindOrigin<Image> = async (name, request) => {
    const { stages, sources, build } = this.#options;
    const { location, stage: state } = request;
    const allowIndex = request.kind === 'copy';
    const origin = findOrigin(name, { stages, sources, allowIndex, location });
    switch (origin.kind) {
      case 'scratch':
        return undefined;
      case 'directory':
        return Object.freeze({ kind: 'named-context', name: origin.name });
      case 'image': {
        const image = await this.#resolve(origin, build.platform, location);
        return Object.freeze({ kind: 'image', image, reference: origin.reference });
      }
      case 'stage': {
        if (origin.stage.index >= state.outline.index) throw tooLate(name, request);
        const { planned } = await this.#evaluate(origin.stage);
        return Object.freeze({ kind: 'stage', stage: planned });
      }
    }
  };

  /** What names say of platforms: nothing, where there is but one (MP-5). */
  #whereOf(platform: Platform, lookup: StageState<Image>['lookup'] = () => undefined): string {
    return this.#options.build.isOneOfSeveral ? platformLabel(platform, lookup) : '';
  }

  #platformOf(outline: StageOutline): Platform {
    return outline.platform ?? this.#options.build.platform;
  }

  #resolve(
    source: Extract<Source, { kind: 'image' }>,
    platform: Platform,
    location: SourceLocation,
  ): Promise<Image> {
    return this.#options.sources.resolve(source, platform, location);
  }
}

/** A trigger's text has no place in the Dockerfile; its FROM has (HC-4). */
function parseTrigger(text: string, location: SourceLocation): StageInstruction {
  try {
    const instruction = parseInstruction(text, { file: 'ONBUILD' });
    const { kind } = instruction;
    if (kind !== 'from' && kind !== 'onbuild' && kind !== 'maintainer') return instruction;
    throw invalid(
      `Cannot run the trigger "${text}": ${kind.toUpperCase()} isn't allowed as an ONBUILD trigger`,
    );
  } catch (error) {
    if (!(error instanceof TsbuildError)) throw error;
    throw new TsbuildError(error.code, {
      message: error.message,
      details: error.details,
      location,
      hint: error.hint ?? 'The base image of this stage has it as an ONBUILD trigger.',
      cause: error,
    });
  }
}

/** FROM-8, RUN-15 */
function tooLate(
  name: string,
  request: Parameters<FindOrigin<unknown>>[1],
): TsbuildError<'ERR_STAGE_CYCLE'> {
  const current = request.stage.outline.displayName;
  return new TsbuildError('ERR_STAGE_CYCLE', {
    message:
      request.kind === 'copy'
        ? `Cannot plan stage "${current}": cannot copy from stage "${name}", it needs to be defined before current stage "${current}"`
        : `Cannot plan stage "${current}": cannot mount from stage "${name}" to "${request.target}", stage needs to be defined before current command`,
    details: { stage: name },
    hint: 'Move that stage up in the Dockerfile.',
  });
}
