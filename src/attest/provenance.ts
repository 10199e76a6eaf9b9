/** The SLSA provenance of an image: how it was built, of what (ATT-6 … ATT-9). Pure. */

import type { BuildFacts, Material, StepFacts } from './facts.ts';
import type { ProvenanceRequest } from './requests.ts';
import { type Attestation, PREDICATE } from './statement.ts';

/** What the parameters below mean: docs/attestations.md. A change of their meaning is another one. */
const BUILD_TYPE = 'pkg:npm/%40tsbuild/build#dockerfile/v1';
const BUILDER = 'pkg:npm/%40tsbuild/build';
/** Arguments that may be nobody's business (ATT-8). */
const PRIVATE_ARG = /^(?:build-arg|label):/;

/** The provenance in the version and mode that were asked for. */
export function provenanceOf(facts: BuildFacts, request: ProvenanceRequest): Attestation {
  const { version, filename } = request;
  const known = request.mode === 'max' ? facts : withoutPrivate(facts);
  const isComplete = Object.keys(known.args).length === Object.keys(facts.args).length;
  const parts = { facts: known, request, isComplete };
  return {
    predicateType: PREDICATE.provenance[version],
    predicate: version === 'v1' ? predicateV1(parts) : predicateV02(parts),
    filename,
  };
}

/** `min` (ATT-8). */
function withoutPrivate(facts: BuildFacts): BuildFacts {
  const args = Object.entries(facts.args).filter(([name]) => !PRIVATE_ARG.test(name));
  return { ...facts, args: Object.fromEntries(args), secrets: [], ssh: [] };
}

interface Parts {
  readonly facts: BuildFacts;
  readonly request: ProvenanceRequest;
  /** No argument was left out. */
  readonly isComplete: boolean;
}

/** https://slsa.dev/spec/v1.0/provenance, with BuildKit's extensions under BuildKit's names (ATT-7). */
function predicateV1({ facts, request, isComplete }: Parts): object {
  const { materials, invocationID, startedOn, finishedOn } = facts;
  return {
    buildDefinition: {
      buildType: BUILD_TYPE,
      externalParameters: { configSource: facts.configSource, request: requestOf(facts) },
      internalParameters: {
        ...(request.mode === 'max' && { buildConfig: buildConfigOf(facts.steps) }),
        builderPlatform: facts.builderPlatform,
      },
      resolvedDependencies: materials,
    },
    runDetails: {
      builder: { id: request.builderID ?? BUILDER, version: { tsbuild: facts.builderVersion } },
      metadata: {
        ...(invocationID !== undefined && { invocationId: invocationID }),
        startedOn,
        finishedOn,
        buildkit_completeness: {
          request: isComplete,
          resolvedDependencies: hasAllMaterials(facts),
        },
        buildkit_reproducible: request.reproducible,
        buildkit_hermetic: isHermetic(facts),
        buildkit_metadata: metadataOf(facts, request),
      },
    },
  };
}

/** https://slsa.dev/spec/v0.2/provenance, likewise. */
function predicateV02({ facts, request, isComplete }: Parts): object {
  const { configSource, materials, invocationID, startedOn, finishedOn } = facts;
  const { path, ...source } = configSource;
  return {
    builder: { id: request.builderID ?? BUILDER },
    buildType: BUILD_TYPE,
    materials,
    invocation: {
      configSource: { ...source, entryPoint: path },
      parameters: requestOf(facts),
      environment: { platform: facts.builderPlatform },
    },
    ...(request.mode === 'max' && { buildConfig: buildConfigOf(facts.steps) }),
    metadata: {
      ...(invocationID !== undefined && { buildInvocationID: invocationID }),
      buildStartedOn: startedOn,
      buildFinishedOn: finishedOn,
      completeness: {
        parameters: isComplete,
        environment: true,
        materials: hasAllMaterials(facts),
      },
      reproducible: request.reproducible,
      'https://mobyproject.org/buildkit@v1#hermetic': isHermetic(facts),
      'https://mobyproject.org/buildkit@v1#metadata': metadataOf(facts, request),
    },
  };
}

function requestOf({ args, secrets, ssh, locals }: BuildFacts): object {
  return {
    frontend: 'dockerfile.v0',
    args,
    ...(secrets.length > 0 && { secrets }),
    ...(ssh.length > 0 && { ssh }),
    ...(locals.length > 0 && { locals: locals.map((name) => ({ name })) }),
  };
}

/** Files of the builder's machine are no material: nobody else could look at them. */
function hasAllMaterials({ locals }: BuildFacts): boolean {
  return locals.length === 0;
}

/** ATT-9. */
function isHermetic(facts: BuildFacts): boolean {
  return !facts.hasNetwork && hasAllMaterials(facts);
}

function buildConfigOf(steps: readonly StepFacts[]): object {
  return {
    steps: steps.map(({ stage, kind, name }, number) => ({
      id: stepID(number),
      stage,
      kind,
      name,
    })),
  };
}

function metadataOf({ vcs, dockerfile, steps }: BuildFacts, { mode }: ProvenanceRequest): object {
  const { name, text } = dockerfile;
  const layered = steps.flatMap(({ layer }, number) => {
    if (layer === undefined) return [];
    const { mediaType, digest, size } = layer;
    return [[`${stepID(number)}:0`, [[{ mediaType, digest, size }]]] as const];
  });
  return {
    ...(vcs !== undefined && { vcs }),
    ...(mode === 'max' && {
      source: {
        locations: Object.fromEntries(steps.map((step, number) => [stepID(number), placeOf(step)])),
        infos: [
          { filename: name, language: 'Dockerfile', data: Buffer.from(text).toString('base64') },
        ],
      },
      layers: Object.fromEntries(layered),
    }),
  };
}

function placeOf({ range: { start, end } }: StepFacts): object {
  const ranges = [{ start: { line: start.line }, end: { line: end.line } }];
  return { locations: [{ ranges }] };
}

function stepID(number: number): string {
  return `step${number}`;
}

/** Each once, sorted: in whatever order they were found, it is the same list. */
export function uniqueMaterials(materials: readonly Material[]): readonly Material[] {
  const known = new Map(materials.map((each) => [JSON.stringify(each), each]));
  return [...known].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, material]) => material);
}
