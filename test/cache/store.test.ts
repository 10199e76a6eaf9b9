import assert from 'node:assert/strict';
import { readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openStore, type Store } from '../../cache/index.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { withDirectory } from '../support/temporary.ts';

const { signal } = new AbortController();

function withStore<T>(use: (store: Store, directory: string) => Promise<T>): Promise<T> {
  return withDirectory(async (directory) => use(await openStore(directory, { signal }), directory));
}

describe('openStore()', () => {
  it('makes a valid OCI layout in a folder of its version, for its owner alone', () =>
    withStore(async (store, directory) => {
      assert.equal(store.path, join(directory, 'v1'));
      assert.equal((await stat(store.path)).mode & 0o777, 0o700);
      const layout = await readFile(join(store.path, 'oci-layout'), 'utf8');
      assert.deepEqual(JSON.parse(layout), { imageLayoutVersion: '1.0.0' });
      const index = await readFile(join(store.path, 'index.json'), 'utf8');
      assert.deepEqual(JSON.parse(index), {
        schemaVersion: 2,
        mediaType: 'application/vnd.oci.image.index.v1+json',
        manifests: [],
      });
    }));

  it('makes again what is missing or damaged, and keeps the rest', () =>
    withStore(async (store, directory) => {
      const blob = await store.putBytes(Buffer.from('kept'));
      await writeFile(join(store.path, 'index.json'), '');
      await rm(join(store.path, 'layers'), { recursive: true });
      const again = await openStore(directory, { signal });
      assert.equal(await again.hasBlob(blob), true);
      assert.notEqual(await readFile(join(store.path, 'index.json'), 'utf8'), '');
      assert.deepEqual(await readdir(join(store.path, 'layers')), []);
      assert.deepEqual(await readdir(join(store.path, 'tmp')), []);
    }));

  it('names the directory when it cannot be used', () =>
    withDirectory(async (directory) => {
      const file = join(directory, 'file');
      await writeFile(file, '');
      await assert.rejects(openStore(file, { signal }), {
        code: 'ERR_STORE_UNUSABLE',
        details: { path: join(file, 'v1') },
        hint: /TSBUILD_STORE/,
      });
    }));

  it('makes nothing when the build is already cancelled', () =>
    withDirectory(async (directory) => {
      const reason = new Error('stop');
      await assert.rejects(openStore(directory, { signal: AbortSignal.abort(reason) }), reason);
      assert.deepEqual(await readdir(directory), []);
    }));

  it('names cache mounts and stat caches by digests, so that any id is a safe name', () =>
    withStore(async (store) => {
      const path = store.mountPath('../../etc');
      assert.match(path.slice(store.path.length), /^\/mounts\/[0-9a-f]{64}$/);
      assert.match(store.statCachePath('/a').slice(store.path.length), /^\/stat\/[0-9a-f]{64}$/);
      assert.notEqual(store.statCachePath('/a'), store.statCachePath('/b'));
    }));

  it('has a stat cache for each directory, however it is written', () =>
    withStore(async (store) => {
      assert.equal(store.statCachePath('.'), store.statCachePath(process.cwd()));
    }));

  it('says which file cannot be written', () =>
    withStore(async (store) => {
      await rm(join(store.path, 'tmp'), { recursive: true });
      await writeFile(join(store.path, 'tmp'), 'in the way');
      const blob = { digest: digestOf('x'), size: 1 };
      await assert.rejects(store.putBytes(Buffer.from('x')), {
        code: 'ERR_STORE_UNUSABLE',
        details: { path: store.blobPath(blob.digest) },
        message: /: not a directory$/,
      });
      assert.equal(await store.hasBlob(blob), false);
    }));
});
