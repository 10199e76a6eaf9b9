import assert from 'node:assert/strict';
import { lstat, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import type { CacheMount } from '../../parser/index.ts';
import { cacheDirectory, type CacheRequest, lockCaches } from '../../src/solve/cache-mounts.ts';
import { titled, whyNot } from '../support/run-fixture.ts';
import { withDirectory } from '../support/temporary.ts';
import { copyStep, execute, withSteps } from './step-fixture.ts';

const reason = whyNot('root');

function request(
  mount: Partial<CacheMount> = {},
  changes: Partial<CacheRequest> = {},
): CacheRequest {
  return {
    mount: {
      kind: 'cache',
      target: '/cache',
      readonly: false,
      id: undefined,
      from: undefined,
      source: undefined,
      sharing: 'shared',
      mode: undefined,
      uid: undefined,
      gid: undefined,
      ...mount,
    },
    target: '/cache',
    from: undefined,
    empty: false,
    ...changes,
  };
}

describe(titled('cacheDirectory()', reason), () => {
  before(function () {
    if (reason !== undefined) this.skip();
  });

  it('is one directory per id, 0755 root’s, and the target is the id of those without (RUN-16)', async () => {
    await withSteps(async ({ context }) => {
      const path = await cacheDirectory(request(), context);
      const { mode, uid } = await lstat(path);
      assert.deepEqual([mode & 0o7777, uid], [0o755, 0]);
      await writeFile(join(path, 'f'), 'kept');
      assert.equal(await cacheDirectory(request({ id: '/cache' }), context), path);
      assert.notEqual(await cacheDirectory(request({ id: 'other' }), context), path);
      assert.deepEqual(await readdir(path), ['f']);
    });
  });

  it('has the mode and owner that are asked for', async () => {
    await withSteps(async ({ context }) => {
      const path = await cacheDirectory(request({ mode: 0o1777, uid: 5, gid: 6 }), context);
      const { mode, uid, gid } = await lstat(path);
      assert.deepEqual([mode & 0o7777, uid, gid], [0o1777, 5, 6]);
    });
  });

  it('outlives the build', async () => {
    await withDirectory(async (store) => {
      await withSteps(
        async ({ context }) => {
          await writeFile(join(await cacheDirectory(request(), context), 'f'), 'kept');
        },
        { store },
      );
      await withSteps(
        async ({ context }) => {
          const path = await cacheDirectory(request(), context);
          assert.equal(await readFile(join(path, 'f'), 'utf8'), 'kept');
        },
        { store },
      );
    });
  });

  it('begins with its seed’s content, and takes a part of it (RUN-16)', async () => {
    await withSteps(async ({ context, stage, write }) => {
      await write({ 'seed/sub/f': 'seeded' });
      const { layer } = await execute(context, copyStep(['seed'], '/'), {});
      const from = stage([layer]);
      const path = await cacheDirectory(request({ source: '/sub' }, { from }), context);
      assert.equal(await readFile(join(path, 'f'), 'utf8'), 'seeded');
      await assert.rejects(cacheDirectory(request({ source: 'none' }, { from }), context), {
        code: 'ERR_SOURCE_MISSING',
      });
    });
  });

  it('does not follow a symlink that a RUN made', async () => {
    await withSteps(async ({ context }) => {
      await symlink('/etc', join(await cacheDirectory(request(), context), 'out'));
      await assert.rejects(cacheDirectory(request({ source: 'out' }), context), {
        code: 'ERR_SOURCE_MISSING',
      });
    });
  });

  it('is emptied once per build by --no-cache (RUN-17)', async () => {
    await withSteps(async ({ context }) => {
      const path = await cacheDirectory(request(), context);
      await writeFile(join(path, 'f'), '');
      context.emptied.clear();
      const emptied = await cacheDirectory(request({}, { empty: true }), context);
      assert.deepEqual(await readdir(emptied), []);
      await writeFile(join(emptied, 'g'), '');
      const again = await cacheDirectory(request({}, { empty: true }), context);
      assert.deepEqual(await readdir(again), ['g']);
    });
  });
});

describe('lockCaches()', () => {
  const locked = (id: string) => request({ id, sharing: 'locked' });

  it('lets the next one go on when the one before lets go (RUN-16)', async () => {
    await withSteps(async ({ context }) => {
      const log: string[] = [];
      const release = await lockCaches([locked('a')], context);
      const next = lockCaches([locked('a')], context).then((done) => {
        log.push('next');
        done();
      });
      await setTimeout(5);
      log.push('released');
      release();
      await next;
      assert.deepEqual(log, ['released', 'next']);
    });
  });

  it('does not make shared ones wait, nor others', async () => {
    await withSteps(async ({ context }) => {
      const release = await lockCaches([locked('a'), request({ id: 'b' })], context);
      (await lockCaches([request({ id: 'b' }), locked('c'), request({ id: 'a' })], context))();
      release();
    });
  });

  it('does not wait for itself when a RUN has one cache twice', async () => {
    await withSteps(async ({ context }) => {
      (await lockCaches([locked('a'), locked('a')], context))();
      (await lockCaches([locked('a')], context))();
    });
  });

  it('does not wait in a circle when RUNs have the same caches in another order', async () => {
    await withSteps(async ({ context }) => {
      const orders = [
        ['a', 'b', 'c'],
        ['c', 'a', 'b'],
        ['b', 'c', 'a'],
      ];
      await Promise.all(
        orders.map(async (ids) => {
          const release = await lockCaches(ids.map(locked), context);
          await setTimeout(2);
          release();
        }),
      );
    });
  });
});
