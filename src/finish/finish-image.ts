/** The images of a build in one of the forms that its outputs want: documents in the store, layers too. */

import {
  annotationsAt,
  type ExportImage,
  type ExportResult,
  type ImageForm,
} from '../export/index.ts';
import { forPlatform } from '../errors.ts';
import { formatAll } from '../oci/platform.ts';
import type { Attestor, MadeAttestation } from './attestor.ts';
import type { Reference } from '../oci/reference.ts';
import type { Finishing, Solved } from './finishing.ts';
import type { PlatformResult } from '../options.ts';
import type { BuildPlan } from '../plan/step.ts';
import { type AssembledImage, assembleImage, assembleIndex } from '../solve/assemble.ts';
import type { BlobForm } from '../solve/blob-form.ts';
import type { BaseImage } from '../solve/layer.ts';
import type { LayerBlob } from '../solve/layer-blobs.ts';
import { checkDocuments, locateLeak } from '../solve/secret-leaks.ts';
import type { SolvedStages } from '../solve/solve.ts';

/** How the images of a form are named and attested. */
export interface Naming {
  /** In all outputs of the form. */
  readonly names: readonly Reference[];
  /** Undefined: nothing is attested. */
  readonly attestor: Attestor | undefined;
}

/** What the outputs of a form get, and what is told of it. */
export interface FinishedForm {
  readonly result: ExportResult;
  /** One for each platform. */
  readonly platforms: readonly PlatformResult[];
}

/** How the layers of a form are packed. */
export function blobFormOf(form: ImageForm, epoch: number | undefined): BlobForm {
  const { compression, level, forceCompression: isForced, rewriteTimestamp } = form;
  const latest = rewriteTimestamp ? (form.epoch ?? epoch) : undefined;
  return { compression, level, isForced, latest };
}

/** @throws ERR_SECRET_LEAKED, ERR_LAYER_INVALID, … */
export async function finishImages(
  { plans, stages }: Solved,
  form: ImageForm,
  { names, attestor, ...work }: Finishing & Naming,
): Promise<FinishedForm> {
  const { request, session } = work;
  const finished = await Promise.all(plans.map((plan) => finishImage(plan, stages, form, work)));
  const attested: MadeAttestation[] = [];
  for (const { plan, image, blobs } of attestor === undefined ? [] : finished) {
    const about = { plan, descriptor: image.descriptor, blobs, form, names };
    if (attestor !== undefined) attested.push(await attestor.attest(about));
  }
  // ATT-3: behind all that can be run.
  const images = [...finished.map(exportImageOf), ...attested.map(({ manifest }) => manifest)];
  const index =
    request.isIndex || attested.length > 0
      ? assembleIndex(
          images.map(({ descriptor }) => descriptor),
          {
            annotations: annotationsAt('index', form.annotations),
            descriptorAnnotations: annotationsAt('index-descriptor', form.annotations),
          },
        )
      : undefined;
  if (index !== undefined) await session.store.putBytes(index.bytes);
  const descriptor = index?.descriptor ?? finished[0]?.image.descriptor;
  if (descriptor === undefined) throw new TypeError('No platform is planned');
  return {
    result: { descriptor, index: index?.bytes, images, names: request.names },
    platforms: finished.map((each, number) => ({
      ...resultOf(each),
      provenance: attested[number]?.provenance,
    })),
  };
}

interface Finished {
  readonly plan: BuildPlan<BaseImage>;
  readonly image: AssembledImage;
  readonly blobs: readonly LayerBlob[];
}

/** The documents of a platform's image, in the store; its layers are there, too, or can be fetched. */
async function finishImage(
  plan: BuildPlan<BaseImage>,
  solved: SolvedStages,
  form: ImageForm,
  { options, request, session, progress, epoch: ofBuild }: Finishing,
): Promise<Finished> {
  const { target, platform } = plan;
  const epoch = form.epoch ?? ofBuild;
  try {
    const layers = solved.get(target)?.layers ?? [];
    const blobForm = blobFormOf(form, ofBuild);
    const blobs = await Promise.all(layers.map((layer) => session.layers.blob(layer, blobForm)));
    const labels = options.labels ?? {};
    const { mediaTypes, annotations } = form;
    const documents = {
      mediaTypes,
      annotations: annotationsAt('manifest', annotations, platform),
      descriptorAnnotations: annotationsAt('manifest-descriptor', annotations, platform),
    };
    const image = assembleImage({ target, solved, blobs, labels, platform, epoch, documents });
    // The others have the same config but for its times.
    if (form === request.form) {
      for (const { id, location } of checkDocuments(image, plan, session.guard)) {
        progress.notice('warning', `The secret "${id}" is in the Dockerfile itself`, location);
      }
    }
    await session.store.putBytes(image.configBytes);
    await session.store.putBytes(image.manifestBytes);
    return { plan, image, blobs };
  } catch (error) {
    const named = request.platforms.length > 1 ? formatAll(platform) : undefined;
    throw forPlatform(locateLeak(error, solved), named);
  }
}

function resultOf({ plan, image }: Finished): Omit<PlatformResult, 'provenance'> {
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
    blobs: blobs.map(({ path, origin, fetch }, number) => {
      const descriptor = image.manifest.layers[number];
      if (descriptor === undefined) throw new TypeError(`No descriptor for layer ${number}`);
      return { descriptor, path, origin, fetch };
    }),
  };
}
