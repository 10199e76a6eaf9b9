import assert from 'node:assert/strict';
import { readdir, readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { cacheKey, openStore, parseLayerID, type Store } from '../../cache/index.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { withDirectory } from '../support/temporary.ts';

const { signal } = new AbortController();
const key = cacheKey('run', { argv: ['true'] });
const record = {
  layer: parseLayerID(digestOf('layer')),
  inputs: { argv: ['true'], env: ['A=\n'] },
  created: 1767225600,
  duration: 12.5,
};

function withRecord<T>(use: (store: Store, path: string) => Promise<T>): Promise<T> {
  return withDirectory(async (directory) => {
    const store = await openStore(directory, { signal });
    await store.putRecord(key, record);
    return use(store, join(store.path, 'records', key.slice(0, 2), `${key}.json`));
  });
}

describe('getRecord()', () => {
  it('answers what putRecord() was given', () =>
    withRecord(async (store) => {
      assert.deepEqual(await store.getRecord(key), { key, ...record });
      assert.equal(await store.getRecord(cacheKey('run', { argv: ['false'] })), undefined);
      assert.deepEqual(await readdir(join(store.path, 'tmp')), []);
    }));

  it('knows of steps that changed nothing', () =>
    withRecord(async (store) => {
      await store.putRecord(key, { ...record, layer: undefined });
      assert.deepEqual(await store.getRecord(key), { key, ...record, layer: undefined });
    }));

  it('misses a record that was cut off, until there is a new one', () =>
    withRecord(async (store, path) => {
      const { length } = await readFile(path);
      for (const rest of [0, 10, 70, length - 1]) {
        await truncate(path, rest);
        assert.equal(await store.getRecord(key), undefined);
        await store.putRecord(key, record);
        assert.deepEqual(await store.getRecord(key), { key, ...record });
      }
    }));

  it('misses a record that somebody edited, and one of another key', () =>
    withRecord(async (store, path) => {
      const text = await readFile(path, 'utf8');
      await writeFile(path, text.replace('true', 'trve'));
      assert.equal(await store.getRecord(key), undefined);
      const other = cacheKey('run', { argv: ['false'] });
      await store.putRecord(other, record);
      const otherPath = join(store.path, 'records', other.slice(0, 2), `${other}.json`);
      await writeFile(otherPath, text);
      assert.equal(await store.getRecord(other), undefined);
    }));
});
