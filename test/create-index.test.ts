/** Images that were built apart become one index (T-35). */

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readdir, readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { hasCode } from '../src/errors.ts';
import { build, createIndex, type IndexOptions } from '../src/index.ts';
import { MEDIA_TYPE } from '../src/oci/descriptor.ts';
import { parseDiffID } from '../src/oci/digest.ts';
import { encodeConfig, encodeManifest } from '../src/oci/image.ts';
import { checkLayout } from './support/check.ts';
import { blob, blobsOf, makeImage, makeIndex, writeTestLayout } from './support/image.ts';
import { inContext } from './support/in-context.ts';
import { itUnless, missing } from './support/missing.ts';
import { HELPER } from './support/sandbox.ts';

const run = promisify(execFile);
const FILES = {
  Dockerfile: 'FROM scratch\nARG TARGETARCH\nCOPY $TARGETARCH /f\n',
  s390x: '1',
  arm64: '2',
  ppc64le: '3',
};

interface Parts {
  readonly folder: string;
  /** An image for one platform or more: a layout, or an archive if the path ends with `.tar`. */
  readonly part: (architectures: string, name: string) => Promise<string>;
  /** Joins parts; into the layout `joined` unless told otherwise. */
  readonly join: (
    sources: readonly string[],
    more?: Partial<IndexOptions>,
  ) => ReturnType<typeof createIndex>;
  readonly joined: string;
}

async function withParts(use: (parts: Parts) => Promise<void>): Promise<void> {
  await inContext(FILES, async ({ context, store = '' }) => {
    const folder = join(context, '..');
    const joined = join(folder, 'joined');
    await use({
      ...{ folder, joined },
      part: async (architectures, name) => {
        const dest = join(folder, name);
        const platform = architectures
          .split(',')
          .map((each) => `linux/${each}`)
          .join(',');
        await build({
          ...{ context, store, platform, helper: HELPER, sourceDateEpoch: 1, tags: ['part:1'] },
          outputs: [`type=oci,tar=${name.endsWith('.tar')},dest=${dest}`],
        });
        return dest;
      },
      join: async (sources, more = {}) =>
        await createIndex({
          ...{ store, sources, tags: ['app:v1'] },
          outputs: [`type=oci,tar=false,dest=${joined}`],
          ...more,
        }),
    });
  });
}

describe('createIndex() (T-35)', function () {
  this.timeout(60_000);

  it('joins layouts, archives and indexes into what one build for all of them makes', async () => {
    await withParts(async ({ part, join: create, joined }) => {
      const sources = [await part('arm64', 'a'), await part('s390x', 'b.tar')];
      const { digest, platforms } = await create([...sources, await part('ppc64le', 'c')]);
      assert.deepEqual(
        platforms.map(({ platform }) => platform),
        ['linux/arm64', 'linux/s390x', 'linux/ppc64le'],
      );
      const entries = await checkLayout(joined);
      assert.deepEqual(
        entries.map((entry) => entry.digest),
        [digest],
      );
      const whole = await part('arm64,s390x,ppc64le', 'whole');
      assert.equal((await checkLayout(whole))[0]?.digest, digest);
      const pair = await part('arm64,s390x', 'pair.tar');
      const again = await create([pair, `${await part('ppc64le', 'c')}:1`]);
      assert.equal(again.digest, digest);
    });
  });

  it('has the platforms that it is told to have, in that order, or is not made', async () => {
    await withParts(async ({ part, join: create, joined, folder }) => {
      const sources = [await part('arm64', 'a.tar'), await part('s390x', 'b.tar')];
      const before = await readdir(folder);
      await assert.rejects(create(sources, { platform: 'linux/s390x,linux/386' }), (error) => {
        // Which is there and was not named comes first: it would be lost.
        return hasCode(error, 'ERR_USAGE') && /linux\/arm64/.test(error.message);
      });
      const platform = 'linux/s390x,linux/arm64,linux/386';
      await assert.rejects(create(sources, { platform }), (error) => {
        assert.ok(hasCode(error, 'ERR_PLATFORM_MISSING'), String(error));
        assert.match(error.message, /^Cannot find an image for linux\/386 in /);
        assert.equal(error.hint, 'The sources have linux/arm64, linux/s390x.');
        return true;
      });
      assert.deepEqual(await readdir(folder), before);
      const { platforms } = await create(sources, { platform: 'linux/s390x,linux/arm64' });
      assert.deepEqual(
        platforms.map((each) => each.platform),
        ['linux/s390x', 'linux/arm64'],
      );
      await checkLayout(joined);
    });
  });

  it('refuses two images for one platform', async () => {
    await withParts(async ({ part, join: create }) => {
      const sources = [await part('arm64,s390x', 'a'), await part('s390x', 'b.tar')];
      await assert.rejects(create(sources), (error) => {
        assert.ok(hasCode(error, 'ERR_USAGE'), String(error));
        assert.match(error.message, /two images for linux\/s390x: ".*\/a" and ".*\/b\.tar"/);
        return true;
      });
    });
  });

  for (const output of ['layout', 'archive']) {
    it(`refuses to replace an image that has more platforms, in the ${output}, unless told`, async () => {
      await withParts(async ({ part, join: create, folder }) => {
        const [a, b] = [await part('arm64', 'a'), await part('s390x', 'b')];
        const dest = join(folder, 'out');
        const more = { outputs: [`type=oci,tar=${output === 'archive'},dest=${dest}`] };
        await create([a, b], more);
        const file = output === 'archive' ? dest : join(dest, 'index.json');
        const before = await readFile(file);
        await assert.rejects(create([a], more), (error) => {
          assert.ok(hasCode(error, 'ERR_OUTPUT_FAILED'), String(error));
          assert.match(error.message, /: it is for linux\/s390x, too$/);
          return true;
        });
        assert.deepEqual(await readFile(file), before);
        if (output === 'layout') await create([a], { ...more, tags: ['other:v1'] });
        const { platforms } = await create([a], { ...more, allowFewer: true });
        assert.equal(platforms.length, 1);
        assert.notDeepEqual(await readFile(file), before);
      });
    });
  }

  it('writes nothing when a source is damaged, or none', async () => {
    await withParts(async ({ part, join: create, folder }) => {
      const [a, b] = [await part('arm64', 'a'), await part('s390x', 'b.tar')];
      const blobs = join(a, 'blobs/sha256');
      const sizes = await Promise.all(
        (await readdir(blobs)).map(
          async (name) => [(await readFile(join(blobs, name))).length, name] as const,
        ),
      );
      const layer = sizes.toSorted(([x], [y]) => x - y)[0]?.[1] ?? '';
      const before = (await readdir(folder)).toSorted();
      await truncate(join(blobs, layer), 10);
      await assert.rejects(create([b, a]), (error) => {
        assert.ok(hasCode(error, 'ERR_IMAGE_INVALID'), String(error));
        return true;
      });
      await writeFile(b, 'no archive');
      await assert.rejects(create([b]), (error) => hasCode(error, 'ERR_IMAGE_INVALID'));
      await assert.rejects(create([join(folder, 'nothing')]), (error) =>
        hasCode(error, 'ERR_IMAGE_NOT_FOUND'),
      );
      assert.deepEqual((await readdir(folder)).toSorted(), before);
    });
  });

  it('keeps attestations, after the images (ATT-3)', async () => {
    await withParts(async ({ part, join: create, folder, joined }) => {
      const image = await makeImage({ platform: { os: 'linux', architecture: 's390x' } });
      const statement = blob('application/vnd.in-toto+json', Buffer.from('{}'));
      const config = blob(
        MEDIA_TYPE.config,
        encodeConfig({
          ...{ os: 'unknown', architecture: 'unknown', config: {}, history: [] },
          rootfs: { type: 'layers', diff_ids: [parseDiffID(statement.descriptor.digest)] },
        }),
      );
      const layers = [statement.descriptor];
      const about = blob(
        MEDIA_TYPE.manifest,
        encodeManifest({ schemaVersion: 2, config: config.descriptor, layers }),
      );
      const descriptor = {
        ...about.descriptor,
        annotations: {
          'vnd.docker.reference.type': 'attestation-manifest',
          'vnd.docker.reference.digest': image.manifest.descriptor.digest,
        },
        platform: { os: 'unknown', architecture: 'unknown' },
      };
      const index = makeIndex([image], [descriptor]);
      const layout = join(folder, 'attested');
      const blobs = [...blobsOf(image), index, statement, config, about];
      await writeTestLayout(layout, [index.descriptor], blobs);
      const { platforms } = await create([layout, await part('arm64', 'a')]);
      assert.equal(platforms.length, 2);
      const [entry] = await checkLayout(joined);
      const bytes = await readFile(join(joined, 'blobs', entry?.digest.replace(':', '/') ?? ''));
      const { manifests } = JSON.parse(bytes.toString()) as { manifests: readonly object[] };
      assert.deepEqual(manifests, [...platforms.map((each) => each.descriptor), descriptor]);
    });
  });

  it('takes only outputs that keep the images as they are', async () => {
    await withParts(async ({ join: create }) => {
      for (const output of ['type=docker', 'type=oci,dest=x,compression=zstd']) {
        await assert.rejects(create(['a'], { outputs: [output] }), (error) =>
          hasCode(error, 'ERR_UNSUPPORTED'),
        );
      }
      for (const more of [{ outputs: [] }, { sources: [] }]) {
        await assert.rejects(create(['a'], more), (error) => hasCode(error, 'ERR_USAGE'));
      }
    });
  });

  itUnless(missing('skopeo'))('is a command, and skopeo takes what it writes', async () => {
    await withParts(async ({ part, folder }) => {
      const sources = [await part('arm64', 'a.tar'), await part('s390x', 'b.tar')];
      const dest = join(folder, 'out.tar');
      // As it is published: in bundles, packages are not what they are in sources.
      const cli = join(import.meta.dirname, '../dist/cli.js');
      const flags = ['index', 'create', '-q', '-t', 'app:v1', '-o', `type=oci,dest=${dest}`];
      const env = { ...process.env, TSBUILD_STORE: join(folder, 'store') };
      const { stdout } = await run(process.execPath, [cli, ...flags, ...sources], { env });
      const copied = join(folder, 'copied');
      const copy = ['copy', '--insecure-policy', '--all'];
      await run('skopeo', [...copy, `oci-archive:${dest}:v1`, `oci:${copied}:v1`]);
      assert.equal(`${(await checkLayout(copied))[0]?.digest}\n`, stdout);
    });
  });
});
