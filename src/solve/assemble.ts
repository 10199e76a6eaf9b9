/** The documents of a solved image: config with history and times, manifest. Pure. */

import { TsbuildError } from '../errors.ts';
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
  /** Default: OCI's names, no annotations. */
  readonly documents?: DocumentStyle;
}

/** How the documents that are written here are called, and what is noted in them. */
export interface DocumentStyle {
  /** `docker` gives way to OCI's where a layer is what Docker has no name for; `docker-only` must not come to that. */
  readonly mediaTypes?: MediaTypeNames;
  readonly annotations?: Annotations | undefined;
  /** Of the descriptor that names the document. */
  readonly descriptorAnnotations?: Annotations | undefined;
}

type MediaTypeNames = 'oci' | 'docker' | 'docker-only';

type Annotations = Readonly<Record<string, string>>;

/** Puts the documents together (CFG-1 … CFG-5, HIST-1, HIST-4, HIST-5). */
export function assembleImage(options: AssembleOptions): AssembledImage {
  const { target, blobs, labels, platform, documents = {} } = options;
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
  const types = typesOf(documents, blobs);
  const configDescriptor = {
    mediaType: types.config,
    digest: digestOf(configBytes),
    size: configBytes.length,
  };
  const manifest: Manifest = {
    schemaVersion: 2,
    mediaType: types.manifest,
    config: configDescriptor,
    layers: blobs.map(({ descriptor }) => layerDescriptor(descriptor, types)),
    ...(documents.annotations && { annotations: documents.annotations }),
  };
  const manifestBytes = encodeManifest(manifest);
  const noted = documents.descriptorAnnotations;
  const descriptor = {
    mediaType: types.manifest,
    digest: digestOf(manifestBytes),
    size: manifestBytes.length,
    ...(noted && { annotations: noted }),
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
export function assembleIndex(
  manifests: readonly Descriptor[],
  { annotations, descriptorAnnotations: noted }: DocumentStyle = {},
): AssembledIndex {
  const isDocker = manifests.every((one) => one.mediaType === MEDIA_TYPE.dockerManifest);
  const mediaType = isDocker ? MEDIA_TYPE.dockerIndex : MEDIA_TYPE.index;
  const bytes = encodeManifest({
    schemaVersion: 2,
    mediaType,
    manifests,
    ...(annotations && { annotations }),
  });
  const named = { mediaType, digest: digestOf(bytes), size: bytes.length };
  return { bytes, descriptor: { ...named, ...(noted && { annotations: noted }) } };
}

/** Before anything runs: Docker's names were demanded, and the base stays as it is (LAY-3). @throws ERR_USAGE */
export function checkMediaTypes(
  target: PlannedStage<BaseImage>,
  {
    mediaTypes,
    forceCompression,
  }: { readonly mediaTypes: MediaTypeNames; readonly forceCompression: boolean },
): void {
  const base = stageChain(target)[0]?.base;
  if (mediaTypes !== 'docker-only' || forceCompression || base?.kind !== 'image') return;
  const nameless = base.image.manifest.layers.find((layer) => !hasDockerName(layer));
  if (nameless === undefined) return;
  throw new TsbuildError('ERR_USAGE', {
    message: `Cannot use oci-mediatypes=false: Docker has no name for the base's "${nameless.mediaType}"`,
    details: undefined,
    hint: "Pack the base's layers anew with force-compression=true, or leave oci-mediatypes out.",
  });
}

interface MediaTypes {
  readonly config: string;
  readonly manifest: string;
  readonly tar: string;
  readonly gzip: string;
}

const OCI_TYPES: MediaTypes = {
  config: MEDIA_TYPE.config,
  manifest: MEDIA_TYPE.manifest,
  tar: MEDIA_TYPE.layerTar,
  gzip: MEDIA_TYPE.layerGzip,
};
const DOCKER_TYPES: MediaTypes = {
  config: MEDIA_TYPE.dockerConfig,
  manifest: MEDIA_TYPE.dockerManifest,
  tar: MEDIA_TYPE.dockerLayer,
  gzip: MEDIA_TYPE.dockerLayerGzip,
};

/** LAY-3. */
function typesOf({ mediaTypes = 'oci' }: DocumentStyle, blobs: readonly LayerBlob[]): MediaTypes {
  if (mediaTypes === 'oci') return OCI_TYPES;
  return blobs.every(({ descriptor }) => hasDockerName(descriptor)) ? DOCKER_TYPES : OCI_TYPES;
}

function hasDockerName({ mediaType }: Descriptor): boolean {
  return [...Object.values(OCI_TYPES), ...Object.values(DOCKER_TYPES)].includes(mediaType);
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

/** Base layers keep their bytes, and are called as the manifest's kind demands. */
function layerDescriptor(
  { mediaType, digest, size }: Descriptor,
  { tar, gzip }: MediaTypes,
): Descriptor {
  switch (mediaType) {
    case MEDIA_TYPE.layerGzip:
    case MEDIA_TYPE.dockerLayerGzip:
      return { mediaType: gzip, digest, size };
    case MEDIA_TYPE.layerTar:
    case MEDIA_TYPE.dockerLayer:
      return { mediaType: tar, digest, size };
    default:
      return { mediaType, digest, size };
  }
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
