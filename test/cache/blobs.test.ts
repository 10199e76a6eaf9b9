import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readdir, readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openStore, type Store } from '../../cache/index.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { withDirectory } from '../support/temporary.ts';

const { signal } = new AbortController();
const bytes = Buffer.from('some bytes');
const blob = { digest: digestOf(bytes), size: bytes.length };

function withStore<T>(use: (store: Store, file: string) => Promise<T>): Promise<T> {
  return withDirectory(async (directory) => {
    const store = await openStore(join(directory, 'store'), { signal });
    const file = join(directory, 'file');
    await writeFile(file, bytes);
    return use(store, file);
  });
}

describe('addBlob()', () => {
  it('moves a file to the place that an OCI layout has for it', () =>
    withStore(async (store, file) => {
      assert.equal(await store.hasBlob(blob), false);
      await store.addBlob(file, blob);
      assert.equal(await store.hasBlob(blob), true);
      assert.equal(existsSync(file), false);
      const path = join(store.path, 'blobs/sha256', blob.digest.slice('sha256:'.length));
      assert.equal(store.blobPath(blob.digest), path);
      assert.deepEqual(await readFile(path), bytes);
    }));

  it('keeps the blob that is there, and removes the file', () =>
    withStore(async (store, file) => {
      await store.putBytes(bytes);
      await store.addBlob(file, blob);
      assert.equal(existsSync(file), false);
      assert.equal(await store.hasBlob(blob), true);
    }));

  it('replaces a blob that was cut off', () =>
    withStore(async (store, file) => {
      await store.putBytes(bytes);
      await truncate(store.blobPath(blob.digest), 3);
      assert.equal(await store.hasBlob(blob), false);
      await store.addBlob(file, blob);
      assert.deepEqual(await readFile(store.blobPath(blob.digest)), bytes);
    }));
});

describe('putBytes()', () => {
  it('answers the name of the bytes, and leaves nothing in tmp', () =>
    withStore(async (store) => {
      assert.deepEqual(await store.putBytes(bytes), blob);
      assert.deepEqual(await store.putBytes(bytes), blob);
      assert.deepEqual(await readFile(store.blobPath(blob.digest)), bytes);
      assert.deepEqual(await readdir(join(store.path, 'tmp')), []);
    }));

  it('replaces a blob that was cut off', () =>
    withStore(async (store) => {
      await writeFile(store.blobPath(blob.digest), '');
      await store.putBytes(bytes);
      assert.equal(await store.hasBlob(blob), true);
    }));
});
