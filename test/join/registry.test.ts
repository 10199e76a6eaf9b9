/** What runners pushed by digest becomes one index under a tag (T-35). */

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { hasCode } from '../../src/errors.ts';
import { build, type BuildOptions, createIndex, type IndexOptions } from '../../src/index.ts';
import { checkLayout } from '../support/check.ts';
import { startDockerRegistry } from '../support/docker-registry.ts';
import { inContext } from '../support/in-context.ts';
import { itUnless, missing } from '../support/missing.ts';
import { startRegistry, type TestRegistry } from '../support/registry.ts';
import { HELPER } from '../support/sandbox.ts';

const run = promisify(execFile);
const FILES = {
  Dockerfile: 'FROM scratch\nARG TARGETARCH\nCOPY $TARGETARCH /f\n',
  s390x: '1',
  arm64: '2',
};
const BOTH = ['arm64', 's390x'];

interface Place {
  readonly folder: string;
  /** Builds in a store of its own, as a runner has one; pushes by digest unless told otherwise. */
  readonly build: (
    architectures: string,
    repository: string,
    more?: Partial<BuildOptions>,
  ) => Promise<string>;
  /** Joins in another store. */
  readonly join: (
    sources: readonly string[],
    tag: string,
    more?: Partial<IndexOptions>,
  ) => ReturnType<typeof createIndex>;
}

async function inPlace(use: (place: Place) => Promise<void>): Promise<void> {
  await inContext(FILES, async ({ context }) => {
    const folder = join(context, '..');
    await use({
      folder,
      build: async (architectures, repository, more = {}) => {
        const platform = architectures.replace(/\w+/g, 'linux/$&');
        const { digest } = await build({
          ...{ context, platform, helper: HELPER, sourceDateEpoch: 1 },
          store: join(folder, `store-${architectures}`),
          outputs: [`type=image,push=true,push-by-digest=true,name=${repository}`],
          ...more,
        });
        return `${repository}@${digest}`;
      },
      join: async (sources, tag, more = {}) =>
        await createIndex({
          ...{ store: join(folder, 'join'), sources, tags: [tag], push: true },
          ...more,
        }),
    });
  });
}

async function withRegistry(
  use: (place: Place & { readonly registry: TestRegistry }) => Promise<void>,
): Promise<void> {
  const registry = await startRegistry({ separate: true });
  try {
    await inPlace(async (place) => await use({ ...place, registry }));
  } finally {
    await registry.close();
  }
}

/** What was sent: no request that only asks. */
function writes({ log }: TestRegistry): readonly string[] {
  return log.filter((line) => !/^(?:GET|HEAD) /.test(line));
}

function lossOf(platform: string) {
  return (error: unknown): boolean => {
    assert.ok(hasCode(error, 'ERR_OUTPUT_FAILED'), String(error));
    assert.ok(error.message.endsWith(`: it is for ${platform}, too`), error.message);
    return true;
  };
}

describe('createIndex(), with registries (T-35)', function () {
  this.timeout(60_000);

  it('uploads no blob and downloads no layer where all is there, and puts the tag last', async () => {
    await withRegistry(async ({ registry, build: push, join: create }) => {
      const app = `${registry.host}/app`;
      const sources = await Promise.all(BOTH.map((each) => push(each, app)));
      registry.log.length = 0;
      const { digest } = await create(sources, `${app}:1`);
      const [first, second] = sources.map((name) => name.replace(/.*@/, ''));
      assert.deepEqual(writes(registry), [
        `PUT /v2/app/manifests/${first}`,
        `PUT /v2/app/manifests/${second}`,
        'PUT /v2/app/manifests/1',
      ]);
      // Configs say the platforms; there is one layer for each image besides.
      const got = registry.log.filter((line) => line.startsWith('GET /v2/app/blobs/'));
      assert.equal(got.length, 2, registry.log.join('\n'));
      assert.equal(registry.manifests.get('app:1')?.descriptor.digest, digest);
      const whole = await push(BOTH.join(','), app);
      assert.equal(whole, `${app}@${digest}`);
    });
  });

  it('mounts what another repository has, and copies what another registry has', async () => {
    await withRegistry(async ({ registry, build: push, join: create }) => {
      const { host } = registry;
      const sources = await Promise.all(BOTH.map((each) => push(each, `${host}/parts`)));
      registry.log.length = 0;
      const { digest } = await create(sources, `${host}/app:1`);
      const mounts = registry.requests.filter(({ url }) => /mount=.*&from=parts/.test(url));
      assert.equal(mounts.length, 4);
      assert.ok(!writes(registry).some((line) => /^(?:PATCH|PUT) .*\/blobs\//.test(line)));
      const elsewhere = await startRegistry({ separate: true });
      try {
        await create([`docker://${host}/app:1`], `${elsewhere.host}/app:1`);
        assert.equal(elsewhere.manifests.get('app:1')?.descriptor.digest, digest);
        assert.equal(elsewhere.holders.size, 4);
      } finally {
        await elsewhere.close();
      }
    });
  });

  it('leaves the tag as it is when a platform would be lost, is there twice, or is missing', async () => {
    await withRegistry(async ({ registry, folder, build: push, join: create }) => {
      const app = `${registry.host}/app`;
      const [arm64 = '', s390x = ''] = await Promise.all(BOTH.map((each) => push(each, app)));
      const tag = `${app}:1`;
      await create([arm64, s390x], tag);
      registry.log.length = 0;
      await assert.rejects(create([arm64], tag), lossOf('linux/s390x'));
      const dest = join(folder, 'arm64.tar');
      await push('arm64', app, { outputs: [`type=oci,dest=${dest}`] });
      await assert.rejects(create([arm64, dest], tag), (error) => hasCode(error, 'ERR_USAGE'));
      const platform = 'linux/arm64,linux/s390x,linux/386';
      await assert.rejects(create([arm64, s390x], tag, { platform }), (error) =>
        hasCode(error, 'ERR_PLATFORM_MISSING'),
      );
      const nothing = `${app}@sha256:${'0'.repeat(64)}`;
      await assert.rejects(create([arm64, s390x, nothing], tag), (error) =>
        hasCode(error, 'ERR_IMAGE_NOT_FOUND'),
      );
      assert.deepEqual(writes(registry), []);
      const { platforms } = await create([arm64], tag, { allowFewer: true });
      assert.equal(platforms.length, 1);
      // What is under the tag already may be one of the sources.
      assert.equal((await create([tag, s390x], tag)).platforms.length, 2);
    });
  });

  it('pushes what is in archives, and writes layouts of what is in registries', async () => {
    await withRegistry(async ({ registry, folder, build: push, join: create }) => {
      const app = `${registry.host}/app`;
      const dest = join(folder, 's390x.tar');
      await push('s390x', app, { outputs: [`type=oci,dest=${dest}`] });
      const layout = join(folder, 'layout');
      const outputs = [`type=oci,tar=false,dest=${layout}`, 'type=registry'];
      const sources = [await push('arm64', app), dest];
      const { digest } = await create(sources, `${app}:1`, { push: false, outputs });
      assert.equal(registry.manifests.get('app:1')?.descriptor.digest, digest);
      assert.equal((await checkLayout(layout))[0]?.digest, digest);
    });
  });

  it('takes the attestations along (ATT-3)', async () => {
    await withRegistry(async ({ registry, build: push, join: create }) => {
      const app = `${registry.host}/app`;
      const attested = { provenance: 'true' };
      const sources = await Promise.all(BOTH.map((each) => push(each, app, attested)));
      registry.log.length = 0;
      const { digest, platforms } = await create(sources, `${app}:1`);
      assert.equal(platforms.length, 2);
      assert.ok(!writes(registry).some((line) => line.includes('/blobs/')));
      const bytes = registry.manifests.get('app:1')?.bytes ?? Buffer.alloc(0);
      const { manifests } = JSON.parse(Buffer.from(bytes).toString()) as {
        manifests: readonly { readonly digest: string; readonly annotations?: object }[];
      };
      assert.equal(manifests.length, 4);
      assert.equal(manifests.filter(({ annotations }) => annotations !== undefined).length, 2);
      for (const child of manifests) assert.ok(registry.manifests.has(`app@${child.digest}`));
      assert.equal(registry.manifests.get('app:1')?.descriptor.digest, digest);
    });
  });

  it('refuses a digest without a name, and a push without one', async () => {
    const asked = { tags: [], push: true };
    await assert.rejects(createIndex({ sources: ['a.tar'], ...asked }), (error) =>
      hasCode(error, 'ERR_USAGE'),
    );
    await inPlace(async ({ join: create }) => {
      await assert.rejects(create([`sha256:${'0'.repeat(64)}`], 'localhost:1/a:1'), (error) => {
        assert.ok(hasCode(error, 'ERR_USAGE'), String(error));
        assert.match(error.hint ?? '', /"NAME@DIGEST"/);
        return true;
      });
    });
  });

  itUnless(missing('docker-registry', 'skopeo'))(
    "is a command, and Debian's docker-registry and skopeo take what it pushes",
    async () => {
      await inPlace(async ({ folder, build: push }) => {
        const registry = await startDockerRegistry(folder);
        try {
          const app = `${registry.address}/app`;
          const sources = await Promise.all(BOTH.map((each) => push(each, app)));
          // As it is published: in bundles, packages are not what they are in sources.
          const cli = join(import.meta.dirname, '../../dist/cli.js');
          const argv = [cli, 'index', 'create', '-q', '-t', `${app}:1`, '--push'];
          const env = { ...process.env, TSBUILD_STORE: join(folder, 'join') };
          const { stdout } = await run(process.execPath, [...argv, ...sources], { env });
          const whole = await push(BOTH.join(','), app);
          assert.equal(`${whole}\n`, `${app}@${stdout}`);
          const inspect = ['inspect', '--tls-verify=false', '--raw'];
          const raw = async (name: string): Promise<string> =>
            (await run('skopeo', [...inspect, `docker://${name}`])).stdout;
          const before = await raw(`${app}:1`);
          assert.equal(before, await raw(whole));
          const few = run(process.execPath, [...argv, sources[0] ?? ''], { env });
          await assert.rejects(few, /it is for linux\/s390x, too/);
          assert.equal(await raw(`${app}:1`), before);
          const copied = join(folder, 'copied');
          const copy = ['copy', '--insecure-policy', '--all', '--src-tls-verify=false'];
          await run('skopeo', [...copy, `docker://${app}:1`, `oci:${copied}:1`]);
          assert.equal(`${(await checkLayout(copied))[0]?.digest}\n`, stdout);
        } finally {
          await registry.close();
        }
      });
    },
  );
});
