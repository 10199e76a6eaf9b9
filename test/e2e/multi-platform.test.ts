/** Builds for several platforms at once: one index (MP-1, MP-5, T-36). skopeo takes it apart. */

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { hasCode } from '../../src/errors.ts';
import {
  build,
  type BuildEvent,
  type BuildOptions,
  type BuildResult,
  check,
  outline,
} from '../../src/index.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { formatPlatform, hostPlatform } from '../../src/oci/platform.ts';
import { checkLayout } from '../support/check.ts';
import {
  blobsOf,
  makeImage,
  makeIndex,
  type TestImage,
  writeTestLayout,
} from '../support/image.ts';
import { type Files, inContext } from '../support/in-context.ts';
import { readImage } from '../support/layout-files.ts';
import { itUnless, missing } from '../support/missing.ts';
import { startRegistry } from '../support/registry.ts';
import { HELPER } from '../support/sandbox.ts';

const run = promisify(execFile);

interface Built {
  readonly result: BuildResult;
  readonly events: readonly BuildEvent[];
  /** The layout. */
  readonly output: string;
  readonly folder: string;
  readonly again: (more?: Partial<BuildOptions>) => Promise<BuildResult>;
}

/** Builds files for platforms; `prepare` makes what is needed besides in a folder. */
async function built(
  content: string | Files,
  platform: string,
  use: (built: Built) => Promise<void>,
  prepare: (folder: string) => Promise<Partial<BuildOptions>> = async () =>
    await Promise.resolve({}),
): Promise<void> {
  await inContext(content, async (options) => {
    const folder = join(options.context, '..');
    const output = join(folder, 'image');
    const events: BuildEvent[] = [];
    const again = async (more: Partial<BuildOptions> = {}): Promise<BuildResult> =>
      await build({
        ...options,
        ...{ platform, helper: HELPER, tags: ['app:v1'] },
        outputs: [`type=oci,tar=false,dest=${output}`],
        ...(await prepare(folder)),
        ...more,
        onEvent: (event) => events.push(event),
      });
    await use({ result: await again(), events, output, folder, again });
  });
}

/** The paths of the image for a platform, as skopeo chooses it. */
async function filesFor(platform: string, { output, folder }: Built): Promise<readonly string[]> {
  const [os = '', architecture = '', variant] = platform.split('/');
  const to = join(folder, platform.replaceAll('/', '_'));
  await run('skopeo', [
    ...['--override-os', os, '--override-arch', architecture],
    ...(variant === undefined ? [] : ['--override-variant', variant]),
    ...['copy', '--insecure-policy', `oci:${output}:v1`, `oci:${to}:v1`],
  ]);
  return Object.keys((await readImage(to)).files);
}

function noticesIn(events: readonly BuildEvent[]): readonly string[] {
  return events.flatMap((event) => (event.kind === 'notice' ? [event.message] : []));
}

function stepsIn(events: readonly BuildEvent[]): readonly string[] {
  return events.flatMap((event) => (event.kind === 'step-start' ? [event.name] : []));
}

const S390X = { os: 'linux', architecture: 's390x' };
const PPC64LE = { os: 'linux', architecture: 'ppc64le' };

/** A layout with an index over images, as `--build-context` names it. */
async function layoutOf(folder: string, images: readonly TestImage[]): Promise<string> {
  const index = makeIndex(images);
  const layout = join(folder, 'layout');
  await writeTestLayout(layout, [index.descriptor], [...images.flatMap(blobsOf), index]);
  return `oci-layout://${layout}`;
}

const BY_SYSTEM = `FROM scratch AS stage-linux
COPY foo forlinux
FROM scratch AS stage-darwin
COPY bar fordarwin
FROM scratch AS stage-windows
COPY bar forwindows
FROM stage-$TARGETOS
`;

describe('a build for several platforms', function () {
  this.timeout(60_000);

  const files = { Dockerfile: BY_SYSTEM, foo: 'data', bar: 'data2' };

  itUnless(missing('skopeo'))(
    'is one index, in the order that was asked for, for systems that nothing runs of (MP-1, MD-3)',
    async () => {
      const platforms = ['windows/amd64', 'linux/arm/v7', 'darwin/arm64', 'linux/amd64'];
      await built(files, platforms.join(','), async (image) => {
        const { result, output } = image;
        const [entry, ...rest] = await checkLayout(output);
        assert.deepEqual(rest, []);
        assert.equal(entry?.digest, result.digest);
        assert.equal(entry?.mediaType, 'application/vnd.oci.image.index.v1+json');
        const { stdout } = await run('skopeo', ['inspect', '--raw', `oci:${output}:v1`]);
        assert.equal(digestOf(Buffer.from(stdout)), result.digest);
        const { manifests } = JSON.parse(stdout) as { manifests: { platform: object }[] };
        assert.deepEqual(
          manifests.map(({ platform }) => platform),
          [
            { os: 'windows', architecture: 'amd64' },
            { os: 'linux', architecture: 'arm', variant: 'v7' },
            { os: 'darwin', architecture: 'arm64' },
            { os: 'linux', architecture: 'amd64' },
          ],
        );
        assert.deepEqual(
          manifests,
          result.platforms.map(({ descriptor }) => descriptor),
        );
        assert.deepEqual(
          result.platforms.map(({ platform }) => platform),
          platforms,
        );
        assert.equal(result.config, undefined);
        const [windows] = result.platforms;
        assert.deepEqual([windows.config.os, windows.config.architecture], ['windows', 'amd64']);
        for (const platform of platforms) {
          const expected = [`for${platform.split('/')[0]}`];
          assert.deepEqual(await filesFor(platform, image), expected, platform);
        }
        const copied = join(image.folder, 'all');
        await run('skopeo', [
          ...['copy', '--insecure-policy', '--all'],
          ...[`oci:${output}:v1`, `oci:${copied}:v1`],
        ]);
        assert.equal((await checkLayout(copied))[0]?.digest, result.digest);
      });
    },
  );

  it('is the same the next time, and runs nothing (CX-1)', async () => {
    await built(files, 'linux/arm64,linux/amd64', async ({ result, again }) => {
      const second = await again();
      assert.equal(second.digest, result.digest);
      assert.ok(
        second.steps.filter(({ name }) => name.startsWith('[')).every(({ cached }) => cached),
      );
      const swapped = await again({ platform: 'linux/amd64,linux/arm64' });
      assert.notEqual(swapped.digest, result.digest);
      const digests = result.platforms.map(({ digest }) => digest);
      assert.deepEqual(
        swapped.platforms.map(({ digest }) => digest),
        digests.toReversed(),
      );
    });
  });

  it('has for each platform the image that a build for it alone makes', async () => {
    await built(files, 'linux/arm64,darwin/amd64', async ({ again }) => {
      const sourceDateEpoch = 1_000_000_000;
      const { platforms } = await again({ sourceDateEpoch });
      for (const { platform, digest } of platforms) {
        const alone = await again({ sourceDateEpoch, platform, noCache: true });
        assert.equal(alone.digest, digest, platform);
      }
    });
  });

  it('of one is a plain manifest, unless BUILDKIT_MULTI_PLATFORM asks for an index (MP-1)', async () => {
    await built(files, 'linux/arm64,linux/arm64/v8', async ({ result, events, again }) => {
      const [only, ...others] = result.platforms;
      assert.deepEqual(others, []);
      assert.equal(only.digest, result.digest);
      assert.deepEqual(only.config, result.config);
      assert.deepEqual(stepsIn(events)[0], '[stage-linux 1/1] COPY foo forlinux');
      const index = await again({ buildArgs: { BUILDKIT_MULTI_PLATFORM: '1' } });
      assert.equal(index.platforms[0].digest, result.digest);
      assert.match(index.descriptor.mediaType, /image\.index/);
    });
  });

  it('does once what is the same for all of them, and names steps by platform (MP-5, T-36)', async () => {
    const host = hostPlatform(process.arch);
    const label = formatPlatform(host);
    const prepare = async (folder: string): Promise<Partial<BuildOptions>> => {
      const images = await Promise.all(
        [host, S390X, PPC64LE].map((platform) => makeImage({ platform })),
      );
      return { buildContexts: { base: await layoutOf(folder, images) } };
    };
    const text = [
      'FROM --platform=$BUILDPLATFORM base AS build',
      'COPY a /a',
      'ARG TARGETARCH',
      'COPY $TARGETARCH /own',
      'FROM scratch',
      'COPY --from=build /own /a /',
    ].join('\n');
    const content = { Dockerfile: text, a: 'a', s390x: 's', ppc64le: 'p' };
    await built(
      content,
      'linux/s390x,linux/ppc64le',
      async ({ events, result }) => {
        const steps = stepsIn(events).filter((name) => name.startsWith('['));
        assert.deepEqual(
          steps.map((name) => name.replace(/oci-layout:.*/, '…')).toSorted(),
          [
            `[${label} build 1/3] FROM …`,
            `[${label} build 2/3] COPY a /a`,
            `[${label}->ppc64le build 3/3] COPY $TARGETARCH /own`,
            `[${label}->s390x build 3/3] COPY $TARGETARCH /own`,
            '[linux/ppc64le stage-1 1/1] COPY --from=build /own /a /',
            '[linux/s390x stage-1 1/1] COPY --from=build /own /a /',
          ].toSorted(),
        );
        const planned = events.flatMap((event) => (event.kind === 'plan' ? event.steps : []));
        assert.equal(planned.length, steps.length);
        assert.equal(result.steps.length, steps.length + 1);
        assert.notEqual(result.platforms[0].digest, result.platforms[1]?.digest);
      },
      prepare,
    );
  });

  it('asks for each image once, and takes what is for each platform (MP-3)', async () => {
    const registry = await startRegistry();
    try {
      const images = await Promise.all(
        ['s390x', 'ppc64le', process.arch === 'arm64' ? 'arm64' : 'amd64'].map((architecture) =>
          makeImage({ platform: { os: 'linux', architecture } }),
        ),
      );
      registry.addIndex('base', '1', makeIndex(images), images);
      const base = `${registry.host}/base:1`;
      const text = `FROM --platform=$BUILDPLATFORM ${base} AS tools\nFROM ${base}\nCOPY --from=tools /file-0 /c\n`;
      await built(text, 'linux/s390x,linux/ppc64le', async ({ result, events }) => {
        const asked = registry.log.filter((line) => line.endsWith('/manifests/1'));
        assert.equal(asked.filter((line) => line.startsWith('HEAD')).length, 1);
        for (const [number, { config }] of result.platforms.entries()) {
          const own = JSON.parse(Buffer.from(images[number]?.config.bytes ?? '').toString()) as {
            rootfs: { diff_ids: readonly string[] };
          };
          assert.deepEqual(config.rootfs.diff_ids.slice(0, 2), own.rootfs.diff_ids);
        }
        const tools = stepsIn(events).filter((name) => name.includes(' tools '));
        assert.equal(tools.length, 1, tools.join('\n'));
      });
    } finally {
      await registry.close();
    }
  });

  it('says which platform a base lacks, and which it has (MP-3)', async () => {
    const image = await makeImage({ platform: S390X });
    const prepare = async (folder: string): Promise<Partial<BuildOptions>> => ({
      buildContexts: { base: await layoutOf(folder, [image]) },
    });
    await assert.rejects(
      built('FROM base\n', 'linux/s390x,linux/386,linux/riscv64', async () => {}, prepare),
      (error) => {
        assert.ok(hasCode(error, 'ERR_PLATFORM_MISSING'), String(error));
        assert.match(error.message, /^Cannot find "oci-layout:.*" for linux\/386$/);
        assert.equal(error.hint, 'It exists for linux/s390x.');
        assert.deepEqual(
          error.others.map(({ details }) => details),
          [{ reference: error.details.reference, platform: 'linux/riscv64' }],
        );
        return true;
      },
    );
  });

  it('takes a base that is one image for all, and warns once where it is another’s (MP-3)', async () => {
    const image = await makeImage({ platform: S390X });
    const prepare = async (folder: string): Promise<Partial<BuildOptions>> => {
      const layout = join(folder, 'layout');
      await writeTestLayout(layout, [image.manifest.descriptor], blobsOf(image));
      return {
        buildContexts: { base: `oci-layout://${layout}` },
        buildArgs: { UNUSED: '1' },
      };
    };
    const text = 'FROM base\nENV a=$nowhere\n';
    await built(
      text,
      'linux/s390x,linux/386',
      async ({ events, result }) => {
        assert.deepEqual(
          noticesIn(events)
            .map((message) => message.replace(/:.*/, ''))
            .toSorted(),
          [
            'InvalidBaseImagePlatform',
            'One or more build arguments were not consumed',
            'UndefinedVar',
          ],
        );
        assert.match(noticesIn(events).join('\n'), /s390x.*linux\/386/);
        assert.deepEqual(
          result.platforms.map(({ config }) => config.architecture),
          ['s390x', '386'],
        );
      },
      prepare,
    );
  });

  it('is checked, and asked what it takes, for its first platform', async () => {
    const text =
      'ARG TARGETARCH\nFROM scratch\nARG TARGETARCH\nARG X=$TARGETARCH\nCOPY a $nowhere\n';
    await inContext({ Dockerfile: text, a: '' }, async (options) => {
      const asked = { ...options, platform: 'linux/s390x,linux/386' };
      const { warnings } = await check(asked);
      assert.deepEqual(
        warnings.map(({ rule }) => rule),
        ['UndefinedVar'],
      );
      const { args } = await outline(asked);
      assert.equal(args.find(({ name }) => name === 'X')?.value, 's390x');
    });
  });

  it('names the platform in a failure, but not where all of them have it', async () => {
    const text = 'FROM scratch\nARG TARGETARCH\nCOPY $TARGETARCH /\n';
    await assert.rejects(
      built({ Dockerfile: text, s390x: '' }, 'linux/s390x,linux/386', async () => {}),
      (error) => {
        assert.ok(hasCode(error, 'ERR_SOURCE_MISSING'), String(error));
        assert.match(error.message, / \(linux\/386\)$/);
        return true;
      },
    );
    await assert.rejects(
      built(
        'FROM scratch\nCOPY --from=nowhere:bad:tag / /\n',
        'linux/s390x,linux/386',
        async () => {},
      ),
      (error) => hasCode(error, 'ERR_REFERENCE_INVALID') && !error.message.includes('(linux'),
    );
  });
});
