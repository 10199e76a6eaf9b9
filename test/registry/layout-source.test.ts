import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type ErrorCode, hasCode } from '../../src/errors.ts';
import type { Descriptor } from '../../src/oci/descriptor.ts';
import { digestOf, hexOf } from '../../src/oci/digest.ts';
import type { Platform } from '../../src/oci/platform.ts';
import { layoutSource, parseLayoutLocation, type PulledImage } from '../../src/registry/index.ts';
import {
  blobsOf,
  makeImage,
  makeIndex,
  type TestBlob,
  type TestImage,
  writeTestLayout,
} from '../support/image.ts';
import { withDirectory } from '../support/temporary.ts';

const AMD64: Platform = { os: 'linux', architecture: 'amd64' };
const ARM64: Platform = { os: 'linux', architecture: 'arm64' };
const signal = new AbortController().signal;

function tagged({ descriptor }: TestBlob, tag: string): Descriptor {
  return { ...descriptor, annotations: { 'org.opencontainers.image.ref.name': tag } };
}

function resolve(directory: string, suffix = '', platform = AMD64): Promise<PulledImage> {
  const location = parseLayoutLocation(`oci-layout://${directory}${suffix}`);
  assert.ok(location);
  return layoutSource(location).resolve(platform, signal);
}

function code(expected: ErrorCode): (error: unknown) => boolean {
  return (error) => {
    assert.ok(hasCode(error, expected), String(error));
    return true;
  };
}

async function twoImages(directory: string): Promise<readonly [TestImage, TestImage]> {
  const images = [await makeImage(), await makeImage()] as const;
  const [a, b] = images;
  const entries = [tagged(a.manifest, 'one'), tagged(b.manifest, 'latest')];
  await writeTestLayout(directory, entries, images.flatMap(blobsOf));
  return images;
}

describe('layoutSource().resolve()', () => {
  it('finds images by tag, by digest, and the latest', () =>
    withDirectory(async (directory) => {
      const [a, b] = await twoImages(directory);
      const digest = a.manifest.descriptor.digest;
      assert.equal((await resolve(directory, ':one')).root, digest);
      assert.equal((await resolve(directory, `@${digest}`)).root, digest);
      assert.equal((await resolve(directory, `:latest@${digest}`)).root, digest);
      assert.equal((await resolve(directory)).root, b.manifest.descriptor.digest);
    }));

  it('takes the only image there is, whatever its tag', () =>
    withDirectory(async (directory) => {
      const image = await makeImage();
      const entries = [tagged(image.manifest, 'a'), tagged(image.manifest, 'b')];
      await writeTestLayout(directory, entries, blobsOf(image));
      const pulled = await resolve(directory);
      assert.equal(pulled.root, image.manifest.descriptor.digest);
      assert.deepEqual(pulled.configBytes, Buffer.from(image.config.bytes));
    }));

  it('chooses the platform, from an index or from entries without names', () =>
    withDirectory(async (directory) => {
      const images = [await makeImage(), await makeImage({ platform: ARM64 })];
      const index = makeIndex(images);
      const blobs = images.flatMap(blobsOf);
      const wanted = images[1]?.manifest.descriptor.digest;
      await writeTestLayout(join(directory, 'a'), [index.descriptor], [...blobs, index]);
      assert.equal((await resolve(join(directory, 'a'), '', ARM64)).descriptor.digest, wanted);
      const entries = images.map((image) => image.manifest.descriptor);
      await writeTestLayout(join(directory, 'b'), entries, blobs);
      assert.equal((await resolve(join(directory, 'b'), '', ARM64)).descriptor.digest, wanted);
    }));

  it('fails with ERR_IMAGE_NOT_FOUND, and names the tags there are', () =>
    withDirectory(async (directory) => {
      await twoImages(directory);
      await assert.rejects(resolve(directory, ':two'), (error) => {
        assert.ok(hasCode(error, 'ERR_IMAGE_NOT_FOUND'));
        assert.equal(error.hint, 'The layout has: one, latest.');
        return true;
      });
      await assert.rejects(resolve(join(directory, 'none')), code('ERR_IMAGE_NOT_FOUND'));
    }));

  it('rejects documents that are not what their descriptors say', () =>
    withDirectory(async (directory) => {
      const image = await makeImage();
      await writeTestLayout(directory, [image.manifest.descriptor], blobsOf(image));
      const path = join(directory, 'blobs/sha256', hexOf(image.config.descriptor.digest));
      await writeFile(path, Buffer.from(image.config.bytes).fill(32, 0, 1));
      await assert.rejects(resolve(directory), code('ERR_DIGEST_MISMATCH'));
      await writeFile(path, Buffer.alloc(17 * 1024 * 1024));
      await assert.rejects(resolve(directory), code('ERR_IMAGE_INVALID'));
      await rm(path);
      await assert.rejects(resolve(directory), code('ERR_IMAGE_NOT_FOUND'));
    }));
});

describe('layoutSource().fetchBlob()', () => {
  it('copies a blob, verified, to a file of its own', () =>
    withDirectory(async (directory) => {
      const [image] = await twoImages(directory);
      const [layer] = image.layers;
      assert.ok(layer);
      const source = layoutSource({ directory });
      const to = join(directory, 'copy');
      const controller = new AbortController();
      await source.fetchBlob(layer.descriptor, to, controller.signal);
      assert.deepEqual(await readFile(to), Buffer.from(layer.bytes));
      assert.equal((await stat(to)).nlink, 1);
      assert.equal(getEventListeners(controller.signal, 'abort').length, 0);
      await assert.rejects(
        source.fetchBlob(layer.descriptor, to, signal),
        code('ERR_STORE_UNUSABLE'),
      );
    }));

  it('leaves no file when the blob is damaged, missing, or the signal aborted', () =>
    withDirectory(async (directory) => {
      const [image] = await twoImages(directory);
      const [a, b] = image.layers;
      assert.ok(a && b);
      const before = await readdir(directory);
      const source = layoutSource({ directory });
      const fetch = (layer: TestBlob, stop = signal): Promise<void> =>
        source.fetchBlob(layer.descriptor, join(directory, 'copy'), stop);
      const pathOf = (layer: TestBlob): string =>
        join(directory, 'blobs/sha256', hexOf(layer.descriptor.digest));
      await writeFile(pathOf(a), Buffer.from(a.bytes).fill(0, 20));
      await assert.rejects(fetch(a), code('ERR_DIGEST_MISMATCH'));
      await rm(pathOf(a));
      await assert.rejects(fetch(a), code('ERR_IMAGE_NOT_FOUND'));
      const reason = new Error('enough');
      await assert.rejects(fetch(b, AbortSignal.abort(reason)), (error) => error === reason);
      assert.deepEqual(await readdir(directory), before);
    }));
});

describe('parseLayoutLocation()', () => {
  const digest = digestOf('x');
  const locations = [
    ['oci-layout:///a/b', { directory: '/a/b' }],
    ['oci-layout://a/b:v1', { directory: 'a/b', tag: 'v1' }],
    ['oci-layout:a', { directory: 'a' }],
    ['oci-layout:///a:b/c', { directory: '/a:b/c' }],
    [`oci-layout:///a@${digest}`, { directory: '/a', digest }],
    [`oci-layout:///a:v1@${digest}`, { directory: '/a', tag: 'v1', digest }],
    ['docker-image://alpine', undefined],
    ['./oci-layout', undefined],
  ] as const;
  for (const [text, expected] of locations) {
    it(`reads "${text}"`, () => assert.deepEqual(parseLayoutLocation(text), expected));
  }

  for (const text of ['oci-layout://', 'oci-layout:///a@latest', 'oci-layout:///a@']) {
    it(`rejects "${text}"`, () => {
      assert.throws(() => parseLayoutLocation(text), code('ERR_REFERENCE_INVALID'));
    });
  }
});
