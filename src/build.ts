/** The story of a build: read → plan → solve → finish. Read this first. */

import { type Dockerfile, type LintWarning, parseDockerfile, readSkips } from '../parser/index.ts';
import { lintBuild } from './check.ts';
import { finish } from './finish/finish.ts';
import { blobFormOf } from './finish/finish-image.ts';
import type { BuildOptions, BuildResult } from './options.ts';
import type { ScannedContext } from './context/scanned-context.ts';
import type { BuildPlan } from './plan/step.ts';
import { describeNewerSyntax } from './plan/syntax.ts';
import { Progress } from './progress/progress.ts';
import { checkMediaTypes } from './solve/assemble.ts';
import { contextWarnings, type WarningOptions } from './solve/context-findings.ts';
import { usersOfAll } from './solve/context-usage.ts';
import { createStepContext } from './solve/create-context.ts';
import { knownFindings } from './solve/known-findings.ts';
import type { BaseImage } from './solve/layer.ts';
import { cgroupOf } from './solve/limits.ts';
import { guardedSecrets } from './solve/secret-guard.ts';
import type { Session } from './solve/session.ts';
import { solve } from './solve/solve.ts';
import { type Input, withInput } from './input.ts';
import { findNamedEpoch } from './named-epoch.ts';
import { planPlatforms } from './platforms.ts';
import { earlyPush } from './finish/push-output.ts';
import { readRequest, type Request } from './request.ts';
import type { SandboxOptions } from './solve/step-context.ts';

/**
 * Builds an image. Rejects with a TsbuildError, or with the signal's reason, after every process,
 * mount and temporary file of the build is gone. Outputs are complete or absent.
 */
export async function build(options: BuildOptions): Promise<BuildResult> {
  options.signal?.throwIfAborted();
  // Whatever fails first stops what is still under way.
  const failure = new AbortController();
  const signal = AbortSignal.any([failure.signal, ...(options.signal ? [options.signal] : [])]);
  const request = readRequest(options);
  const progress = new Progress(options.onEvent);
  const started = Date.now();
  return await withInput({ options, request, progress, signal }, async (input) => {
    const { file } = input;
    const dockerfile = parseDockerfile(file.text, { file: file.name });
    const session = await input.session();
    const contextEpoch = input.context.epoch;
    const found = { options, request, input, session, contextEpoch, progress, started, signal };
    try {
      const namedEpoch = await findNamedEpoch(dockerfile, found);
      const running = { ...found, namedEpoch };
      const plans = await planPlatforms(dockerfile, running);
      const warnings = await reportWarnings(dockerfile, plans, running);
      const isSkipped = readSkips(dockerfile, options.buildArgs);
      const unused = unusedBuildArgs(plans).join(', ');
      const newer = describeNewerSyntax(dockerfile, options.buildArgs?.['BUILDKIT_SYNTAX']);
      if (newer !== undefined) progress.notice('warning', newer);
      if (unused !== '') {
        progress.notice('warning', `One or more build arguments were not consumed: ${unused}`);
      }
      return await run(plans, { ...running, warned: { isSkipped, isTold: isToldBy(warnings) } });
    } catch (error) {
      failure.abort(error);
      options.signal?.throwIfAborted();
      throw error;
    }
  });
}

/** The base image of one platform may have a trigger that uses what others do not. */
function unusedBuildArgs(plans: readonly BuildPlan<BaseImage>[]): readonly string[] {
  const [first, ...others] = plans.map((plan) => plan.unusedBuildArgs);
  return (first ?? []).filter((name) => others.every((unused) => unused.includes(name)));
}

/** CHK-1: what a check of the target would say, for each platform. @throws ERR_INSTRUCTION_INVALID when `error=true` makes it fail (CHK-3) */
async function reportWarnings(
  dockerfile: Dockerfile,
  plans: readonly BuildPlan<BaseImage>[],
  { options, request, input, progress }: Omit<Running, 'warned'>,
): Promise<readonly LintWarning[]> {
  const target = options.target ?? '';
  const linted = await Promise.all(
    plans.map(async ({ stages, platform }) => {
      const asked = { ...request, platform };
      return await lintBuild(dockerfile, {
        ...{ options, request: asked, input, stages, target, beyond: 'severe' },
      });
    }),
  );
  const warnings = linted.flatMap((each) => each.warnings);
  const error = linted.find((each) => each.error !== undefined)?.error;
  for (const { rule, message, range } of warnings) {
    const location = { file: input.file.name, source: input.file.text, range };
    progress.notice('warning', `${rule}: ${message}`, location);
  }
  if (error !== undefined) throw error;
  return warnings;
}

function isToldBy(warnings: readonly LintWarning[]): NonNullable<WarningOptions['isTold']> {
  const told = warnings.filter(({ rule }) => rule === 'SecretFileCopied');
  return (line, path) =>
    told.some(({ range, message }) => {
      const named = /"(?:\.?\/)?(.*?)"/.exec(message)?.[1];
      return range.start.line === line && named === path;
    });
}

interface Running {
  readonly options: BuildOptions;
  readonly request: Request;
  readonly input: Input;
  readonly session: Session;
  readonly contextEpoch: number | undefined;
  readonly progress: Progress;
  readonly started: number;
  readonly signal: AbortSignal;
  readonly warned: WarningOptions;
}

async function run(plans: readonly BuildPlan<BaseImage>[], running: Running): Promise<BuildResult> {
  const { options, request, input, session, progress, signal } = running;
  const forms = request.outputs.flatMap((output) => ('form' in output ? [output.form] : []));
  for (const { target } of plans) for (const form of forms) checkMediaTypes(target, form);
  const epoch = options.sourceDateEpoch ?? plans[0]?.sourceDateEpoch;
  const steps = plans.flatMap(({ stages }) => stages).flatMap((stage) => stage.steps);
  const { secrets } = sandboxOf(options, request);
  const { unguardedSecrets = [] } = options;
  session.guard.watchFor(guardedSecrets(steps, secrets, unguardedSecrets), unguardedSecrets);
  session.layers.form = blobFormOf(request.form, epoch);
  const stages = await solve(
    plans,
    (stop, stage) =>
      createStepContext({
        session,
        context: async () => await watched(toldOf(await input.scan(), progress), plans, running),
        namedContext: async (name) => toldOf(await input.scanNamed(name), progress),
        fetchFile: input.fetchFile,
        sandbox: sandboxOf(options, request),
        onNote: (note, location) => progress.notice('info', note, location),
        onBlob: earlyPush(request, session.pusher),
        runs: steps.filter((step) => step.kind === 'run'),
        epoch,
        stage,
        signal: stop,
      }),
    { progress, signal },
  );
  return await finish({ plans, stages }, { ...running, epoch });
}

function sandboxOf(options: BuildOptions, request: Request): Omit<SandboxOptions, 'resolver'> {
  return {
    secrets: new Map(Object.entries(options.secrets ?? {})),
    rotatingSecrets: new Set(options.rotatingSecrets),
    addHosts: options.addHosts ?? [],
    shmSize: options.shmSize,
    ulimits: options.ulimits ?? [],
    devices: request.devices,
    hostDevices: options.devices ?? [],
    dns: {
      nameservers: options.dns ?? [],
      search: options.dnsSearch ?? [],
      options: options.dnsOptions ?? [],
    },
    cgroup: cgroupOf(options.resources ?? {}, options.cgroupParent),
    timeout: options.timeout,
  };
}

/** Warns of what should not be in a context, or is of no use in it. */
async function watched(
  context: ScannedContext,
  plans: readonly BuildPlan<BaseImage>[],
  { session, progress, warned }: Running,
): Promise<ScannedContext> {
  const users = usersOfAll(plans);
  const findings = await knownFindings(context, users, session);
  for (const { rule, message, location } of contextWarnings(findings, users, warned)) {
    progress.notice('warning', `${rule}: ${message}`, location);
  }
  return context;
}

/** A tar has no sockets: who copies a directory with one in it hears of it. */
function toldOf(context: ScannedContext, progress: Progress): ScannedContext {
  const sockets = context.kind === 'directory' ? context.sockets : [];
  if (sockets.length > 0) {
    const names = sockets.slice(0, 5).map((name) => `"${name}"`);
    const more = sockets.length > 5 ? `, and ${sockets.length - 5} more` : '';
    progress.notice('info', `Sockets are not copied: ${names.join(', ')}${more}`);
  }
  return context;
}
