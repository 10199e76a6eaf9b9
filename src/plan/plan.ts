/** Dockerfile + options → what the build will do. Start reading here. */

import type { Dockerfile } from '../../parser/index.ts';
import { normalizePlatform } from '../oci/platform.ts';
import { findDependencies } from './dependencies.ts';
import { globalArgsOf, unusedBuildArgs } from './global-args.ts';
import type { BaseImage, PlanOptions } from './options.ts';
import { Sources } from './sources.ts';
import { findTarget, outlineStages } from './stage-outline.ts';
import { StagePlanner } from './stage-planner.ts';
import type { BuildPlan, PlannedStage } from './step.ts';
import { checkSyntax } from './syntax.ts';

/**
 * Plans a build. Images are asked for as soon as it is known that they are needed, all at once;
 * stages are then evaluated in file order. It settles when no question is open any more.
 *
 * @throws ERR_STAGE_UNKNOWN, ERR_STAGE_CYCLE, ERR_INSTRUCTION_INVALID, ERR_VARIABLE, ERR_UNSUPPORTED,
 * ERR_REFERENCE_INVALID, ERR_PLATFORM_INVALID, and what `resolveImage` throws, with a location
 */
export async function planBuild<Image extends BaseImage>(
  dockerfile: Dockerfile,
  options: PlanOptions<Image>,
): Promise<BuildPlan<Image>> {
  const args = globalArgsOf(dockerfile, options);
  checkSyntax(dockerfile, args.buildArgs.get('BUILDKIT_SYNTAX'));
  const { buildPlatform, platform } = options;
  const sources = new Sources(options, stageNames(dockerfile));
  const stages = outlineStages(dockerfile, { values: args.values, buildPlatform, sources });
  const dependencies = findDependencies(dockerfile, stages, sources);
  const target = findTarget(stages, options.target);
  const planner = new StagePlanner({
    dockerfile,
    build: options,
    args,
    stages,
    sources,
    dependencies,
  });
  try {
    const reachable = dependencies.reachableFrom(target);
    planner.prefetch(reachable);
    for (const stage of reachable) await planner.plan(stage);
    const last = forPlatform(await planner.plan(target), options);
    const declared = new Set([...declaredArgs(dockerfile), ...planner.triggerArgs]);
    return Object.freeze({
      stages: Object.freeze([...planner.planned.filter(({ index }) => index !== last.index), last]),
      target: last,
      platform,
      unusedBuildArgs: Object.freeze(unusedBuildArgs(args, declared)),
      sourceDateEpoch: args.sourceDateEpoch,
    });
  } finally {
    await sources.settled();
  }
}

function stageNames(dockerfile: Dockerfile): string[] {
  return dockerfile.instructions.flatMap((instruction) =>
    instruction.kind === 'from' ? (instruction.name?.toLowerCase() ?? []) : [],
  );
}

/** All of the file's, whether their stage is built or not: a build argument is then no mistake. */
function declaredArgs(dockerfile: Dockerfile): string[] {
  return dockerfile.instructions.flatMap((instruction) =>
    instruction.kind === 'arg' ? instruction.args.map(({ name }) => name) : [],
  );
}

/** The image says that it is for the platform that was asked for, whatever its base says (FROM-12, CFG-6). */
function forPlatform<Image extends BaseImage>(
  stage: PlannedStage<Image>,
  options: PlanOptions<Image>,
): PlannedStage<Image> {
  const { variant, 'os.version': version, architecture, os, ...rest } = stage.config;
  const { platform, isPlatformImplicit = false } = options;
  const isSame = platform.os === os && platform.architecture === architecture;
  const kept = {
    os,
    architecture,
    ...(variant !== undefined && { variant }),
    ...(version !== undefined && { 'os.version': version }),
  };
  const asked = isPlatformImplicit ? kept : { ...(isSame && kept), ...platform };
  return Object.freeze({
    ...stage,
    config: Object.freeze({ ...normalizePlatform(asked), ...rest }),
  });
}
