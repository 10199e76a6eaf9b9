/** Layers of bases that nobody needs here are not downloaded, wherever the image goes (LAY-6, T-25). */

import assert from 'node:assert/strict';
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { build, type BuildOptions, push } from '../../src/index.ts';
import { inContext } from '../support/in-context.ts';
import { blobsOf, makeImage, type TestImage } from '../support/image.ts';
import { startRegistry, type TestRegistry } from '../support/registry.ts';
import { HELPER } from '../support/sandbox.ts';

interface Place {
  /** Has the base as `base:1`, and only there. */
  readonly registry: TestRegistry;
  readonly other: TestRegistry;
  readonly base: TestImage;
  readonly options: BuildOptions & { readonly context: string; readonly store: string };
}

async function withBase(text: string, use: (place: Place) => Promise<void>): Promise<void> {
  const registry = await startRegistry({ separate: true });
  const other = await startRegistry({ separate: true });
  try {
    const base = await makeImage();
    registry.add('base', '1', base);
    for (const { descriptor } of blobsOf(base)) {
      registry.holders.set(descriptor.digest, new Set(['base']));
    }
    const files = { Dockerfile: `FROM ${registry.host}/base:1\n${text}`, a: 'a' };
    await inContext(files, async ({ store = '', ...context }) => {
      await use({ registry, other, base, options: { ...context, store, helper: HELPER } });
    });
  } finally {
    await registry.close();
    await other.close();
  }
}

/** How often a layer of the base was asked for by a method, and no other request of that kind. */
function asked({ log }: TestRegistry, base: TestImage, method: string): number {
  const layers = base.layers.map(({ descriptor }) => descriptor.digest);
  return log.filter((line) => line.startsWith(method) && layers.some((it) => line.endsWith(it)))
    .length;
}

function count({ log }: TestRegistry, start: string): number {
  return log.filter((line) => line.startsWith(start)).length;
}

function isWhole(registry: TestRegistry, repository: string, base: TestImage): boolean {
  return (
    registry.manifests.has(`${repository}:1`) &&
    base.layers.every(({ descriptor: { digest } }) => registry.holders.get(digest)?.has(repository))
  );
}

describe('a base whose layers are not needed', () => {
  it('is mounted by its registry, and nothing of it is downloaded', () =>
    withBase('ENV A=b\n', async ({ registry, base, options }) => {
      await build({ ...options, tags: [`${registry.host}/app:1`], push: true });
      assert.ok(isWhole(registry, 'app', base));
      assert.equal(asked(registry, base, 'GET'), 0);
      // Two mounts, and an upload of the config.
      assert.equal(count(registry, 'POST /v2/app/blobs/uploads/'), 3);
      assert.equal(count(registry, 'PUT /v2/app/blobs/uploads/'), 1);
    }));

  it('is only asked for where it is there already', () =>
    withBase('ENV A=b\n', async ({ registry, other, base, options }) => {
      for (const { descriptor, bytes } of base.layers) {
        other.blobs.set(descriptor.digest, bytes);
        other.holders.set(descriptor.digest, new Set(['app']));
      }
      await build({ ...options, tags: [`${other.host}/app:1`], push: true });
      assert.ok(isWhole(other, 'app', base));
      assert.equal(asked(registry, base, 'GET'), 0);
      assert.equal(asked(other, base, 'HEAD'), base.layers.length);
      assert.equal(count(other, 'POST '), 1);
    }));

  it('is downloaded once for another registry, which gets it', () =>
    withBase('ENV A=b\n', async ({ registry, other, base, options }) => {
      const tags = ['app', 'app2'].map((name) => `${other.host}/${name}:1`);
      await build({ ...options, tags, push: true });
      assert.ok(isWhole(other, 'app', base));
      assert.ok(isWhole(other, 'app2', base));
      assert.equal(asked(registry, base, 'GET'), base.layers.length);
    }));

  it('is left where it is by a build without outputs, and comes with a later push', () =>
    withBase('ENV A=b\n', async ({ registry, other, base, options }) => {
      const names = [`${registry.host}/app:1`, `${other.host}/app:1`];
      const { digest } = await build({ ...options, tags: names });
      assert.equal(asked(registry, base, 'GET'), 0);
      for (const name of names) {
        assert.equal((await push({ name, store: options.store })).digest, digest);
      }
      assert.ok(isWhole(registry, 'app', base));
      assert.ok(isWhole(other, 'app', base));
      assert.equal(asked(registry, base, 'GET'), base.layers.length);
    }));

  it('is downloaded for a layout', () =>
    withBase('ENV A=b\n', async ({ registry, base, options }) => {
      const dest = join(options.context, '../image');
      await build({ ...options, outputs: [`type=oci,tar=false,dest=${dest}`] });
      const names = await readdir(join(dest, 'blobs/sha256'));
      for (const { descriptor } of base.layers)
        assert.ok(names.includes(descriptor.digest.slice('sha256:'.length)));
      assert.equal(asked(registry, base, 'GET'), base.layers.length);
    }));

  it('is not downloaded again for a COPY, whose destination its indexes tell', () =>
    withBase('COPY a /a\n', async ({ registry, base, options }) => {
      await build(options);
      for (const { descriptor } of base.layers) {
        const { digest } = descriptor;
        await rm(join(options.store, 'v1/blobs/sha256', digest.slice('sha256:'.length)));
      }
      registry.log.length = 0;
      const copied = { buildArgs: { SOURCE_DATE_EPOCH: '1' }, noCache: true };
      await build({ ...options, ...copied, tags: [`${registry.host}/app:1`], push: true });
      assert.ok(isWhole(registry, 'app', base));
      assert.equal(asked(registry, base, 'GET'), 0);
    }));
});
