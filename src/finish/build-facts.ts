/** What a provenance says of a build, gathered from its options, its plan and what it has fetched. */

import { basename } from 'node:path';
import {
  type BuildFacts,
  digestSet,
  imagePurl,
  layoutPurl,
  type Material,
  type MountedSecret,
  type StepFacts,
  uniqueMaterials,
} from '../attest/index.ts';
import type { ContextSource } from '../context/source.ts';
import { redactUrl } from '../context/url-credentials.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { formatAll, type Platform } from '../oci/platform.ts';
import { parseReference } from '../oci/reference.ts';
import type { BuildOptions } from '../options.ts';
import type { BuildPlan, CopyOrigin, PlannedStage, RunStep, Step } from '../plan/step.ts';
import type { Request } from '../request.ts';
import type { BaseImage } from '../solve/layer.ts';
import { type FetchedMaterial, gitUri } from '../solve/materials.ts';

/** What gathering needs to know of a build for one platform. */
export interface BuildRecord {
  readonly options: BuildOptions;
  readonly request: Pick<Request, 'host' | 'contexts'>;
  readonly source: ContextSource;
  readonly dockerfile: { readonly name: string; readonly text: string };
  readonly plan: BuildPlan<BaseImage>;
  readonly fetched: readonly FetchedMaterial[];
  /** The blob that a step has added to the image. */
  readonly layerOf: (stage: PlannedStage<BaseImage>, step: number) => Descriptor | undefined;
  readonly times: Pick<BuildFacts, 'invocationID' | 'startedOn' | 'finishedOn'>;
  readonly builderVersion: string;
}

/** Proxies are no part of what is built, and often have a password. What is attested is seen as it is. */
const UNTOLD_ARG = /^(?:(?:https?|ftp|no|all)_proxy|BUILDKIT_ATTEST_.*)$/i;

export function gatherFacts(record: BuildRecord): BuildFacts {
  const { request, plan, source, dockerfile, fetched } = record;
  const runs = plan.stages.flatMap(({ steps }) => steps).filter((step) => step.kind === 'run');
  const origin = originOf(record);
  return {
    configSource: { ...origin, path: dockerfileName(record) },
    args: argsOf(record),
    ...mountsOf(runs),
    locals: localsOf(record),
    builderPlatform: formatAll(request.host),
    materials: uniqueMaterials([...imagesOf(plan), ...fetched.map(materialOf)]),
    hasNetwork: runs.some(({ network }) => network !== 'none'),
    vcs: source.kind === 'git' && origin ? vcsOf(source.source.shown, fetched) : undefined,
    ...record.times,
    builderVersion: record.builderVersion,
    dockerfile: { name: basename(dockerfile.name), text: dockerfile.text },
    steps: plan.stages.flatMap((stage) => stepsOf(stage, record)),
  };
}

/** Paths of this machine are nobody's business, and differ from one machine to the next. */
function dockerfileName({ source, dockerfile, options }: BuildRecord): string {
  const isElsewhere = source.kind === 'git' || source.kind === 'http';
  const given = typeof options.dockerfile === 'string' ? options.dockerfile : undefined;
  return isElsewhere && given ? redactUrl(given) : basename(redactUrl(dockerfile.name));
}

/** The context as a material; undefined for files of this machine. */
function originOf({ source, fetched }: BuildRecord): Material | undefined {
  const uri =
    source.kind === 'git'
      ? gitUri(source.source)
      : source.kind === 'http'
        ? redactUrl(source.url)
        : undefined;
  const found = fetched.find((each) => each.uri === uri);
  return found && materialOf(found);
}

function vcsOf(source: string, fetched: readonly FetchedMaterial[]): BuildFacts['vcs'] {
  const commit = fetched.find((each) => each.kind === 'commit' && each.uri.startsWith(source));
  return commit?.kind === 'commit' ? { source, revision: commit.commit } : undefined;
}

function materialOf(fetched: FetchedMaterial): Material {
  const { kind, uri } = fetched;
  return { uri, digest: kind === 'file' ? { sha256: fetched.sha256 } : digestSet(fetched.commit) };
}

/** In the words of BuildKit's frontend, sorted. */
function argsOf({ options, request, plan }: BuildRecord): Readonly<Record<string, string>> {
  const { buildArgs = {}, labels = {}, target, noCache, noCacheFilter = [], network } = options;
  const pairs: (readonly [string, string])[] = [
    ...Object.entries(buildArgs)
      .filter(([name]) => !UNTOLD_ARG.test(name))
      .map(([name, value]) => [`build-arg:${name}`, value] as const),
    ...Object.entries(labels).map(([name, value]) => [`label:${name}`, value] as const),
    ...Object.entries(options.buildContexts ?? {}).map(
      ([name, value]) => [`context:${name}`, contextText(name, value, request)] as const,
    ),
    ...(target ? [['target', plan.target.name ?? target] as const] : []),
    ...(noCache || noCacheFilter.length > 0
      ? [['no-cache', noCacheFilter.join(',')] as const]
      : []),
    ...(network && network !== 'default' ? [['force-network-mode', network] as const] : []),
  ];
  return Object.fromEntries(pairs.toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

/** Directories of this machine by the names that they have in the build. */
function contextText(name: string, value: string, { contexts }: BuildRecord['request']): string {
  const context = contexts.get(name);
  if (context?.kind === 'oci-layout') return `oci-layout:${name}`;
  if (context?.kind !== 'files') return value;
  const { source } = context;
  return source.kind === 'directory' || source.kind === 'bytes'
    ? `local:${name}`
    : redactUrl(value);
}

function localsOf({ source, options, request }: BuildRecord): readonly string[] {
  const isLocal = source.kind === 'directory' || source.kind === 'bytes';
  const { dockerfile } = options;
  const isLocalFile = isLocal
    ? typeof dockerfile !== 'string' || !/^https?:/.test(dockerfile)
    : dockerfile !== undefined && typeof dockerfile !== 'string';
  const named = [...request.contexts].flatMap(([name, context]) =>
    context.kind === 'files' && context.source.kind === 'directory' ? [name] : [],
  );
  const locals = [
    ...(isLocal ? ['context'] : []),
    ...(isLocalFile ? ['dockerfile'] : []),
    ...named,
  ];
  return locals.sort();
}

/** Of all platforms' base images, those of this one. */
function imagesOf({ stages, platform }: BuildPlan<BaseImage>): readonly Material[] {
  return stages.flatMap((stage) => [
    ...(stage.base.kind === 'image' ? [imageMaterial(stage.base, stage.platform)] : []),
    ...stage.steps
      .flatMap(originsOf)
      .flatMap((origin) => (origin.kind === 'image' ? [imageMaterial(origin, platform)] : [])),
  ]);
}

function originsOf(step: Step<BaseImage>): readonly CopyOrigin<BaseImage>[] {
  if (step.kind === 'copy') return [step.origin];
  return step.kind === 'run' ? step.mounts.flatMap(({ from }) => from ?? []) : [];
}

function imageMaterial(
  { image, reference }: { readonly image: BaseImage; readonly reference: string },
  platform: Platform,
): Material {
  const digest = image.root ?? image.descriptor.digest;
  const uri = reference.startsWith('oci-layout:')
    ? layoutPurl(digest, platform)
    : imagePurl(parseReference(reference), platform);
  return { uri, digest: digestSet(digest) };
}

function mountsOf(runs: readonly RunStep<BaseImage>[]): Pick<BuildFacts, 'secrets' | 'ssh'> {
  const found = { secret: new Map<string, MountedSecret>(), ssh: new Map<string, MountedSecret>() };
  for (const { mount } of runs.flatMap(({ mounts }) => mounts)) {
    if (mount.kind !== 'secret' && mount.kind !== 'ssh') continue;
    const { id, required } = mount;
    const isOptional = !required && (found[mount.kind].get(id)?.optional ?? true);
    found[mount.kind].set(id, { id, optional: isOptional });
  }
  const sorted = (map: ReadonlyMap<string, MountedSecret>): readonly MountedSecret[] =>
    [...map.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
  return { secrets: sorted(found.secret), ssh: sorted(found.ssh) };
}

function stepsOf(stage: PlannedStage<BaseImage>, { layerOf }: BuildRecord): StepFacts[] {
  const name = stage.name ?? `stage-${stage.index}`;
  const { range } = stage.location;
  const from = { stage: name, kind: 'from', name: fromText(stage), range, layer: undefined };
  return [
    from,
    ...stage.steps.map((step, number) => ({
      stage: name,
      kind: step.kind,
      name: step.name,
      range: step.location.range,
      layer: layerOf(stage, number),
    })),
  ];
}

function fromText({ base, fromName }: PlannedStage<BaseImage>): string {
  switch (base.kind) {
    case 'scratch':
      return 'FROM scratch';
    case 'stage':
      return `FROM ${base.stage.name ?? `stage-${base.stage.index}`}`;
    case 'image':
      // A layout's place is one of this machine.
      return base.reference.startsWith('oci-layout:')
        ? 'FROM oci-layout'
        : (fromName ?? `FROM ${base.reference}`);
  }
}
