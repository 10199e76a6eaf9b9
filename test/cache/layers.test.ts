import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openStore, parseLayerID, type Store } from '../../cache/index.ts';
import { MEDIA_TYPE } from '../../src/oci/descriptor.ts';
import { digestOf, parseDiffID } from '../../src/oci/digest.ts';
import { encodeIndex } from '../../src/tree/index-codec.ts';
import { withDirectory } from '../support/temporary.ts';

const { signal } = new AbortController();
const id = parseLayerID(digestOf('layer'));
const diffID = parseDiffID(digestOf('tar'));
const { bytes } = encodeIndex([
  { path: 'a', type: 'directory', mode: 0o755, uid: 0, gid: 0, mtime: 1, mtimeNsec: 0 },
]);

function withStore<T>(use: (store: Store, directory: string) => Promise<T>): Promise<T> {
  return withDirectory(async (directory) => {
    return use(await openStore(join(directory, 'store'), { signal }), directory);
  });
}

async function makeWrapper(directory: string, name: string): Promise<string> {
  await mkdir(join(directory, name, 'fs'), { recursive: true });
  await writeFile(join(directory, name, 'fs/from'), name);
  return join(directory, name);
}

describe('publishIndex()', () => {
  it('keeps the first whole index, and removes the other file', () =>
    withStore(async (store, directory) => {
      assert.equal(await store.hasIndex(id), false);
      await writeFile(join(directory, 'one'), bytes);
      await store.publishIndex(id, join(directory, 'one'));
      assert.equal(await store.hasIndex(id), true);
      await writeFile(join(directory, 'two'), Buffer.concat([bytes, bytes]));
      await store.publishIndex(id, join(directory, 'two'));
      assert.deepEqual(await readFile(store.indexPath(id)), Buffer.from(bytes));
      assert.deepEqual(await readdir(directory), ['store']);
    }));

  for (const length of [0, 8, 20, bytes.length - 1]) {
    it(`replaces an index cut off after ${length} bytes`, () =>
      withStore(async (store, directory) => {
        await writeFile(store.indexPath(id), bytes);
        await truncate(store.indexPath(id), length);
        assert.equal(await store.hasIndex(id), false);
        await writeFile(join(directory, 'new'), bytes);
        await store.publishIndex(id, join(directory, 'new'));
        assert.equal(await store.hasIndex(id), true);
      }));
  }

  it('takes a file of zeros for no index', () =>
    withStore(async (store) => {
      await writeFile(store.indexPath(id), Buffer.alloc(bytes.length));
      assert.equal(await store.hasIndex(id), false);
    }));
});

describe('publishDirectory()', () => {
  it('moves a directory in as a whole, one for each flavor', () =>
    withStore(async (store, directory) => {
      assert.equal(await store.hasDirectory(id, 'owned'), false);
      assert.equal(
        await store.publishDirectory(id, 'owned', await makeWrapper(directory, 'a')),
        true,
      );
      assert.equal(await store.hasDirectory(id, 'owned'), true);
      assert.equal(await store.hasDirectory(id, 'single'), false);
      const single = await makeWrapper(directory, 'b');
      assert.equal(await store.publishDirectory(id, 'single', single), true);
      const from = join(store.directoryPath(id, 'single'), 'from');
      assert.equal(await readFile(from, 'utf8'), 'b');
    }));

  it('uses the one that came first, and leaves the second to its maker', () =>
    withStore(async (store, directory) => {
      await store.publishDirectory(id, 'owned', await makeWrapper(directory, 'first'));
      const second = await makeWrapper(directory, 'second');
      assert.equal(await store.publishDirectory(id, 'owned', second), false);
      assert.equal(existsSync(second), true);
      const from = join(store.directoryPath(id, 'owned'), 'from');
      assert.equal(await readFile(from, 'utf8'), 'first');
    }));

  it('sets aside what has lost its content', () =>
    withStore(async (store, directory) => {
      await store.publishDirectory(id, 'owned', await makeWrapper(directory, 'first'));
      await rm(store.directoryPath(id, 'owned'), { recursive: true });
      await writeFile(join(store.directoryPath(id, 'owned'), '../other'), '');
      assert.equal(await store.hasDirectory(id, 'owned'), false);
      const second = await makeWrapper(directory, 'second');
      assert.equal(await store.publishDirectory(id, 'owned', second), true);
      assert.equal(await store.hasDirectory(id, 'owned'), true);
    }));
});

describe('saveFacts()', () => {
  const describeBlob = async (store: Store, text: string, mediaType: string) => ({
    mediaType,
    ...(await store.putBytes(Buffer.from(text))),
  });

  it('adds blobs to those known, each once', () =>
    withStore(async (store) => {
      assert.equal(await store.facts(id), undefined);
      const gzip = await describeBlob(store, 'gzip', MEDIA_TYPE.layerGzip);
      const zstd = await describeBlob(store, 'zstd', MEDIA_TYPE.layerZstd);
      await store.saveFacts(id, { diffID: undefined, blobs: [] });
      await store.saveFacts(id, { diffID, blobs: [gzip] });
      await store.saveFacts(id, { diffID, blobs: [gzip, zstd] });
      assert.deepEqual(await store.facts(id), { diffID, blobs: [gzip, zstd] });
      assert.deepEqual(await readdir(join(store.path, 'tmp')), []);
    }));

  it('keeps one diffID as long as a blob of it is there', () =>
    withStore(async (store) => {
      const gzip = await describeBlob(store, 'gzip', MEDIA_TYPE.layerGzip);
      const later = {
        diffID: parseDiffID(digestOf('other tar')),
        blobs: [await describeBlob(store, 'other gzip', MEDIA_TYPE.layerGzip)],
      };
      await store.saveFacts(id, { diffID, blobs: [gzip] });
      await store.saveFacts(id, later);
      assert.deepEqual(await store.facts(id), { diffID, blobs: [gzip] });
      await rm(store.blobPath(gzip.digest));
      await store.saveFacts(id, later);
      assert.deepEqual(await store.facts(id), later);
    }));

  it('starts anew behind a damaged file', () =>
    withStore(async (store) => {
      await store.saveFacts(id, { diffID, blobs: [] });
      const path = store.indexPath(id).replace(/index$/, 'json');
      await writeFile(path, (await readFile(path, 'utf8')).replace('format', 'formaT'));
      assert.equal(await store.facts(id), undefined);
      await store.saveFacts(id, { diffID, blobs: [] });
      assert.deepEqual(await store.facts(id), { diffID, blobs: [] });
    }));
});

describe('parseLayerID()', () => {
  it('rejects what could lead out of the store', () => {
    assert.throws(() => parseLayerID('sha256:../../x'), { code: 'ERR_DIGEST_INVALID' });
  });
});
