import assert from 'node:assert/strict';
import { MEDIA_TYPE } from '../../src/oci/descriptor.ts';
import { digestOf } from '../../src/oci/digest.ts';
import type { Platform } from '../../src/oci/platform.ts';
import { parseDockerfile } from '../../parser/index.ts';
import { planBuild } from '../../src/plan/plan.ts';
import type { BuildPlan } from '../../src/plan/step.ts';
import type { BaseImage } from '../../src/solve/layer.ts';
import { shareSteps } from '../../src/solve/shared-steps.ts';
import { imageOf } from './stage.ts';

const AMD64: Platform = { os: 'linux', architecture: 'amd64' };
const ARM64: Platform = { os: 'linux', architecture: 'arm64' };

/** Each image is another one for each platform, and an object of its own each time. */
async function planFor(text: string, platform: Platform): Promise<BuildPlan<BaseImage>> {
  return await planBuild<BaseImage>(parseDockerfile(text), {
    buildArgs: {},
    platform,
    isOneOfSeveral: true,
    buildPlatform: AMD64,
    network: 'default',
    namedContexts: new Map(),
    resolveImage: async (reference, { os, architecture }) => {
      const digest = digestOf(Buffer.from(`${reference} ${os}/${architecture}`));
      return imageOf([], { mediaType: MEDIA_TYPE.manifest, digest, size: 1 });
    },
  });
}

/** What is announced, in order. */
async function announced(lines: readonly string[]): Promise<readonly string[]> {
  const text = lines.join('\n');
  const plans = [await planFor(text, AMD64), await planFor(text, ARM64)];
  const { froms, steps } = shareSteps(plans);
  const each = plans
    .flatMap(({ stages }) => stages)
    .flatMap((stage) => [froms.get(stage), ...stage.steps.map((step) => steps.get(step))]);
  return [...new Set(each)].flatMap((one) => (one === undefined ? [] : [one.name]));
}

describe('shareSteps()', () => {
  it('has a stage for the build’s platform once, until an ARG tells it of the other (MP-5, T-36)', async () => {
    assert.deepEqual(
      await announced([
        'FROM --platform=$BUILDPLATFORM go AS build',
        'COPY . /src',
        'RUN fetch',
        'ARG TARGETARCH',
        'RUN make',
        'FROM base',
        'COPY --from=build /a /a',
      ]),
      [
        '[linux/amd64 build 1/4] FROM docker.io/library/go:latest',
        '[linux/amd64 build 2/4] COPY . /src',
        '[linux/amd64 build 3/4] RUN fetch',
        '[linux/amd64 build 4/4] RUN make',
        '[linux/amd64 stage-1 1/2] FROM docker.io/library/base:latest',
        '[linux/amd64 stage-1 2/2] COPY --from=build /a /a',
        '[linux/amd64->arm64 build 4/4] RUN make',
        '[linux/arm64 stage-1 1/2] FROM docker.io/library/base:latest',
        '[linux/arm64 stage-1 2/2] COPY --from=build /a /a',
      ],
    );
  });

  it('keeps apart what has other files, or another environment, below the same name', async () => {
    // Nothing tells the stage "tools" of the platform, but what it copies is of another one.
    const from = await announced([
      'FROM base AS native',
      'FROM --platform=$BUILDPLATFORM tools AS tools',
      'COPY --from=native /a /a',
      'RUN same text',
      'FROM tools',
    ]);
    assert.equal(from.filter((name) => name.endsWith('RUN same text')).length, 2);
    const arg = await announced([
      'ARG WHO=$TARGETARCH',
      'FROM --platform=$BUILDPLATFORM tools',
      'ARG WHO',
      'RUN same text',
      'RUN and on top of it',
    ]);
    assert.equal(arg.filter((name) => name.endsWith('RUN same text')).length, 2);
    assert.equal(arg.filter((name) => name.endsWith('RUN and on top of it')).length, 2);
  });

  it('has nothing to share in one plan', async () => {
    const text = 'FROM a\nRUN x\nFROM a\nRUN x';
    const plan = await planFor(text, AMD64);
    const { froms, steps } = shareSteps([plan]);
    for (const [stage, { name }] of froms) assert.equal(name, stage.fromName);
    for (const [step, first] of steps) assert.equal(step, first);
    assert.equal(steps.size, 1);
  });
});
