/** Limits of a RUN, and what is said when one is hit (OPT-1, OPT-2). */

import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readdir, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { itUnless } from '../support/missing.ts';
import { outputOf, stepsOf } from '../support/plain-output.ts';
import type { RunBuilds } from '../support/run-builds.ts';
import { RUNGS } from '../support/rungs.ts';
import { processesWith } from '../support/sandbox.ts';

const TREES = '/sys/fs/cgroup';
/** Of this file alone. */
const PARENT = `tsbuild-test-${process.pid}`;
const PLACED = `--cgroup-parent=${PARENT}`;

const noGroups = ['memory', 'pids', 'cpu', 'cpuset'].every((name) => existsSync(join(TREES, name)))
  ? undefined
  : 'needs control groups (version 1)';

for (const rung of RUNGS) {
  const test = itUnless(rung.whyNot);
  const testGroups = itUnless(rung.whyNot ?? noGroups);

  describe(`the limits of a RUN, ${rung.title}`, function () {
    this.timeout(120_000);
    let builds: RunBuilds;

    before(async () => {
      if (rung.whyNot !== undefined) return;
      builds = await rung.open();
    });
    after(async () => {
      await builds?.account.close();
      for (const path of await groups()) await rmdir(path);
    });

    test('end a step that takes too long, with an error of its own, and leave nothing', async () => {
      const outcome = await builds.attempt('FROM base\nRUN sleep 1000', '--timeout=1s');
      assert.equal(outcome.code, 1);
      assert.match(outcome.stderr, /it took longer than 1 s \[ERR_STEP_TIMEOUT\]/);
      await builds.account.assertClean();
    });

    test('of memory, processor and time are not part of the key; ulimits are (OPT-2)', async () => {
      const state = async (...flags: readonly string[]): Promise<string | undefined> =>
        stepsOf(await builds.attempt('FROM base\nRUN echo keyed', ...flags)).at(-1)?.state;
      assert.equal(await state(), 'DONE');
      assert.equal(await state('--memory=1g', '--cpus=1', '--timeout=1h'), 'CACHED');
      assert.equal(await state('--ulimit=nofile=99'), 'DONE');
    });

    if (rung.name !== 'root') {
      testGroups('that cannot be set are told, and the build goes on', async () => {
        const outcome = await builds.attempt('FROM base\nRUN echo on', '--memory=64m');
        assert.equal(outcome.code, 0, outcome.stderr);
        assert.match(outcome.stderr, /^NOTE: RUN has no limit of "memory": /m);
      });
      return;
    }

    testGroups('name memory that ran out', async () => {
      const text = 'FROM base\nRUN head -c 300m /dev/zero | tail | wc -c | grep -v "^0$"';
      const outcome = await builds.attempt(text, '--memory=64m', PLACED);
      assert.equal(outcome.code, 1);
      assert.match(outcome.stderr, /it ran out of memory.*\(the limit of 64 MiB is "--memory"\)/);
      assert.deepEqual(await steps(), []);
    });

    testGroups('hold against a fork bomb', async () => {
      const text = 'FROM base\nRUN bomb() { bomb | bomb & }; bomb; sleep 1; false';
      const outcome = await builds.attempt(text, '--pids-limit=30', PLACED);
      assert.equal(outcome.code, 1, outcome.stderr);
      assert.match(outcome.stderr, /the limit of 30 of processes/);
      assert.deepEqual(await steps(), []);
      await builds.account.assertClean();
    });

    testGroups('are what the step sees of processors', async () => {
      const outcome = await builds.attempt('FROM base\nRUN nproc', '--cpuset-cpus=0');
      assert.deepEqual(outputOf(outcome), ['1'], outcome.stderr);
    });

    testGroups(
      'leave groups to the next build when one is killed, which removes them',
      async () => {
        const { account, context } = builds;
        await builds.attempt('FROM base\nRUN echo begun && sleep 1000', '--timeout=1s');
        const base = `base=oci-layout://${account.home}/busybox`;
        const flags = ['--memory=64m', PLACED];
        const started = account.start(['--build-context', base, ...flags, context]);
        while (!/^#\d+ \d+\.\d+ begun$/m.test(started.stderr())) await setTimeout(20);
        process.kill(started.pid, 'SIGKILL');
        await started.outcome;
        const marker = `TSBUILD_TEST_HOME=${account.home}`;
        while ((await processesWith(marker)).length > 0) await setTimeout(20);
        assert.notDeepEqual(await steps(), []);
        const next = await builds.attempt('FROM base\nRUN true', ...flags);
        assert.equal(next.code, 0, next.stderr);
        assert.deepEqual(await steps(), []);
      },
    );
  });
}

/** The parent in every tree. */
async function groups(): Promise<readonly string[]> {
  const trees = await readdir(TREES).catch(() => []);
  return trees.map((tree) => join(TREES, tree, PARENT)).filter((path) => existsSync(path));
}

/** The groups of steps in it. */
async function steps(): Promise<readonly string[]> {
  const all = await Promise.all(
    (await groups()).map(async (path) => await readdir(path, { withFileTypes: true })),
  );
  return all.flat().flatMap((entry) => (entry.isDirectory() ? [entry.name] : []));
}
