/** Builds that are ended from outside: whatever the signal, nothing is left, and the next build works. */

import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { chmod, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { build } from '../../src/index.ts';
import { type Account, openAccount, type Started, whyNoAccount } from '../support/accounts.ts';
import { busyboxBase } from '../support/busybox-base.ts';
import { makeImage } from '../support/image.ts';
import { itUnless, missing } from '../support/missing.ts';
import { startRegistry } from '../support/registry.ts';
import { descendants, processesWith } from '../support/sandbox.ts';
import { tar } from '../support/tar.ts';
import { writeTarLayout } from '../support/tar-layout.ts';

/**
 * How long an interrupted build may take to end, in milliseconds: usually a tenth of a second, but a
 * machine that does much else at once needs more.
 */
const PATIENCE = 6000;
const INTERRUPTED = 130;
const LARGE = 400_000_000;

/** Children in the background, one of them in a session of its own, and one that ignores signals. */
const BUSY = `sleep 300 & busybox setsid sleep 301 & (trap '' INT TERM HUP; sleep 302) & touch /written; echo begun; sleep 303`;

const KINDS = {
  root: 'by root',
  user: 'by an ordinary user with sub-ids',
} as const;

for (const kind of ['root', 'user'] as const) {
  const whyNot = whyNoAccount(kind) ?? missing('busybox');
  const test = itUnless(whyNot);

  describe(`a build ${KINDS[kind]} that is ended`, function () {
    this.timeout(120_000);

    let account: Account;
    let context: string;
    let output: string;

    before(async () => {
      if (whyNot !== undefined) return;
      account = await openAccount(kind);
      context = join(account.home, 'context');
      output = join(account.home, 'tmp', 'image.tar');
      await mkdir(context);
      await chmod(context, 0o755);
      await busyboxBase(account);
    });
    after(async () => {
      if (whyNot === undefined) await account.close();
    });

    const start = async (dockerfile: string): Promise<Started> => {
      await writeFile(join(context, 'Dockerfile'), dockerfile);
      const base = `base=oci-layout://${account.home}/busybox`;
      const large = `large=oci-layout://${account.home}/large`;
      const contexts = ['--build-context', base, '--build-context', large];
      return account.start([...contexts, '-o', `type=oci,dest=${output}`, context]);
    };

    const startBusy = async (): Promise<Started> => {
      const started = await start(
        `FROM base\nENV TSBUILD_TEST_HOME=${account.home}\nRUN ${BUSY}\nRUN true\n`,
      );
      await until(() => / begun$/m.test(started.stderr()), started);
      // The helper, what it runs the command in, the command and its four children.
      assert.ok((await processesWith(`TSBUILD_TEST_HOME=${account.home}`)).length > 5);
      return started;
    };

    const assertInterrupted = async (started: Started, began: number): Promise<void> => {
      const { code, stdout, stderr } = await started.outcome;
      const took = performance.now() - began;
      assert.equal(code, INTERRUPTED, stderr);
      assert.ok(took < PATIENCE, `it took ${Math.round(took)} ms`);
      assert.equal(stdout, '');
      assert.doesNotMatch(stderr, /^ERROR/m);
      await account.assertClean();
    };

    for (const [signal, how] of [
      ['SIGINT', 'Ctrl-C'],
      ['SIGTERM', 'SIGTERM'],
    ] as const) {
      test(`by ${how} during a RUN is gone with all that the RUN started (EX-13)`, async () => {
        const started = await startBusy();
        const began = performance.now();
        // A terminal signals the whole group; whoever else sends a signal, one process.
        process.kill(signal === 'SIGINT' ? -started.pid : started.pid, signal);
        await assertInterrupted(started, began);
      });
    }

    test('by Ctrl-C during a pull leaves no part of a blob', async () => {
      const registry = await startRegistry();
      try {
        registry.add('slow', 'latest', await makeImage({ layers: 3, layerSize: 100_000 }));
        registry.faults.stall = 100_000; // the config, which is a blob too, comes
        const started = await start(`FROM ${registry.host}/slow\nRUN true\n`);
        await until(
          () => registry.log.filter((line) => line.includes('/blobs/')).length > 1,
          started,
        );
        const began = performance.now();
        process.kill(-started.pid, 'SIGINT');
        await assertInterrupted(started, began);
      } finally {
        await registry.close();
      }
    });

    test('by Ctrl-C during an export leaves no part of the archive', async () => {
      // One layer that is not compressed: its export is nothing but writing.
      const layer = tar([{ name: 'large', content: Buffer.alloc(LARGE) }]);
      await writeTarLayout(join(account.home, 'large'), [layer]);
      const started = await start('FROM large\n');
      await until(async () => (await readdir(join(account.home, 'tmp'))).length > 0, started);
      const began = performance.now();
      process.kill(-started.pid, 'SIGINT');
      await assertInterrupted(started, began);
    });

    test('by the death of its helper says so, and leaves nothing', async () => {
      const started = await startBusy();
      // One of them: with it goes the rest.
      const [helper] = await descendants(started.pid);
      assert.ok(helper !== undefined);
      process.kill(helper, 'SIGKILL');
      const { code, stderr } = await started.outcome;
      assert.equal(code, 4, stderr);
      assert.match(
        stderr,
        /^ERROR: The helper ended unexpectedly \(SIGKILL\) \[ERR_HELPER_FAILED\]\nhint: /m,
      );
      await account.assertClean();
    });

    test('by kill -9 takes everything along, and the next build removes its files', async () => {
      const started = await startBusy();
      process.kill(started.pid, 'SIGKILL');
      assert.equal((await started.outcome).code, null);
      const marker = `TSBUILD_TEST_HOME=${account.home}`;
      const deadline = performance.now() + PATIENCE;
      while ((await processesWith(marker)).length > 0) {
        assert.ok(performance.now() < deadline, 'processes were left');
        await sleep(20);
      }
      const mounts = await readFile('/proc/self/mountinfo', 'utf8');
      assert.doesNotMatch(mounts, new RegExp(account.home));
      const scratch = join(account.home, 'store/v1/tmp');
      assert.notDeepEqual(await readdir(scratch), [], 'there is something to remove');

      const next = await start('FROM base\nRUN echo next > /next\n');
      const { code, stderr } = await next.outcome;
      assert.equal(code, 0, stderr);
      assert.deepEqual(await readdir(scratch), []);
      await rm(output);
    });
  });
}

describe('build() with a signal', function () {
  this.timeout(120_000);
  const whyNot = whyNoAccount('root') ?? missing('busybox');
  const test = itUnless(whyNot);

  for (const when of ['before it begins', 'during a RUN', 'during a pull'] as const) {
    test(`that is aborted ${when} rejects with its reason, and no listener stays`, async () => {
      const account = await openAccount('root');
      const registry = await startRegistry();
      try {
        await busyboxBase(account);
        registry.add('slow', 'latest', await makeImage());
        registry.faults.stall = true;
        const context = join(account.home, 'context');
        await mkdir(context);
        const from = when === 'during a pull' ? `${registry.host}/slow` : 'base';
        const run = `ENV TSBUILD_TEST_HOME=${account.home}\nRUN ${BUSY}\n`;
        await writeFile(join(context, 'Dockerfile'), `FROM ${from}\n${run}`);
        const controller = new AbortController();
        const { signal } = controller;
        const reason = new Error('No more of this');
        if (when === 'before it begins') controller.abort(reason);
        const building = build({
          context,
          signal,
          store: join(account.home, 'store'),
          buildContexts: { base: `oci-layout://${account.home}/busybox` },
          onEvent: (event) => {
            if (event.kind === 'step-output') controller.abort(reason);
          },
        });
        if (when === 'during a pull') {
          building.catch(() => undefined);
          while (!registry.log.some((line) => line.includes('/blobs/'))) await sleep(5);
          controller.abort(reason);
        }
        await assert.rejects(building, (error) => error === reason);
        assert.deepEqual(getEventListeners(signal, 'abort'), []);
        assert.deepEqual(await descendants(process.pid), []);
        await account.assertClean();
      } finally {
        await registry.close();
        await account.close();
      }
    });
  }
});

/** Waits for something that a build does; fails when the build ends before it. */
async function until(
  condition: () => boolean | Promise<boolean>,
  { outcome }: Started,
): Promise<void> {
  const ended = outcome.then(({ stderr }) => assert.fail(`the build ended: ${stderr}`));
  // It is to end some day, when nobody waits for this any more.
  ended.catch(() => undefined);
  while (!(await condition())) await Promise.race([sleep(5), ended]);
}
