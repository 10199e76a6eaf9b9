/** What comes after solving: each image's documents, an index over several, the outputs, the answer. */

import {
  type ExportImage,
  type ExportResult,
  nameOfOutput,
  type OutputSpec,
  writeOutput,
} from './export/index.ts';
import { forPlatform, TsbuildError } from './errors.ts';
import { formatAll } from './oci/platform.ts';
import type { BuildOptions, BuildResult, PlatformResult } from './options.ts';
import type { BuildPlan } from './plan/step.ts';
import type { Progress } from './progress/progress.ts';
import { namesOf, pushOutput, rememberImage } from './push-output.ts';
import type { Request } from './request.ts';
import { type AssembledImage, assembleImage, assembleIndex } from './solve/assemble.ts';
import type { BaseImage } from './solve/layer.ts';
import type { LayerBlob } from './solve/layer-blobs.ts';
import { checkDocuments, locateLeak } from './solve/secret-leaks.ts';
import type { Session } from './solve/session.ts';
import type { SolvedStages } from './solve/solve.ts';

/** What finishing needs of a build. */
export interface Finishing {
  readonly options: BuildOptions;
  readonly request: Request;
  readonly session: Session;
  /** Seconds since the Unix epoch: the time of all that is new. */
  readonly epoch: number | undefined;
  readonly progress: Progress;
  readonly signal: AbortSignal;
}

/** Puts the images wherever they were asked for. @throws ERR_SECRET_LEAKED, ERR_OUTPUT_FAILED, … */
export async function finish(
  plans: readonly BuildPlan<BaseImage>[],
  solved: SolvedStages,
  work: Finishing,
): Promise<BuildResult> {
  const { request, session, progress } = work;
  const finished = await Promise.all(plans.map((plan) => finishImage(plan, solved, work)));
  const index = request.isIndex
    ? assembleIndex(finished.map(({ image }) => image.descriptor))
    : undefined;
  if (index !== undefined) await session.store.putBytes(index.bytes);
  const [first, ...others] = finished.map(resultOf);
  const descriptor = index?.descriptor ?? first?.descriptor;
  if (first === undefined || descriptor === undefined)
    throw new TypeError('No platform is planned');
  const result = {
    descriptor,
    index: index?.bytes,
    images: finished.map(exportImageOf),
    names: request.names,
  };
  await rememberImage(result, session);
  await exportAll(result, work);
  return {
    digest: descriptor.digest,
    descriptor,
    config: others.length === 0 ? first.config : undefined,
    configDigest: others.length === 0 ? first.configDigest : undefined,
    platforms: [first, ...others],
    names: namesOf(request, descriptor.digest),
    steps: progress.reports,
  };
}

interface Finished {
  readonly plan: BuildPlan<BaseImage>;
  readonly image: AssembledImage;
  readonly blobs: readonly LayerBlob[];
}

/** The documents of a platform's image, in the store; its layers are there, too. */
async function finishImage(
  plan: BuildPlan<BaseImage>,
  solved: SolvedStages,
  { options, request, session, progress, epoch }: Finishing,
): Promise<Finished> {
  const platform = request.platforms.length > 1 ? formatAll(plan.platform) : undefined;
  try {
    const layers = solved.get(plan.target)?.layers ?? [];
    const blobs = await Promise.all(layers.map((layer) => session.layers.blob(layer)));
    const { target } = plan;
    const labels = options.labels ?? {};
    const { platform: wanted } = plan;
    const image = assembleImage({ target, solved, blobs, labels, platform: wanted, epoch });
    for (const { id, location } of checkDocuments(image, plan, session.guard)) {
      progress.notice('warning', `The secret "${id}" is in the Dockerfile itself`, location);
    }
    await session.store.putBytes(image.configBytes);
    await session.store.putBytes(image.manifestBytes);
    return { plan, image, blobs };
  } catch (error) {
    throw forPlatform(locateLeak(error, solved), platform);
  }
}

function resultOf({ plan, image }: Finished): PlatformResult {
  return {
    platform: formatAll(plan.platform),
    digest: image.descriptor.digest,
    descriptor: image.descriptor,
    config: image.config,
    configDigest: image.configDescriptor.digest,
  };
}

function exportImageOf({ image, blobs }: Finished): ExportImage {
  return {
    platform: image.descriptor.platform,
    descriptor: image.descriptor,
    manifest: image.manifestBytes,
    configDescriptor: image.configDescriptor,
    config: image.configBytes,
    blobs: blobs.map(({ path, origin }, number) => {
      const descriptor = image.manifest.layers[number];
      if (descriptor === undefined) throw new TypeError(`No descriptor for layer ${number}`);
      return { descriptor, path, origin };
    }),
  };
}

async function exportAll(
  result: ExportResult,
  { options, request, session, progress, signal, epoch }: Finishing,
): Promise<void> {
  const created = epoch === undefined ? undefined : new Date(epoch * 1000);
  // What fails most often comes last: the files are there then (T-25).
  const pushesLast = request.outputs.toSorted((a, b) => Number(isPush(a)) - Number(isPush(b)));
  for (const output of pushesLast) {
    const reporter = progress.start({ name: nameOfOutput(output), location: undefined });
    try {
      if (output.kind === 'image') {
        await pushOutput(output, result, { session, signal, status: reporter.status });
        reporter.end({ cached: false, detail: result.descriptor.digest });
        continue;
      }
      if (output.kind !== 'oci' && output.kind !== 'docker') throw notYet(output.kind);
      const engine = { address: undefined, certificates: undefined };
      await writeOutput(output, result, { created, signal, stdout: options.stdout, engine });
      reporter.end({ cached: false, detail: result.descriptor.digest });
    } catch (error) {
      reporter.fail(error instanceof TsbuildError ? error : undefined);
      throw error;
    }
  }
}

function isPush(output: OutputSpec): boolean {
  return output.kind === 'image' && output.push;
}

function notYet(kind: string): TsbuildError {
  return new TsbuildError('ERR_UNSUPPORTED', {
    message: `Cannot use the output type "${kind}"`,
    details: { feature: kind },
    hint: 'This version writes type=oci and type=docker.',
  });
}
