import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, utimes, writeFile } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { openStore, type Store } from '../../cache/index.ts';
import { withDirectory } from '../support/temporary.ts';

const { signal } = new AbortController();
const entry = resolve(import.meta.dirname, '../../cache/index.ts');

function withStore<T>(use: (store: Store, directory: string) => Promise<T>): Promise<T> {
  return withDirectory(async (directory) => use(await openStore(directory, { signal }), directory));
}

/** Edits the lease of a workspace. */
async function changeLease(path: string, change: object): Promise<void> {
  const lease = JSON.parse(await readFile(join(path, 'lease'), 'utf8')) as object;
  await writeFile(join(path, 'lease'), JSON.stringify({ ...lease, ...change }));
}

describe('openWorkspace()', () => {
  it('gives each build a directory of its own, which close() removes', () =>
    withStore(async (store) => {
      const [one, two] = [await store.openWorkspace(), await store.openWorkspace()];
      assert.notEqual(one.path, two.path);
      await mkdir(join(one.path, 'a/b'), { recursive: true });
      await one.close();
      assert.equal(existsSync(one.path), false);
      assert.equal(existsSync(two.path), true);
      await two.close();
      await two.close();
      assert.deepEqual(await readdir(join(store.path, 'tmp')), []);
    }));
});

describe('staleWorkspaces()', () => {
  it('leaves those of running builds alone', () =>
    withStore(async (store) => {
      const workspace = await store.openWorkspace();
      assert.deepEqual(await store.staleWorkspaces(), []);
      await workspace.close();
    }));

  it('finds what a killed build left behind', () =>
    withStore(async (store, directory) => {
      const script = `
        const { openStore } = await import(${JSON.stringify(entry)});
        const store = await openStore(${JSON.stringify(directory)}, { signal: new AbortController().signal });
        console.log((await store.openWorkspace()).path);
        setInterval(() => {}, 1000);`;
      const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      const exited = once(child, 'exit');
      const [chunk] = (await once(child.stdout, 'data')) as [Buffer];
      const path = chunk.toString().trim();
      assert.deepEqual(await store.staleWorkspaces(), []);
      child.kill('SIGKILL');
      await exited;
      assert.deepEqual(await store.staleWorkspaces(), [path]);
    }));

  it('finds what a build left that was killed between two steps', () =>
    withStore(async (store) => {
      const { path, close } = await store.openWorkspace();
      const folder = join(store.path, 'tmp');
      const random = path.slice(path.lastIndexOf('.'));
      const dead = basename(path)
        .replace(random, '')
        .replace(/^\d+\.\d+/, `${process.pid}.1`);
      const alive = join(folder, basename(path).replace(random, '.without-lease'));
      await mkdir(alive);
      await mkdir(join(folder, `${dead}.without-lease`));
      await writeFile(join(folder, `file-${dead}.not-renamed`), '');
      assert.deepEqual((await store.staleWorkspaces()).map((stale) => basename(stale)).toSorted(), [
        `${dead}.without-lease`,
        `file-${dead}.not-renamed`,
      ]);
      await close();
    }));

  it('is not deceived by a pid that is used again, or by a reboot', () =>
    withStore(async (store) => {
      const [again, rebooted] = [await store.openWorkspace(), await store.openWorkspace()];
      await changeLease(again.path, { started: '1' });
      await changeLease(rebooted.path, { boot: 'other', namespace: 'pid:[1]' });
      assert.deepEqual(
        (await store.staleWorkspaces()).toSorted(),
        [again.path, rebooted.path].toSorted(),
      );
    }));

  it('waits a day for builds of other containers, and for what has no lease', () =>
    withStore(async (store) => {
      const other = await store.openWorkspace();
      await changeLease(other.path, { namespace: 'pid:[1]', pid: 1 });
      const paths = [other.path];
      for (const [name, lease] of [
        ['torn', '{"pid":'],
        ['foreign', undefined],
      ] as const) {
        const path = join(store.path, 'tmp', name);
        await mkdir(path);
        if (lease !== undefined) await writeFile(join(path, 'lease'), lease);
        paths.push(path);
      }
      paths.push(join(store.path, 'tmp/file-1'));
      await writeFile(join(store.path, 'tmp/file-1'), 'never renamed');
      assert.deepEqual(await store.staleWorkspaces(), []);
      const yesterday = Date.now() / 1000 - 25 * 60 * 60;
      for (const path of paths) await utimes(path, yesterday, yesterday);
      assert.deepEqual((await store.staleWorkspaces()).toSorted(), paths.toSorted());
    }));
});
