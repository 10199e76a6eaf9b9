import assert from 'node:assert/strict';
import { type BuildFacts, provenanceOf, type ProvenanceRequest } from '../../src/attest/index.ts';
import { parseDigest } from '../../src/oci/digest.ts';

const REQUEST: ProvenanceRequest = {
  ...{ mode: 'max', version: 'v1', builderID: undefined, filename: 'provenance.json' },
  ...{ reproducible: false, inlineOnly: false },
};
const RANGE = { start: { line: 2, column: 1 }, end: { line: 3, column: 4 } };
const LAYER = {
  mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip',
  digest: parseDigest(`sha256:${'d'.repeat(64)}`),
  size: 7,
};
const FACTS: BuildFacts = {
  configSource: {
    uri: 'https://a.example/b.git#main',
    digest: { sha1: 'e'.repeat(40) },
    path: 'F',
  },
  args: { 'build-arg:TOKEN': 'hush', 'label:l': 'v', target: 'run' },
  secrets: [{ id: 'key', optional: false }],
  ssh: [{ id: 'default', optional: true }],
  locals: [],
  builderPlatform: 'linux/amd64',
  materials: [{ uri: 'pkg:docker/alpine@3.20', digest: { sha256: 'f'.repeat(64) } }],
  hasNetwork: false,
  vcs: { source: 'https://a.example/b.git', revision: 'e'.repeat(40) },
  invocationID: 'an-id',
  startedOn: '2026-01-01T00:00:00Z',
  finishedOn: '2026-01-01T00:00:01Z',
  builderVersion: '1.2.3',
  dockerfile: { name: 'F', text: 'FROM alpine\n' },
  steps: [
    { stage: 'run', kind: 'from', name: 'FROM alpine', range: RANGE, layer: undefined },
    { stage: 'run', kind: 'run', name: '[2/2] RUN make', range: RANGE, layer: LAYER },
  ],
};

interface V1 {
  readonly buildDefinition: Record<string, Record<string, Record<string, unknown>>>;
  readonly runDetails: {
    readonly builder: object;
    readonly metadata: Record<string, unknown>;
  };
}

function v1(facts: Partial<BuildFacts> = {}, request: Partial<ProvenanceRequest> = {}): V1 {
  const made = provenanceOf({ ...FACTS, ...facts }, { ...REQUEST, ...request });
  assert.equal(made.predicateType, 'https://slsa.dev/provenance/v1');
  return made.predicate as V1;
}

describe('provenanceOf()', () => {
  it('tells in mode max how the image was built, step by step (ATT-7)', () => {
    const { buildDefinition, runDetails } = v1();
    assert.deepEqual(buildDefinition, {
      buildType: 'pkg:npm/%40tsbuild/build#dockerfile/v1',
      externalParameters: {
        configSource: FACTS.configSource,
        request: {
          frontend: 'dockerfile.v0',
          args: FACTS.args,
          secrets: [{ id: 'key', optional: false }],
          ssh: [{ id: 'default', optional: true }],
        },
      },
      internalParameters: {
        buildConfig: {
          steps: [
            { id: 'step0', stage: 'run', kind: 'from', name: 'FROM alpine' },
            { id: 'step1', stage: 'run', kind: 'run', name: '[2/2] RUN make' },
          ],
        },
        builderPlatform: 'linux/amd64',
      },
      resolvedDependencies: FACTS.materials,
    });
    const locations = { locations: [{ ranges: [{ start: { line: 2 }, end: { line: 3 } }] }] };
    assert.deepEqual(runDetails, {
      builder: { id: 'pkg:npm/%40tsbuild/build', version: { tsbuild: '1.2.3' } },
      metadata: {
        invocationId: 'an-id',
        startedOn: FACTS.startedOn,
        finishedOn: FACTS.finishedOn,
        buildkit_completeness: { request: true, resolvedDependencies: true },
        buildkit_reproducible: false,
        buildkit_hermetic: true,
        buildkit_metadata: {
          vcs: FACTS.vcs,
          source: {
            locations: { step0: locations, step1: locations },
            infos: [
              {
                filename: 'F',
                language: 'Dockerfile',
                data: Buffer.from('FROM alpine\n').toString('base64'),
              },
            ],
          },
          layers: { 'step1:0': [[LAYER]] },
        },
      },
    });
  });

  it('leaves out in mode min what may be nobody’s business, and says so (ATT-8)', () => {
    const made = v1({}, { mode: 'min' });
    const { externalParameters, internalParameters } = made.buildDefinition;
    assert.deepEqual(externalParameters?.['request'], {
      frontend: 'dockerfile.v0',
      args: { target: 'run' },
    });
    assert.deepEqual(internalParameters, { builderPlatform: 'linux/amd64' });
    const { metadata } = made.runDetails;
    assert.deepEqual(metadata['buildkit_metadata'], { vcs: FACTS.vcs });
    assert.deepEqual(metadata['buildkit_completeness'], {
      request: false,
      resolvedDependencies: true,
    });
    const text = JSON.stringify(made);
    for (const word of ['hush', 'TOKEN', 'key', 'make', 'RlJPTS']) {
      assert.ok(!text.includes(word), word);
    }
  });

  it('is hermetic without a network and without files of the machine (ATT-9)', () => {
    const hermetic = (facts: Partial<BuildFacts>): unknown =>
      v1(facts).runDetails.metadata['buildkit_hermetic'];
    assert.equal(hermetic({}), true);
    assert.equal(hermetic({ hasNetwork: true }), false);
    assert.equal(hermetic({ locals: ['context'] }), false);
  });

  it('takes the word of whoever builds for who builds, and for equal bytes (ATT-6)', () => {
    const { builder, metadata } = v1(
      { invocationID: undefined },
      { builderID: 'https://ci.example/1', reproducible: true },
    ).runDetails;
    assert.equal((builder as { readonly id: string }).id, 'https://ci.example/1');
    assert.equal(metadata['buildkit_reproducible'], true);
    assert.ok(!('invocationId' in metadata));
  });

  it('says the same in the words of version 0.2 (ATT-6)', () => {
    const made = provenanceOf(FACTS, { ...REQUEST, version: 'v0.2', mode: 'min' });
    assert.equal(made.predicateType, 'https://slsa.dev/provenance/v0.2');
    assert.deepEqual(made.predicate, {
      builder: { id: 'pkg:npm/%40tsbuild/build' },
      buildType: 'pkg:npm/%40tsbuild/build#dockerfile/v1',
      materials: FACTS.materials,
      invocation: {
        configSource: {
          uri: 'https://a.example/b.git#main',
          digest: { sha1: 'e'.repeat(40) },
          entryPoint: 'F',
        },
        parameters: { frontend: 'dockerfile.v0', args: { target: 'run' } },
        environment: { platform: 'linux/amd64' },
      },
      metadata: {
        buildInvocationID: 'an-id',
        buildStartedOn: FACTS.startedOn,
        buildFinishedOn: FACTS.finishedOn,
        completeness: { parameters: false, environment: true, materials: true },
        reproducible: false,
        'https://mobyproject.org/buildkit@v1#hermetic': true,
        'https://mobyproject.org/buildkit@v1#metadata': { vcs: FACTS.vcs },
      },
    });
  });
});
