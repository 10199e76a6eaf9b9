/** Checks a Dockerfile without building it: parse → plan → lint. */

import {
  applyFixes,
  type BaseImageFacts,
  type Dockerfile,
  lint,
  lintConfigOf,
  type LintOptions,
  type LintWarning,
  parseDockerfileWithErrors,
} from '../parser/index.ts';
import { certainWarnings } from './certain-warnings.ts';
import type { DockerfileText } from './context/dockerfile.ts';
import { createIgnore } from './context/ignore.ts';
import { joinErrors, TsbuildError } from './errors.ts';
import { formatPlatform } from './oci/platform.ts';
import type { BuildOptions } from './options.ts';
import { planBuild } from './plan/plan.ts';
import type { PlannedStage } from './plan/step.ts';
import { Progress } from './progress/progress.ts';
import { type Input, withInput } from './input.ts';
import { planOptionsOf, type PlanRequest, readRequest, type Request } from './request.ts';
import { ATTEMPTS, type LookedAt, type UnseenImage, UnseenImages } from './unseen-images.ts';

export type { LintWarning } from '../parser/index.ts';

/** What `check()` answers. */
export interface CheckResult {
  /** By line. */
  readonly warnings: readonly LintWarning[];
  /**
   * Why a build would fail before its first step, every reason that was found (`others`); also when
   * `# check=error=true` makes it (CHK-3).
   */
  readonly error: TsbuildError | undefined;
  /** Whatever depends on these was not checked. */
  readonly unseenImages: readonly UnseenImage[];
  /** The Dockerfile's name. */
  readonly file: string;
  readonly source: string;
}

/**
 * Says what is wrong with a Dockerfile, all of its stages or those that the target needs (CHK-1).
 * Nothing is run; of base images only the configs are read, if their registries answer. Takes what
 * `build()` takes. Rejects with a TsbuildError when there is nothing to check, and with the signal's
 * reason.
 */
export async function check(options: BuildOptions): Promise<CheckResult> {
  return await withCheck(options, async (result) => await Promise.resolve(result));
}

/** What `fix()` answers: what is left to say about `source`, the text with the fixes. */
export interface FixResult extends CheckResult {
  /** The text as it was. */
  readonly before: string;
  /** What was mended; each has its place in the text as it was then. */
  readonly fixed: readonly LintWarning[];
}

/**
 * Like `check()`, with every fix applied that a warning offers, until none is left. Writes nothing:
 * the new text is in the result.
 */
export async function fix(options: BuildOptions): Promise<FixResult> {
  return await withCheck(options, async (result, recheck) => {
    const fixed: LintWarning[] = [];
    let { source, warnings } = result;
    for (let round = 0; round < MAX_ROUNDS; round++) {
      const next = applyFixes(source, warnings);
      if (next.fixed.length === 0) break;
      fixed.push(...next.fixed);
      source = next.text;
      warnings = await recheck(source);
    }
    return { ...result, source, warnings, before: result.source, fixed };
  });
}

/** A fix may make room for the next one; after so many rounds, two of them undo each other. */
const MAX_ROUNDS = 20;

/** `recheck`: the warnings about another text of the same build. */
async function withCheck<T>(
  options: BuildOptions,
  use: (
    result: CheckResult,
    recheck: (text: string) => Promise<readonly LintWarning[]>,
  ) => Promise<T>,
): Promise<T> {
  options.signal?.throwIfAborted();
  const request = readRequest(options);
  const signal = options.signal ?? new AbortController().signal;
  const progress = new Progress(undefined);
  const work = { options, request, attempts: ATTEMPTS, progress, signal };
  return await withInput(work, async (input) => {
    const { file } = input;
    const unseen = new UnseenImages();
    const { dockerfile, errors } = parseDockerfileWithErrors(file.text, { file: file.name });
    const isWhole = errors.length === 0;
    const { stages, error } = isWhole
      ? await planStages(dockerfile, unseen, {
          options,
          request,
          session: await input.session(),
          contextEpoch: input.context.epoch,
          pull: unseen.pull,
          signal,
        })
      : { stages: [], error: joinErrors(errors) };
    const { target } = options;
    const lintIt = async (
      checked: Dockerfile,
    ): Promise<Pick<CheckResult, 'warnings' | 'error'>> => {
      const build: LintBuild = { options, request, input, stages, target, beyond: 'all' };
      const sure = (warnings: readonly LintWarning[]): readonly LintWarning[] =>
        certainWarnings(warnings, { dockerfile: checked, stages, errors, error });
      const linted = await lintBuild(checked, { ...build, sure });
      return { warnings: linted.warnings, error: error ?? linted.error };
    };
    const { warnings, error: failure } = await lintIt(dockerfile);
    const result = {
      ...{ warnings, error: failure },
      ...{ unseenImages: unseen.found, file: file.name, source: file.text },
    };
    return await use(result, async (text) => {
      const { dockerfile: checked } = parseDockerfileWithErrors(text, { file: file.name });
      return (await lintIt(checked)).warnings;
    });
  });
}

export interface LintBuild {
  readonly options: BuildOptions;
  readonly request: Request;
  readonly input: Pick<Input, 'file' | 'ignore'>;
  /** Where to learn about base images. */
  readonly stages: readonly PlannedStage<LookedAt>[];
  /** Undefined for all stages, '' for the last. */
  readonly target: string | undefined;
  /** Which of our own checks run. */
  readonly beyond: LintOptions['beyond'];
  /** Which of the warnings hold; default: all. */
  readonly sure?: (warnings: readonly LintWarning[]) => readonly LintWarning[];
}

/** The warnings, and the failure that `# check=error=true` makes of them (CHK-3). */
export async function lintBuild(
  dockerfile: Dockerfile,
  { options, request, input, stages, target, beyond, sure = (all) => all }: LintBuild,
): Promise<Pick<CheckResult, 'warnings' | 'error'>> {
  const { buildArgs } = options;
  try {
    const patterns = (await input.ignore())?.patterns;
    const found = lint(dockerfile, {
      beyond,
      buildArgs,
      buildContexts: Object.keys(options.buildContexts ?? {}),
      target,
      platform: formatPlatform(request.platform),
      buildPlatform: formatPlatform(request.host),
      dockerignore: patterns && { patterns, matches: createIgnore(patterns) },
      baseImage: (index) => factsOf(stages.find((stage) => stage.index === index)),
    });
    const warnings = sure(found);
    const severe = warnings.filter(({ level }) => level === 'warning');
    const isFatal = severe.length > 0 && lintConfigOf(dockerfile, buildArgs).error;
    return { warnings, error: isFatal ? violation(severe, input.file) : undefined };
  } catch (error) {
    return { warnings: [], error: expected(error) };
  }
}

/** Plans the target, or each stage, the last one first: what fails there would fail a build. */
async function planStages(
  dockerfile: Dockerfile,
  unseen: UnseenImages,
  work: PlanRequest,
): Promise<Pick<LintBuild, 'stages'> & Pick<CheckResult, 'error'>> {
  const { options, signal } = work;
  const planned = new Map<number, PlannedStage<LookedAt>>();
  const failures = new Map<string, TsbuildError>();
  let right = dockerfile;
  const plan = async (target: string | undefined): Promise<void> => {
    const asked = { ...options, ...(target !== undefined && { target }) };
    const planOptions = { ...planOptionsOf({ ...work, options: asked }), standIn: unseen.standIn };
    for (;;) {
      try {
        const { stages } = await planBuild<LookedAt>(right, planOptions);
        for (const stage of stages) planned.set(stage.index, stage);
        return;
      } catch (error) {
        signal.throwIfAborted();
        const failure = expected(error);
        if (unseen.found.length === 0 || !hasVariable(failure)) {
          // What is wrong above the stages is wrong for each of them.
          const key = `${failure.location?.range.start.line} ${failure.message}`;
          failures.set(key, failures.get(key) ?? failure);
        }
        const rest = withoutWrong(right, failure);
        if (rest === undefined || failures.size >= MAX_FAILURES) return;
        right = rest;
      }
    }
  };
  await plan(options.target);
  const count = dockerfile.instructions.filter(({ kind }) => kind === 'from').length;
  for (let index = 0; index < count && options.target === undefined; index++) {
    if (!planned.has(index)) await plan(String(index));
  }
  return { stages: [...planned.values()], error: joinErrors([...failures.values()]) };
}

/** Each costs a plan of the whole file. */
const MAX_FAILURES = 20;

/** Without the instruction that fails, so that others can be found; undefined where others depend on it. */
function withoutWrong(
  dockerfile: Dockerfile,
  { code, location }: TsbuildError,
): Dockerfile | undefined {
  // Which of a circle's instructions is wrong is for the user to say.
  if (code === 'ERR_STAGE_CYCLE') return undefined;
  const line = location?.range.start.line;
  const instructions = dockerfile.instructions.filter(
    ({ kind, range: { start, end } }) =>
      line === undefined ||
      !(start.line <= line && line <= end.line) ||
      ['from', 'arg', 'env'].includes(kind),
  );
  const isLess = instructions.length < dockerfile.instructions.length;
  return isLess ? { ...dockerfile, instructions } : undefined;
}

/** Whether the failure may be due to a value: an image that was not seen may set another one. */
function hasVariable({ location }: TsbuildError): boolean {
  if (location === undefined) return false;
  const { start, end } = location.range;
  return location.source
    .split('\n')
    .slice(start.line - 1, end.line)
    .some((line) => line.includes('$'));
}

function factsOf(stage: PlannedStage<LookedAt> | undefined): BaseImageFacts | undefined {
  if (stage?.base.kind !== 'image' || stage.base.image.isUnseen === true) return undefined;
  const { os, architecture, config } = stage.base.image.config;
  return {
    env: config?.Env ?? [],
    shell: config?.Shell ?? [],
    triggers: config?.OnBuild ?? [],
    platform: { os, architecture },
    user: config?.User ?? '',
    entrypoint: config?.Entrypoint ?? [],
  };
}

function violation(warnings: readonly LintWarning[], file: DockerfileText): TsbuildError {
  const rules = [...new Set(warnings.map(({ rule }) => rule))].toSorted().join(', ');
  const [first] = warnings;
  return new TsbuildError('ERR_INSTRUCTION_INVALID', {
    message: `Cannot build "${file.name}": lint violation found for rules: ${rules}`,
    details: undefined,
    location: first && { file: file.name, source: file.text, range: first.range },
    hint: 'The line "# check=…" of the Dockerfile makes warnings fail the build.',
  });
}

/** Anything else is a bug, and no answer. */
function expected(error: unknown): TsbuildError {
  if (error instanceof TsbuildError) return error;
  throw error;
}
