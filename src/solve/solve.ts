/**
 * Runs plans: one, or one for each platform. Per step: key → hit, or execute → record.
 *
 * Stages run side by side; within a stage steps follow one another. A step that needs another stage
 * waits for it, and only there. Layers of the image are compressed while later steps run already.
 */

import { type CacheRecord, cacheKey, type JsonValue } from '../../cache/index.ts';
import { forPlatform, locate, TsbuildError } from '../errors.ts';
import type { Digest } from '../oci/digest.ts';
import type { BuildPlan, PlannedStage, Step } from '../plan/step.ts';
import type { Announced, Progress } from '../progress/progress.ts';
import { copyRunner } from './copy.ts';
import type { BaseImage, Layer } from './layer.ts';
import { identityOf } from './origins.ts';
import { runRunner } from './run.ts';
import { runTogether } from './schedule.ts';
import { type SharedSteps, shareSteps } from './shared-steps.ts';
import type { Executed, StepContext, StepRunner, Wanted } from './step-context.ts';
import { workdirRunner } from './workdir.ts';

/** A stage's root filesystem, and how each of its steps came about. */
export interface SolvedStage {
  /** Lowest first, the base's included. */
  readonly layers: readonly Layer[];
  /** One for each step of the plan. */
  readonly steps: readonly SolvedStep[];
}

export interface SolvedStep {
  /** Undefined for steps that only change the config. */
  readonly layer: Layer | undefined;
  /** Seconds since the Unix epoch: when the layer was first made. */
  readonly created: number | undefined;
}

/** A step that makes a layer. */
type WorkingStep = Exclude<Step<BaseImage>, { readonly kind: 'config' }>;

export type SolvedStages = ReadonlyMap<PlannedStage<BaseImage>, SolvedStage>;

/** Makes the context for steps; `stage` waits for another stage of the same solve. */
export type ContextMaker = (
  signal: AbortSignal,
  stage: (stage: PlannedStage<BaseImage>) => Promise<readonly Layer[]>,
) => Promise<StepContext>;

/**
 * Solves every stage of the plans, side by side; what they have in common happens once. Rejects with
 * the first failure, after everything has stopped.
 */
export async function solve(
  plans: readonly BuildPlan<BaseImage>[],
  makeContext: ContextMaker,
  { progress, signal }: { readonly progress: Progress; readonly signal: AbortSignal },
): Promise<SolvedStages> {
  const solved = new Map<PlannedStage<BaseImage>, SolvedStage>();
  const pending = new Map(
    plans
      .flatMap(({ stages }) => stages)
      .map((stage) => [stage, Promise.withResolvers<SolvedStage>()] as const),
  );
  const wait = async (stage: PlannedStage<BaseImage>): Promise<SolvedStage> => {
    const result = pending.get(stage);
    if (result === undefined) throw new TypeError(`Stage ${stage.index} is not planned`);
    return await result.promise;
  };
  // A stage that nobody waits for may fail, too: its failure comes back through runTogether().
  for (const { promise } of pending.values()) promise.catch(() => undefined);
  const shared = shareSteps(plans);
  announce(plans, shared, progress);
  const begun = { froms: new Set<Announced>(), steps: new Map<Announced, Promise<SolvedStep>>() };
  let context: Promise<StepContext> | undefined;
  await runTogether(
    plans.flatMap((plan) =>
      plan.stages.map((stage) => async (stop: AbortSignal) => {
        context ??= makeContext(stop, async (other) => (await wait(other)).layers);
        try {
          const solving = { plan, context: await context, progress, shared, begun, wait };
          const result = await solveStage(stage, solving);
          solved.set(stage, result);
          pending.get(stage)?.resolve(result);
        } catch (error) {
          pending.get(stage)?.reject(error);
          throw error;
        }
      }),
    ),
    { signal },
  );
  return solved;
}

/** Tells what there will be to see: platform after platform, in the order of the Dockerfile. */
function announce(
  plans: readonly BuildPlan<BaseImage>[],
  { froms, steps }: SharedSteps,
  progress: Progress,
): void {
  const stages = plans.flatMap((plan) => plan.stages);
  const seen = stages.flatMap((stage) => [
    froms.get(stage),
    ...stage.steps.map((step) => steps.get(step)),
  ]);
  progress.plan([...new Set(seen.filter((each) => each !== undefined))]);
}

interface Solving {
  readonly plan: BuildPlan<BaseImage>;
  readonly shared: SharedSteps;
  /** What somebody has begun, for whoever comes second. */
  readonly begun: {
    readonly froms: Set<Announced>;
    readonly steps: Map<Announced, Promise<SolvedStep>>;
  };
  readonly context: StepContext;
  readonly progress: Progress;
  readonly wait: (stage: PlannedStage<BaseImage>) => Promise<SolvedStage>;
}

async function solveStage(stage: PlannedStage<BaseImage>, solving: Solving): Promise<SolvedStage> {
  let layers = await baseLayers(stage, solving);
  prefetch(stage, layers, solving);
  offer(stage, layers, solving);
  const steps: SolvedStep[] = [];
  for (const [number, step] of stage.steps.entries()) {
    if (step.kind === 'config') {
      steps.push({ layer: undefined, created: undefined });
      continue;
    }
    // Only now: a step that waits for another stage has not started.
    for (const other of stagesOf(step)) await solving.wait(other);
    const wanted = wantedOf(stage, number, solving.plan);
    const solved = await solveOnce(step, layers, wanted, solving);
    steps.push(solved);
    if (solved.layer !== undefined) layers = [...layers, solved.layer];
  }
  return { layers, steps };
}

/**
 * A base that is new here will be needed by the first step that is: its layers come while the build
 * context is still being read. A base that is known is left where it is.
 */
function prefetch(
  stage: PlannedStage<BaseImage>,
  base: readonly Layer[],
  { context }: Solving,
): void {
  const working = stage.steps.filter(({ kind }) => kind !== 'config');
  if (stage.base.kind !== 'image' || working.length === 0) return;
  const directories = working.some(({ kind }) => kind === 'run');
  for (const layer of base) {
    const fetch = async (): Promise<void> => {
      if (await context.store.hasIndex(layer.id)) return;
      if (directories) await context.beforeExecution();
      await context.layers.index(layer, { directories });
    };
    context.background(fetch());
  }
}

/** The base's layers of the image: where it is pushed to may have them, or must get them. */
function offer(
  stage: PlannedStage<BaseImage>,
  base: readonly Layer[],
  { context, plan }: Solving,
): void {
  if (stage.base.kind !== 'image') return;
  if (plan.target !== stage && !isBuiltOn(plan.target, stage)) return;
  for (const layer of base) context.background(context.layers.blob(layer).then(context.onBlob));
}

/** The stages whose files a step uses. */
function stagesOf(step: Step<BaseImage>): PlannedStage<BaseImage>[] {
  const origins =
    step.kind === 'copy'
      ? [step.origin]
      : step.kind === 'run'
        ? step.mounts.map(({ from }) => from)
        : [];
  return origins.flatMap((origin) => (origin?.kind === 'stage' ? [origin.stage] : []));
}

async function baseLayers(
  stage: PlannedStage<BaseImage>,
  { progress, shared, begun, wait }: Solving,
): Promise<readonly Layer[]> {
  switch (stage.base.kind) {
    case 'scratch':
      return [];
    case 'stage':
      return (await wait(stage.base.stage)).layers;
    case 'image': {
      const { image } = stage.base;
      // The layers come when somebody needs their bytes; the documents are here already.
      const from = shared.froms.get(stage);
      if (from !== undefined && !begun.froms.has(from)) {
        begun.froms.add(from);
        progress.start(from).end({ cached: true, detail: image.descriptor.digest });
      }
      return image.layers;
    }
  }
}

/** What will be needed of a step's layer: its directory for a RUN on top of it, its blob for the image. */
function wantedOf(
  stage: PlannedStage<BaseImage>,
  number: number,
  plan: BuildPlan<BaseImage>,
): Wanted {
  const isRun = ({ kind }: Step<BaseImage>) => kind === 'run';
  const above = plan.stages.filter((other) => isBuiltOn(other, stage));
  const directory =
    stage.steps.slice(number + 1).some(isRun) || above.some(({ steps }) => steps.some(isRun));
  return { directory, blob: plan.target === stage || isBuiltOn(plan.target, stage) };
}

/** Whether a stage is FROM another, directly or through others. */
function isBuiltOn(stage: PlannedStage<BaseImage>, other: PlannedStage<BaseImage>): boolean {
  if (stage.base.kind !== 'stage') return false;
  return stage.base.stage === other || isBuiltOn(stage.base.stage, other);
}

/** A step that several platforms have in common is solved by the first that comes to it. */
async function solveOnce(
  step: WorkingStep,
  parent: readonly Layer[],
  wanted: Wanted,
  solving: Solving,
): Promise<SolvedStep> {
  const first = solving.shared.steps.get(step) ?? step;
  const known = solving.begun.steps.get(first);
  const solved = known ?? solveStep(step, parent, wanted, solving);
  solving.begun.steps.set(first, solved);
  const { layer } = await solved;
  // The first one's platform may have no use for the blob.
  const { layers, background, onBlob } = solving.context;
  if (known !== undefined && wanted.blob && layer !== undefined) {
    background(layers.blob(layer).then(onBlob));
  }
  return await solved;
}

async function solveStep(
  step: WorkingStep,
  parent: readonly Layer[],
  wanted: Wanted,
  { context, progress, shared }: Solving,
): Promise<SolvedStep> {
  const reporter = progress.start(shared.steps.get(step) ?? step);
  try {
    const runner = runnerOf(step, parent, context, reporter.output);
    const inputs = await runner.inputs();
    const key = cacheKey(step.kind, { parent: identityOf(parent), ...jsonOf(inputs) });
    const record = step.ignoreCache ? undefined : await context.store.getRecord(key);
    const known = record === undefined ? undefined : await recorded(record, context);
    const started = performance.now();
    // Equal steps of different stages are executed once (CM-4).
    const result = known ?? (await context.executions.get(key, () => runner.execute(wanted)));
    const { layer } = result;
    const created = record !== undefined && known ? record.created : await dated(layer, context);
    if (known === undefined) {
      const duration = Math.round(performance.now() - started);
      const entry = { layer: layer.id, inputs: jsonOf(inputs), created, duration };
      await context.store.putRecord(key, entry);
    }
    if (wanted.blob) context.background(context.layers.blob(layer).then(context.onBlob));
    const cached = result.cached && !step.ignoreCache;
    reporter.end({ cached, layer: layer.id as string as Digest });
    return { layer, created };
  } catch (error) {
    const located = forPlatform(locate(error, step.location), platformIn(step.name));
    reporter.fail(located instanceof TsbuildError && !context.signal.aborted ? located : undefined);
    throw located;
  }
}

/** What a name says of platforms; nothing where the build is for one. */
function platformIn(name: string): string | undefined {
  return /^\[([^\s\]]+\/[^\s\]]+) /.exec(name)?.[1];
}

function runnerOf(
  step: WorkingStep,
  parent: readonly Layer[],
  context: StepContext,
  output: (stream: 'stdout' | 'stderr', data: Uint8Array) => void,
): StepRunner {
  switch (step.kind) {
    case 'run':
      return runRunner(step, parent, context, output);
    case 'copy':
      return copyRunner(step, parent, context);
    case 'workdir':
      return workdirRunner(step, parent, context);
  }
}

/** A record whose layer is still whole. Anything less is a miss. */
async function recorded(
  record: CacheRecord,
  { layers, guard }: StepContext,
): Promise<Executed | undefined> {
  if (record.layer === undefined) return undefined;
  const layer: Layer = { id: record.layer, pulled: undefined };
  if (!(await layers.isComplete(layer)) || (await guard.hasLeaked(layer))) return undefined;
  return { layer, cached: true };
}

/** When a layer was first made: content that is found again, by whatever step, keeps its time. */
async function dated(layer: Layer, { store, now }: StepContext): Promise<number> {
  const key = cacheKey('layer', { id: layer.id });
  const first = await store.getRecord(key);
  if (first !== undefined) return first.created;
  await store.putRecord(key, { layer: layer.id, inputs: null, created: now, duration: 0 });
  return now;
}

/** The inputs as plain data: members that are undefined are not part of a key. */
function jsonOf(inputs: Readonly<Record<string, unknown>>): { readonly [name: string]: JsonValue } {
  return JSON.parse(JSON.stringify(inputs)) as { readonly [name: string]: JsonValue };
}
