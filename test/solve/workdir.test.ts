import assert from 'node:assert/strict';
import { symlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { WorkdirStep } from '../../src/plan/step.ts';
import type { Layer } from '../../src/solve/layer.ts';
import { workdirRunner } from '../../src/solve/workdir.ts';
import { lines, NOW } from './copying.ts';
import {
  copyStep,
  entriesOf,
  execute,
  PLAIN,
  type StepFixture,
  withSteps,
} from './step-fixture.ts';
import { stepOf } from './stage.ts';

function workdir(path: string, user = ''): WorkdirStep {
  return { kind: 'workdir', ...stepOf({ created_by: `WORKDIR ${path}` }), path, user };
}

/** A parent with accounts, and a symlink `link` to `real`. */
async function parentOf({ context, directory, write }: StepFixture): Promise<Layer> {
  await write({ 'base/etc/passwd': 'app:x:11:22::/:\n', 'base/real/f': '' });
  await symlink('/real', join(directory, 'base/link'));
  return (await execute(context, copyStep(['base'], '/'), {})).layer;
}

describe('workdirRunner()', () => {
  const cases: readonly (readonly [path: string, user: string, made: readonly string[]])[] = [
    ['/a/b', '', ['directory 755 0:0 a', 'directory 755 0:0 a/b']],
    ['/a', 'app', ['directory 755 11:22 a']],
    ['/a', '5:6', ['directory 755 5:6 a']],
    ['/a', 'nobody-yet', ['directory 755 0:0 a']],
    ['/link/a', '', ['directory 755 0:0 real', 'directory 755 0:0 real/a']],
    ['/real', 'app', []],
  ];
  for (const [path, user, made] of cases) {
    it(`makes ${made.at(-1) ?? 'nothing'} for ${path} as ${user || 'root'} (META-6)`, async () => {
      await withSteps(async (fixture) => {
        const { context } = fixture;
        const parent = [await parentOf(fixture)];
        const runner = workdirRunner(workdir(path, user), parent, context);
        const { layer } = await runner.execute(PLAIN);
        assert.deepEqual(lines(await entriesOf(context, layer)), made);
      });
    });
  }

  it('dates what it makes', async () => {
    await withSteps(async ({ context }) => {
      const { layer } = await workdirRunner(workdir('/a'), [], context).execute(PLAIN);
      assert.equal((await entriesOf(context, layer))[0]?.mtime, NOW);
    });
  });

  it('is known by its path, its user and the epoch alone', async () => {
    await withSteps(async ({ context }) => {
      const inputs = await workdirRunner(workdir('/a', 'app'), [], context).inputs();
      assert.deepEqual(inputs, { path: '/a', user: 'app', epoch: undefined });
    });
  });

  it('rejects a path with a file in it', async () => {
    await withSteps(async (fixture) => {
      const parent = [await parentOf(fixture)];
      const runner = workdirRunner(workdir('/real/f/x'), parent, fixture.context);
      await assert.rejects(runner.execute(PLAIN), { code: 'ERR_COPY_CONFLICT' });
    });
  });
});
