import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { statSync } from 'node:fs';
import { link, mkdir, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { hasCode } from '../../src/errors.ts';
import { hexOf } from '../../src/oci/digest.ts';
import { type ExportResult, writeLayout } from '../../src/export/index.ts';
import { layoutSource } from '../../src/registry/index.ts';
import { checkLayout } from '../support/check.ts';
import { blobsOf, makeExport, makeIndexExport } from '../support/export-image.ts';
import { makeImage, writeTestLayout } from '../support/image.ts';
import { itUnless, missing } from '../support/missing.ts';
import { withDirectory } from '../support/temporary.ts';

const run = promisify(execFile);
const signal = new AbortController().signal;

function refused(error: unknown): boolean {
  assert.ok(hasCode(error, 'ERR_OUTPUT_FAILED'), String(error));
  return true;
}

/** Every file below a directory. */
async function listing(directory: string): Promise<readonly string[]> {
  return (await readdir(directory, { recursive: true })).sort();
}

async function withImage(
  use: (directory: string, image: ExportResult) => Promise<void>,
  names: readonly string[] = ['user/app:v1'],
): Promise<void> {
  await withDirectory(async (directory) => {
    const store = join(directory, 'store');
    await mkdir(store);
    await use(directory, await makeExport(store, { names }));
  });
}

async function withIndex(
  use: (directory: string, result: ExportResult) => Promise<void>,
): Promise<void> {
  await withDirectory(async (directory) => {
    const store = join(directory, 'store');
    await mkdir(store);
    const platforms = ['arm64', 'amd64'].map((architecture) => ({ os: 'linux', architecture }));
    await use(directory, await makeIndexExport(store, { names: ['app:v1'], platforms }));
  });
}

/** Why there is no file system but that of temporary files. */
function whyNoOtherFilesystem(): string | undefined {
  const other = statSync('/dev/shm', { throwIfNoEntry: false });
  const isThere = other !== undefined && other.dev !== statSync(tmpdir()).dev;
  return isThere ? undefined : '/dev/shm is no file system of its own';
}

describe('writeLayout()', () => {
  it('writes a layout that is valid and reads back as the same image', () =>
    withImage(async (directory, image) => {
      const target = join(directory, 'new/layout');
      await writeLayout(target, image, { signal });
      const [entry, ...rest] = await checkLayout(target);
      assert.deepEqual(rest, []);
      assert.deepEqual(entry, {
        ...image.descriptor,
        annotations: {
          'io.containerd.image.name': 'docker.io/user/app:v1',
          'org.opencontainers.image.ref.name': 'v1',
        },
      });
      const platform = { os: 'linux', architecture: 'amd64' };
      const pulled = await layoutSource({ directory: target, tag: 'v1' }).resolve(platform, signal);
      assert.deepEqual(pulled.configBytes, Buffer.from(image.images[0]?.config ?? ''));
    }));

  it('has an index as one entry, and every image of it under it, in order (MP-1)', () =>
    withIndex(async (directory, result) => {
      const target = join(directory, 'out');
      await writeLayout(target, result, { signal });
      const [entry, ...rest] = await checkLayout(target);
      assert.deepEqual(rest, []);
      assert.equal(entry?.digest, result.descriptor.digest);
      assert.equal(entry?.platform, undefined);
      for (const { platform, config } of result.images) {
        const source = layoutSource({ directory: target, tag: 'v1' });
        const pulled = await source.resolve(platform, signal);
        assert.deepEqual(pulled.configBytes, Buffer.from(config));
      }
    }));

  it('links the blobs instead of copying them', () =>
    withImage(async (directory, image) => {
      await writeLayout(join(directory, 'out'), image, { signal });
      for (const { descriptor, path } of blobsOf(image)) {
        const written = await stat(join(directory, 'out/blobs/sha256', hexOf(descriptor.digest)));
        assert.equal(written.ino, (await stat(path)).ino);
      }
    }));

  itUnless(whyNoOtherFilesystem())('copies blobs from another file system', async () => {
    const store = join('/dev/shm', `tsbuild-test-${process.pid}`);
    await mkdir(store);
    try {
      await withDirectory(async (directory) => {
        const image = await makeExport(store, { names: [] });
        await writeLayout(join(directory, 'out'), image, { signal });
        await checkLayout(join(directory, 'out'));
      });
    } finally {
      await rm(store, { recursive: true });
    }
  });

  it('has one entry for each name, and the time only when there is one (TAR-2, TAR-3)', () =>
    withImage(
      async (directory, image) => {
        const created = new Date('2024-05-06T07:08:09.123Z');
        await writeLayout(join(directory, 'out'), image, { created, signal });
        const entries = await checkLayout(join(directory, 'out'));
        assert.deepEqual(
          entries.map((entry) => entry.annotations),
          [
            {
              'io.containerd.image.name': 'docker.io/library/app:latest',
              'org.opencontainers.image.created': '2024-05-06T07:08:09Z',
              'org.opencontainers.image.ref.name': 'latest',
            },
            {
              'io.containerd.image.name': 'ghcr.io/app:v2',
              'org.opencontainers.image.created': '2024-05-06T07:08:09Z',
              'org.opencontainers.image.ref.name': 'v2',
            },
          ],
        );
      },
      ['app', 'ghcr.io/app:v2'],
    ));

  it('has one entry without annotations for an image without a name', () =>
    withImage(async (directory, image) => {
      await writeLayout(join(directory, 'out'), image, { signal });
      const entries = await checkLayout(join(directory, 'out'));
      assert.deepEqual(entries, [image.descriptor]);
    }, []));

  it('adds to a layout: replaces its own tag, keeps the others as they were', () =>
    withImage(async (directory, image) => {
      const target = join(directory, 'out');
      const other = await makeImage({ layers: 1 });
      const foreign = {
        ...other.manifest.descriptor,
        annotations: { 'org.opencontainers.image.ref.name': 'other' },
        artifactType: 'kept',
      };
      await writeTestLayout(target, [foreign], [...other.layers, other.config, other.manifest]);
      await writeLayout(target, image, { signal });
      const next = await makeExport(join(directory, 'store'), { names: ['user/app:v1'] });
      await writeLayout(target, next, { signal });
      await writeLayout(target, next, { signal });
      const entries = await checkLayout(target);
      assert.equal(entries.length, 2);
      assert.deepEqual(entries[0], foreign);
      assert.equal(entries[1]?.digest, next.descriptor.digest);
    }));

  it('puts an image without a name in the place of the last one', () =>
    withImage(async (directory, image) => {
      const target = join(directory, 'out');
      await writeLayout(target, image, { signal });
      await writeLayout(target, await makeExport(join(directory, 'store'), {}), { signal });
      assert.equal((await checkLayout(target)).length, 1);
    }, []));

  it('fills an empty directory, and mends a blob of the wrong size', () =>
    withImage(async (directory, image) => {
      const target = join(directory, 'out');
      await mkdir(target);
      await writeLayout(target, image, { signal });
      const [blob] = blobsOf(image);
      assert.ok(blob);
      const path = join(target, 'blobs/sha256', hexOf(blob.descriptor.digest));
      await rm(path);
      await writeFile(path, 'half');
      await writeLayout(target, image, { signal });
      await checkLayout(target);
    }));

  it('refuses a directory that is no layout, and a file', () =>
    withImage(async (directory, image) => {
      await writeFile(join(directory, 'file'), 'mine');
      await mkdir(join(directory, 'full'));
      await link(join(directory, 'file'), join(directory, 'full/file'));
      const before = await listing(directory);
      for (const name of ['file', 'full', 'file/below']) {
        await assert.rejects(writeLayout(join(directory, name), image, { signal }), refused);
      }
      assert.deepEqual(await listing(directory), before);
      assert.equal(await readFile(join(directory, 'file'), 'utf8'), 'mine');
    }));

  for (const state of ['missing', 'empty', 'layout']) {
    it(`leaves nothing behind in a ${state} directory when a blob is missing or cut short`, () =>
      withImage(async (directory, image) => {
        const target = join(directory, state === 'missing' ? 'a/b/out' : 'out');
        if (state === 'empty') await mkdir(target);
        if (state === 'layout') await writeTestLayout(target, [], []);
        const last = blobsOf(image).at(-1);
        assert.ok(last);
        await writeFile(last.path, 'half');
        const before = await listing(directory);
        await assert.rejects(writeLayout(target, image, { signal }), refused);
        assert.deepEqual(await listing(directory), before);
        await rm(last.path);
        await assert.rejects(writeLayout(target, image, { signal }), refused);
        assert.deepEqual(
          await listing(directory),
          before.filter((name) => join(directory, name) !== last.path),
        );
      }));

    it(`leaves nothing behind in a ${state} directory when aborted`, () =>
      withImage(async (directory, image) => {
        const target = join(directory, 'out');
        if (state === 'empty') await mkdir(target);
        if (state === 'layout') await writeTestLayout(target, [], []);
        const before = await listing(directory);
        const reason = new Error('enough');
        const aborted = AbortSignal.abort(reason);
        const is = (error: unknown): boolean => error === reason;
        await assert.rejects(writeLayout(target, image, { signal: aborted }), is);
        assert.deepEqual(await listing(directory), before);
        const controller = new AbortController();
        const writing = writeLayout(target, image, { signal: controller.signal });
        setTimeout(() => controller.abort(reason), 1);
        // Whoever is faster: it is there in whole, or not at all.
        const done = await writing.then(
          () => true,
          (error: unknown) => !is(error),
        );
        if (done) await checkLayout(target);
        else assert.deepEqual(await listing(directory), before);
      }));
  }

  it('follows a link to a layout', () =>
    withImage(async (directory, image) => {
      await mkdir(join(directory, 'real'));
      await symlink('real', join(directory, 'out'));
      await writeLayout(join(directory, 'out'), image, { signal });
      await checkLayout(join(directory, 'real'));
    }));

  itUnless(missing('skopeo'))('is accepted by skopeo', async () => {
    await withImage(async (directory, image) => {
      await writeLayout(join(directory, 'out'), image, { signal });
      const { stdout } = await run('skopeo', ['inspect', `oci:${directory}/out:v1`]);
      const found = JSON.parse(stdout) as { Digest: string; Layers: readonly string[] };
      assert.equal(found.Digest, image.descriptor.digest);
      await run('skopeo', [
        'copy',
        '--insecure-policy',
        `oci:${directory}/out:v1`,
        `oci:${directory}/copy:v1`,
      ]);
      await checkLayout(join(directory, 'copy'));
    });
  }).timeout(120_000);
});
