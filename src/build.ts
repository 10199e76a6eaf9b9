/** The story of a build: read → plan → solve → export. Read this first. */

import { type Dockerfile, type LintWarning, parseDockerfile, readSkips } from '../parser/index.ts';
import { type ExportImage, type ExportResult, writeOutput } from './export/index.ts';
import { TsbuildError } from './errors.ts';
import { lintBuild } from './check.ts';
import type { BuildOptions, BuildResult } from './options.ts';
import type { ScannedContext } from './context/scanned-context.ts';
import type { BuildPlan } from './plan/step.ts';
import { Progress } from './progress/progress.ts';
import { type AssembledImage, assembleImage } from './solve/assemble.ts';
import { contextWarnings, type WarningOptions } from './solve/context-findings.ts';
import { contextUsers } from './solve/context-usage.ts';
import { createStepContext } from './solve/create-context.ts';
import { knownFindings } from './solve/known-findings.ts';
import type { BaseImage } from './solve/layer.ts';
import { cgroupOf } from './solve/limits.ts';
import { guardedSecrets } from './solve/secret-guard.ts';
import { checkDocuments, locateLeak } from './solve/secret-leaks.ts';
import type { LayerBlob } from './solve/layer-blobs.ts';
import type { Session } from './solve/session.ts';
import { solve } from './solve/solve.ts';
import { type Input, withInput } from './input.ts';
import { planRequest, readRequest, type Request } from './request.ts';
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
  return await withInput({ options, request, progress, signal }, async (input) => {
    const { file } = input;
    const dockerfile = parseDockerfile(file.text, { file: file.name });
    const session = await input.session();
    const contextEpoch = input.context.epoch;
    const running = { options, request, input, session, contextEpoch, progress, signal };
    try {
      const plan = await planRequest(dockerfile, running);
      const warnings = await reportWarnings(dockerfile, plan, running);
      const isSkipped = readSkips(dockerfile, options.buildArgs);
      if (plan.unusedBuildArgs.length > 0) {
        const names = plan.unusedBuildArgs.join(', ');
        progress.notice('warning', `One or more build arguments were not consumed: ${names}`);
      }
      return await run(plan, { ...running, warned: { isSkipped, isTold: isToldBy(warnings) } });
    } catch (error) {
      failure.abort(error);
      options.signal?.throwIfAborted();
      throw error;
    }
  });
}

/** CHK-1: what a check of the target would say. @throws ERR_INSTRUCTION_INVALID when `error=true` makes it fail (CHK-3) */
async function reportWarnings(
  dockerfile: Dockerfile,
  plan: BuildPlan<BaseImage>,
  { options, request, input, progress }: Omit<Running, 'warned'>,
): Promise<readonly LintWarning[]> {
  const { warnings, error } = await lintBuild(dockerfile, {
    options,
    request,
    input,
    stages: plan.stages,
    target: options.target ?? '',
    beyond: 'severe',
  });
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
  readonly signal: AbortSignal;
  readonly warned: WarningOptions;
}

async function run(plan: BuildPlan<BaseImage>, running: Running): Promise<BuildResult> {
  const { options, input, session, progress, signal } = running;
  const epoch = options.sourceDateEpoch ?? plan.sourceDateEpoch;
  const { secrets } = sandboxOf(options);
  const { unguardedSecrets = [] } = options;
  session.guard.watchFor(guardedSecrets(plan, secrets, unguardedSecrets), unguardedSecrets);
  const solved = await solve(
    plan,
    (stop, stage) =>
      createStepContext({
        session,
        context: async () => await watched(toldOf(await input.scan(), progress), plan, running),
        namedContext: async (name) => toldOf(await input.scanNamed(name), progress),
        fetchFile: input.fetchFile,
        sandbox: sandboxOf(options),
        onNote: (note) => progress.notice('info', note),
        runs: plan.stages.flatMap(({ steps }) => steps).filter((step) => step.kind === 'run'),
        epoch,
        stage,
        signal: stop,
      }),
    { progress, signal },
  );
  const layers = solved.get(plan.target)?.layers ?? [];
  const blobs = await Promise.all(layers.map((layer) => session.layers.blob(layer))).catch(
    (error: unknown) => {
      throw locateLeak(error, solved);
    },
  );
  const image = assembleImage({
    target: plan.target,
    solved,
    blobs,
    labels: options.labels ?? {},
    platform: plan.platform,
    epoch,
  });
  for (const { id, location } of checkDocuments(image, plan, session.guard)) {
    progress.notice('warning', `The secret "${id}" is in the Dockerfile itself`, location);
  }
  await exportImage(image, blobs, { ...running, epoch });
  return {
    digest: image.descriptor.digest,
    descriptor: image.descriptor,
    config: image.config,
    configDigest: image.configDescriptor.digest,
    steps: progress.reports,
  };
}

/** Puts the documents into the store, and the image wherever it was asked for. */
async function exportImage(
  image: AssembledImage,
  blobs: readonly LayerBlob[],
  {
    options,
    request,
    session,
    progress,
    signal,
    epoch,
  }: Running & { readonly epoch: number | undefined },
): Promise<void> {
  await session.store.putBytes(image.configBytes);
  await session.store.putBytes(image.manifestBytes);
  const exported: ExportResult = {
    descriptor: image.descriptor,
    index: undefined,
    images: [exportImageOf(image, blobs)],
    names: request.names,
  };
  const created = epoch === undefined ? undefined : new Date(epoch * 1000);
  for (const output of request.outputs) {
    const what = output.isTar ? 'OCI archive' : 'OCI layout';
    const name = `exporting to ${what} ${output.destination}`;
    const reporter = progress.start({ name, location: undefined });
    try {
      await writeOutput(output, exported, { created, signal, stdout: options.stdout });
      reporter.end({ cached: false, detail: image.descriptor.digest });
    } catch (error) {
      reporter.fail(error instanceof TsbuildError ? error : undefined);
      throw error;
    }
  }
}

function exportImageOf(image: AssembledImage, blobs: readonly LayerBlob[]): ExportImage {
  return {
    platform: image.descriptor.platform,
    descriptor: image.descriptor,
    manifest: image.manifestBytes,
    configDescriptor: image.configDescriptor,
    config: image.configBytes,
    blobs: blobs.map(({ path }, number) => {
      const descriptor = image.manifest.layers[number];
      if (descriptor === undefined) throw new TypeError(`No descriptor for layer ${number}`);
      return { descriptor, path };
    }),
  };
}

function sandboxOf(options: BuildOptions): Omit<SandboxOptions, 'resolver'> {
  return {
    secrets: new Map(Object.entries(options.secrets ?? {})),
    rotatingSecrets: new Set(options.rotatingSecrets),
    addHosts: options.addHosts ?? [],
    shmSize: options.shmSize,
    ulimits: options.ulimits ?? [],
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
  plan: BuildPlan<BaseImage>,
  { session, progress, warned }: Running,
): Promise<ScannedContext> {
  const users = contextUsers(plan);
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
