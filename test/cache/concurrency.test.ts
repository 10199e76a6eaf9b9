import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdir, readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { cacheKey, openStore, parseLayerID, type Store } from '../../cache/index.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { withDirectory } from '../support/temporary.ts';

const { signal } = new AbortController();
const writer = resolve(import.meta.dirname, 'writer.ts');

function startWriter(directory: string, rounds: number, name: string): ChildProcess {
  const args = [writer, directory, String(rounds), name];
  return spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
}

/** Every object that is visible under its name has to be whole. */
async function checkObjects(store: Store): Promise<number> {
  let count = 0;
  for (let number = 0; number < 20; number++) {
    const id = parseLayerID(digestOf(`layer ${number}`));
    for (const blob of (await store.facts(id))?.blobs ?? []) {
      assert.equal(digestOf(await readFile(store.blobPath(blob.digest))), blob.digest);
      count++;
    }
    const record = await store.getRecord(cacheKey('run', number));
    if (record !== undefined) assert.equal(record.layer, id);
    if (await store.hasDirectory(id, 'owned')) {
      const name = await readFile(join(store.directoryPath(id, 'owned'), 'file'), 'utf8');
      assert.match(name, /^(one|two)$/);
    }
  }
  for (const name of await readdir(join(store.path, 'blobs/sha256'))) {
    const bytes = await readFile(join(store.path, 'blobs/sha256', name));
    assert.equal(digestOf(bytes), `sha256:${name}`);
  }
  return count;
}

describe('two processes on one store', () => {
  it('publish whole objects only, and leave nothing in tmp', () =>
    withDirectory(async (directory) => {
      const store = await openStore(directory, { signal });
      const writers = ['one', 'two'].map((name) => startWriter(directory, 60, name));
      const exits = await Promise.all(writers.map((child) => once(child, 'exit')));
      assert.deepEqual(
        exits.map(([code]) => code as unknown),
        [0, 0],
      );
      assert.equal(await checkObjects(store), 20);
      assert.deepEqual(await readdir(join(store.path, 'tmp')), []);
    })).timeout(120_000);

  it('leave nothing torn when they are killed', () =>
    withDirectory(async (directory) => {
      const store = await openStore(directory, { signal });
      for (const delay of [1, 7, 20]) {
        const child = startWriter(directory, 100_000, 'one');
        const exited = once(child, 'exit');
        assert.ok(child.stdout);
        const [chunk] = (await once(child.stdout, 'data')) as [Buffer];
        await sleep(delay);
        child.kill('SIGKILL');
        await exited;
        await checkObjects(store);
        const stale = await store.staleWorkspaces();
        assert.ok(stale.includes(chunk.toString().trim()));
      }
    })).timeout(120_000);
});
