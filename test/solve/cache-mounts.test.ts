import assert from 'node:assert/strict';
import { lstat, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import type { CacheMount } from '../../parser/index.ts';
import type { SourceLocation } from '../../src/errors.ts';
import { lockCaches } from '../../src/solve/cache-locks.ts';
import { cacheDirectory, type CacheRequest } from '../../src/solve/cache-mounts.ts';
import type { StepContext } from '../../src/solve/step-context.ts';
import { describeUnless } from '../support/missing.ts';
import { whyNot } from '../support/run-fixture.ts';
import { withDirectory } from '../support/temporary.ts';
import { LOCATION } from './stage.ts';
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
    location: LOCATION,
    ...changes,
  };
}

/** What a RUN that mounts one cache gets; its lock is let go of at once. */
async function directoryOf(wanted: CacheRequest, context: StepContext): Promise<string> {
  const held = await lockCaches([wanted], context);
  try {
    return await cacheDirectory(held.pathOf(wanted), wanted, context);
  } finally {
    await held.release();
  }
}

describeUnless(reason)('cacheDirectory()', () => {
  it('is one directory per id, 0755 root’s, and the target is the id of those without (RUN-16)', async () => {
    await withSteps(async ({ context }) => {
      const path = await directoryOf(request(), context);
      const { mode, uid } = await lstat(path);
      assert.deepEqual([mode & 0o7777, uid], [0o755, 0]);
      await writeFile(join(path, 'f'), 'kept');
      assert.equal(await directoryOf(request({ id: '/cache' }), context), path);
      assert.notEqual(await directoryOf(request({ id: 'other' }), context), path);
      assert.deepEqual(await readdir(path), ['f']);
    });
  });

  it('has the mode and owner that are asked for', async () => {
    await withSteps(async ({ context }) => {
      const path = await directoryOf(request({ mode: 0o1777, uid: 5, gid: 6 }), context);
      const { mode, uid, gid } = await lstat(path);
      assert.deepEqual([mode & 0o7777, uid, gid], [0o1777, 5, 6]);
    });
  });

  it('outlives the build', async () => {
    await withDirectory(async (store) => {
      await withSteps(
        async ({ context }) => {
          await writeFile(join(await directoryOf(request(), context), 'f'), 'kept');
        },
        { store },
      );
      await withSteps(
        async ({ context }) => {
          const path = await directoryOf(request(), context);
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
      const path = await directoryOf(request({ source: '/sub' }, { from }), context);
      assert.equal(await readFile(join(path, 'f'), 'utf8'), 'seeded');
      await assert.rejects(directoryOf(request({ source: 'none' }, { from }), context), {
        code: 'ERR_SOURCE_MISSING',
      });
    });
  });

  it('does not follow a symlink that a RUN made', async () => {
    await withSteps(async ({ context }) => {
      await symlink('/etc', join(await directoryOf(request(), context), 'out'));
      await assert.rejects(directoryOf(request({ source: 'out' }), context), {
        code: 'ERR_SOURCE_MISSING',
      });
    });
  });

  it('is emptied by --no-cache before a build first uses it, and not again (RUN-17)', async () => {
    await withDirectory(async (store) => {
      const use = async (log: string[]): Promise<void> =>
        await withSteps(
          async ({ context }) => {
            for (const name of ['f', 'g']) {
              const path = await directoryOf(request({}, { empty: true }), context);
              log.push(...(await readdir(path)));
              await writeFile(join(path, name), '');
            }
          },
          { store },
        );
      const log: string[] = [];
      await use(log);
      await use(log);
      assert.deepEqual(log, ['f', 'f']);
    });
  });

  it('is not emptied by a later RUN of a build that has filled it', async () => {
    await withSteps(async ({ context }) => {
      await writeFile(join(await directoryOf(request(), context), 'f'), '');
      const path = await directoryOf(request({}, { empty: true }), context);
      assert.deepEqual(await readdir(path), ['f']);
    });
  });
});

describeUnless(reason)('lockCaches()', () => {
  const as = (sharing: CacheMount['sharing'], id = 'a') => request({ id, sharing });

  /** Two builds with one store, each with a helper of its own. */
  const withTwo = async (
    use: (one: StepContext, two: StepContext) => Promise<void>,
  ): Promise<void> =>
    await withDirectory(async (store) => {
      await withSteps(
        async ({ context: one }) =>
          await withSteps(async ({ context: two }) => await use(one, two), { store }),
        { store },
      );
    });

  /** Whether a lock is had within the time in which a free one certainly is asked for once. */
  const waits = async (locking: Promise<unknown>): Promise<boolean> =>
    await Promise.race([locking.then(() => false), setTimeout(300, true)]);

  for (const [first, second] of [
    ['locked', 'locked'],
    ['locked', 'shared'],
    ['shared', 'locked'],
  ] as const) {
    it(`lets a ${second} one of another build wait for a ${first} one (RUN-16)`, async () => {
      await withTwo(async (one, two) => {
        const held = await lockCaches([as(first)], one);
        const next = lockCaches([as(second)], two);
        assert.equal(await waits(next), true);
        await held.release();
        await (await next).release();
      });
    });
  }

  it('tells who waits for long what for, and where (RUN-16)', async () => {
    await withTwo(async (one, two) => {
      const held = await lockCaches([as('locked'), request({}, { target: '/other' })], one);
      const told: (readonly [string, SourceLocation | undefined])[] = [];
      const telling: StepContext = { ...two, tell: (...what) => told.push([what[0], what[1]]) };
      const next = lockCaches([as('shared', 'b'), as('shared')], telling);
      while (told.length === 0) await setTimeout(5);
      await held.release();
      await (await next).release();
      const note = 'RUN waits for the cache "a", which a RUN of this or another build has';
      assert.deepEqual(told, [[note, LOCATION]]);
    });
  });

  it('lets builds share what is shared, and have others meanwhile', async () => {
    await withTwo(async (one, two) => {
      const wanted = [as('shared'), as('locked', 'b')];
      const held = await lockCaches(wanted, one);
      const other = [as('shared'), as('locked', 'c')];
      const next = await lockCaches(other, two);
      assert.deepEqual(
        wanted.map((each, at) => held.pathOf(each) === next.pathOf(other[at] ?? each)),
        [true, false],
      );
      await next.release();
      await held.release();
    });
  });

  it('gives each private one a directory that nobody uses, and the same ones again (RUN-17)', async () => {
    await withTwo(async (one, two) => {
      const wanted = [one, two, two].map((context) => ({ context, request: as('private') }));
      const round = async (): Promise<readonly string[]> => {
        const held = [];
        for (const { context, request: each } of wanted) {
          held.push({ each, held: await lockCaches([each], context) });
        }
        const paths = held.map(({ each, held: locks }) => locks.pathOf(each));
        for (const { held: locks } of held) await locks.release();
        return paths;
      };
      const paths = await round();
      assert.equal(new Set(paths).size, 3);
      assert.deepEqual(await round(), paths);
    });
  });

  it('lets go when the helper is killed', async () => {
    await withTwo(async (one, two) => {
      await lockCaches([as('locked')], one);
      const next = lockCaches([as('locked')], two);
      const { helper } = await one.helpers.directories();
      await helper.close();
      await (await next).release();
    });
  });

  it('does not wait any more when the build is stopped', async () => {
    await withDirectory(async (store) => {
      await withSteps(
        async ({ context }) => {
          const held = await lockCaches([as('locked')], context);
          const stop = new AbortController();
          await assert.rejects(
            withSteps(
              async ({ context: other }) => {
                const next = lockCaches([as('locked')], other);
                stop.abort(new Error('stopped'));
                await next;
              },
              { store, signal: stop.signal },
            ),
            /stopped/,
          );
          await held.release();
        },
        { store },
      );
    });
  });

  it('does not wait for itself when a RUN has one cache twice', async () => {
    await withSteps(async ({ context }) => {
      for (const sharing of ['locked', 'private', 'shared'] as const) {
        const wanted = [as('locked'), as(sharing)];
        const held = await lockCaches(wanted, context);
        assert.equal(new Set(wanted.map(held.pathOf)).size, 1);
        await held.release();
      }
    });
  });

  it('does not wait in a circle when RUNs have the same caches in another order', async () => {
    await withTwo(async (one, two) => {
      const orders = [
        ['a', 'b', 'c'],
        ['c', 'a', 'b'],
        ['b', 'c', 'a'],
      ];
      await Promise.all(
        orders.map(async (ids, at) => {
          const wanted = ids.map((id) => as('locked', id));
          const held = await lockCaches(wanted, at === 1 ? two : one);
          await setTimeout(2);
          await held.release();
        }),
      );
    });
  });
});
