/** The documents of a solved image: config with history and times, manifest. Pure. */

import type { LayerBlob } from './layer-blobs.ts';
import { type Descriptor, MEDIA_TYPE } from '../oci/descriptor.ts';
import { digestOf } from '../oci/digest.ts';
import {
  encodeConfig,
  encodeManifest,
  type History,
  type ImageConfig,
  type Manifest,
} from '../oci/image.ts';
import type { Platform } from '../oci/platform.ts';
import { HISTORY_COMMENT } from '../plan/history.ts';
import type { PlannedStage } from '../plan/step.ts';
import type { BaseImage } from './layer.ts';
import type { SolvedStages } from './solve.ts';

export interface AssembledImage {
  readonly config: ImageConfig;
  readonly configBytes: Uint8Array;
  readonly configDescriptor: Descriptor;
  readonly manifest: Manifest;
  readonly manifestBytes: Uint8Array;
  /** With the platform, as an index lists it. */
  readonly descriptor: Descriptor & { readonly platform: Platform };
}

export interface AssembleOptions {
  readonly target: PlannedStage<BaseImage>;
  readonly solved: SolvedStages;
  readonly blobs: readonly LayerBlob[];
  readonly labels: Readonly<Record<string, string>>;
  readonly platform: Platform;
  /** Seconds since the Unix epoch: the time of all that is new. */
  readonly epoch: number | undefined;
}

/** Puts the documents together (CFG-1 … CFG-5, HIST-1, HIST-4, HIST-5). */
export function assembleImage(options: AssembleOptions): AssembledImage {
  const { target, blobs, labels, platform } = options;
  const history = historyOf(target, options);
  const created = createdOf(history, options.epoch);
  const { config, ...rest } = target.config;
  const imageConfig: ImageConfig = {
    ...rest,
    ...(created !== undefined && { created }),
    config:
      Object.keys(labels).length > 0
        ? { ...config, Labels: { ...config.Labels, ...labels } }
        : config,
    rootfs: { type: 'layers', diff_ids: blobs.map(({ diffID }) => diffID) },
    history,
  };
  const configBytes = encodeConfig(imageConfig);
  const configDescriptor = {
    mediaType: MEDIA_TYPE.config,
    digest: digestOf(configBytes),
    size: configBytes.length,
  };
  const manifest: Manifest = {
    schemaVersion: 2,
    mediaType: MEDIA_TYPE.manifest,
    config: configDescriptor,
    layers: blobs.map(({ descriptor }) => layerDescriptor(descriptor)),
  };
  const manifestBytes = encodeManifest(manifest);
  const descriptor = {
    mediaType: MEDIA_TYPE.manifest,
    digest: digestOf(manifestBytes),
    size: manifestBytes.length,
    platform: withDetails(platform, imageConfig),
  };
  return {
    config: imageConfig,
    configBytes,
    configDescriptor,
    manifest,
    manifestBytes,
    descriptor,
  };
}

/** An index, and what names it. */
export interface AssembledIndex {
  readonly bytes: Uint8Array;
  readonly descriptor: Descriptor;
}

/** The index over images for several platforms, in this order (MP-1). */
export function assembleIndex(manifests: readonly Descriptor[]): AssembledIndex {
  const mediaType = MEDIA_TYPE.index;
  const bytes = encodeManifest({ schemaVersion: 2, mediaType, manifests });
  return { bytes, descriptor: { mediaType, digest: digestOf(bytes), size: bytes.length } };
}

/** What was asked for, and what the config, which has it from the base, knows besides (Windows: its version). */
function withDetails(platform: Platform, config: ImageConfig): Platform {
  const { os, architecture, variant, 'os.version': version, 'os.features': features } = config;
  if (os !== platform.os || architecture !== platform.architecture) return platform;
  return {
    ...platform,
    ...(variant !== undefined && { variant }),
    ...(version !== undefined && { 'os.version': version }),
    ...(features !== undefined && { 'os.features': features }),
  };
}

/** Base layers keep their bytes; Docker's names of media types become OCI's in an OCI manifest. */
function layerDescriptor({ mediaType, digest, size }: Descriptor): Descriptor {
  const isDocker = mediaType === MEDIA_TYPE.dockerLayerGzip;
  return { mediaType: isDocker ? MEDIA_TYPE.layerGzip : mediaType, digest, size };
}

/** The base's history as it is, then an entry for each step, stage by stage. */
function historyOf(target: PlannedStage<BaseImage>, { solved, epoch }: AssembleOptions): History[] {
  const chain = stageChain(target);
  const base = chain[0]?.base;
  const inherited = base?.kind === 'image' ? inheritedHistory(base.image) : [];
  const own: { history: Omit<History, 'created'>; created: number | undefined }[] = [];
  for (const stage of chain) {
    const steps = solved.get(stage)?.steps ?? [];
    for (const [number, step] of stage.steps.entries()) {
      if (step.history === undefined) continue;
      // Not the earlier of the two: when a layer in the cache was made must not be seen (CFG-7).
      own.push({ history: step.history, created: epoch ?? steps[number]?.created });
    }
  }
  const times = fillTimes(own.map(({ created }) => created));
  return [
    ...inherited,
    ...own.map(({ history }, number) => {
      const time = times[number];
      const created = time === undefined ? lastDated(inherited) : formatTime(time);
      return { ...(created !== undefined && { created }), ...history };
    }),
  ];
}

/** With an entry for each layer, and none besides: whatever made the base may have kept no history (HIST-5). */
function inheritedHistory({ config, layers }: BaseImage): readonly History[] {
  let left = layers.length;
  const known = config.history.map((entry) => {
    if (entry.empty_layer || left-- > 0) return entry;
    return { ...entry, empty_layer: true };
  });
  const missing = Array.from({ length: Math.max(0, left) }, () => ({ comment: HISTORY_COMMENT }));
  return [...known, ...missing];
}

function lastDated(history: readonly History[]): string | undefined {
  return history.findLast(({ created }) => created !== undefined)?.created;
}

/** From the stage with an image or scratch below it, up to the target. */
function stageChain(target: PlannedStage<BaseImage>): PlannedStage<BaseImage>[] {
  const below = target.base.kind === 'stage' ? stageChain(target.base.stage) : [];
  return [...below, target];
}

/** Entries without a layer get the time of the one before; the first of them that of the next layer (HIST-4). */
function fillTimes(times: readonly (number | undefined)[]): (number | undefined)[] {
  const gap = times.indexOf(undefined);
  let last =
    gap < 0 ? undefined : (times.slice(gap).find((time) => time !== undefined) ?? times[gap - 1]);
  return times.map((time, number) => {
    if (time !== undefined && number > gap) last = time;
    return time ?? last;
  });
}

/** The time of the last entry that has one, but none after the epoch, which the base's may be (CFG-2). */
function createdOf(history: readonly History[], epoch: number | undefined): string | undefined {
  const created = lastDated(history);
  if (created === undefined || epoch === undefined) return created;
  return Date.parse(created) > epoch * 1000 ? formatTime(epoch) : created;
}

/** RFC 3339, as Go prints it. */
function formatTime(seconds: number): string {
  return new Date(seconds * 1000).toISOString().replace('.000Z', 'Z');
}
