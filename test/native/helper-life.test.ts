import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { itAsRoot } from '../support/data-plane.ts';
import { describeUnless, itUnless } from '../support/missing.ts';
import { type RunFixture, startFixture, type TestMode, whyNot } from '../support/run-fixture.ts';
import { appearing, descendants, HELPER, processesWith, startHelper } from '../support/sandbox.ts';

const MODES: readonly TestMode[] = ['root', 'subids', 'single'];
const FIXTURE = fileURLToPath(new URL('../support/run-fixture.ts', import.meta.url));

for (const mode of MODES) {
  describeUnless(whyNot(mode))(`the life of a helper, in mode ${mode}`, () => {
    let fixture: RunFixture;

    beforeEach(async function () {
      fixture = await startFixture(mode);
      assert.equal((await fixture.helper.hello).error, undefined);
    });
    afterEach(async () => await fixture?.close());

    /** Of a command: its processes, and with them their mounts. The helper is as it was before. */
    const commandIsGone = async (marker: string) => {
      assert.deepEqual(await processesWith(marker), []);
      const [server, ...others] = await descendants(fixture.helper.pid);
      assert.deepEqual(others, []);
      const mounts = await readFile(`/proc/${server}/mountinfo`, 'utf8');
      // Others' overlays on this machine are not marked so.
      const overlays = mounts.split('\n').filter((line) => line.includes('userxattr'));
      assert.deepEqual(overlays, []);
    };
    /** Each of these is gone, or dead and not yet taken note of. */
    const allGone = async (pids: readonly number[]) => {
      for (const pid of pids) {
        const status = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => ') Z');
        assert.match(status, /\) [ZX]/);
      }
    };
    const marked = (name: string) => {
      const marker = `MARKER=life-${mode}-${name}`;
      return { marker, process: { env: ['PATH=/bin', marker] } };
    };

    it('leaves nothing in the scratch directory after the probe', async () => {
      assert.deepEqual(await readdir(join(fixture.directory, 'scratch')), []);
    });

    it('executes itself from a read-only mount, where no command can write to it', async () => {
      const [server] = await descendants(fixture.helper.pid);
      const { ino } = await stat(join(fixture.directory, 'tsbuild-helper'));
      const own: string[] = [];
      for (const fd of await readdir(`/proc/${server}/fd`)) {
        const path = `/proc/${server}/fd/${fd}`;
        const found = await stat(path).catch(() => undefined);
        if (found?.ino === ino) own.push(path);
      }
      assert.equal(own.length, 1);
      for (const path of own) await assert.rejects(chmod(path, 0o755), { code: 'EROFS' });
    });

    it('ends what a command left in the background, with the command (EX-12)', async () => {
      const { marker, process } = marked('background');
      const outcome = await fixture.sh('sleep 1000 & sh -c "sleep 1000" & echo started', {
        process,
      });
      assert.deepEqual([outcome.stdout, outcome.reply], ['started\n', { exitCode: 0 }]);
      await commandIsGone(marker);
    });

    it('cancels a command: settles when its processes and mounts are gone (EX-13)', async () => {
      const { marker, process } = marked('cancel');
      const running = fixture.sh('echo before; sleep 1000 & sleep 1000', { process });
      await appearing(marker);
      await setTimeout(20);
      fixture.helper.cancel();
      const outcome = await running;
      assert.deepEqual([outcome.error?.step, outcome.stdout], ['Cancelled', 'before\n']);
      await commandIsGone(marker);
      assert.equal((await fixture.sh('echo next')).stdout, 'next\n');
    });

    it('cancels at once after the request, too', async () => {
      for (let delay = 0; delay < 8; delay++) {
        const { marker, process } = marked(`cancel-${delay}`);
        const request = await fixture.request(['sleep', '1000'], { process });
        const running = fixture.helper.run(request);
        if (delay > 0) await setTimeout(delay / 2);
        fixture.helper.cancel();
        assert.equal((await running).error?.step, 'Cancelled');
        await commandIsGone(marker);
      }
    });

    // The test mounts as root, which the upper directories of the other modes need not be fit for.
    const ifRoot = mode === 'root' ? it : () => undefined;
    ifRoot('lets go of the upper directory before it answers', async () => {
      for (let i = 0; i < 20; i++) {
        await fixture.sh('echo x > /file');
        // With index=on the kernel refuses an upper directory that is in use.
        const [work, merged] = ['work', 'merged'].map((name) =>
          join(fixture.directory, `${name}-${i}`),
        ) as [string, string];
        await mkdir(work);
        await mkdir(merged);
        const options = `userxattr,index=on,lowerdir=${fixture.layer},upperdir=${fixture.upper()},workdir=${work}`;
        execFileSync('mount', ['-t', 'overlay', '-o', options, 'overlay', merged]);
        execFileSync('umount', [merged]);
      }
    });

    it('takes everything along when stdin ends', async () => {
      const { marker, process } = marked('eof');
      void fixture.sh('sleep 1000 & sleep 1000', { process });
      await appearing(marker);
      const started = await descendants(fixture.helper.pid);
      await fixture.helper.close();
      assert.deepEqual(await processesWith(marker), []);
      await allGone(started);
    });

    it('takes everything along when it is killed', async () => {
      const { marker, process: spec } = marked('kill');
      void fixture.sh('sleep 1000 & sleep 1000', { process: spec });
      await appearing(marker);
      const started = await descendants(fixture.helper.pid);
      assert.ok(started.length >= 2);
      process.kill(fixture.helper.pid, 'SIGKILL');
      await fixture.helper.gone;
      await eventually(async () => await allGone(started));
    });

    it('takes everything along when the process that started it is killed', async () => {
      const { marker, process: spec } = marked('parent');
      const script = `
        import { startFixture } from ${JSON.stringify(FIXTURE)};
        const fixture = await startFixture(${JSON.stringify(mode)});
        await fixture.helper.hello;
        console.log(fixture.directory);
        await fixture.sh('sleep 1000 & sleep 1000', { process: ${JSON.stringify(spec)} });`;
      const parent = spawn(process.execPath, ['--input-type=module', '-e', script], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      const [directory] = (await once(parent.stdout, 'data')) as [Buffer];
      await appearing(marker);
      const started = await descendants(parent.pid ?? 0);
      assert.ok(started.length >= 3);
      parent.kill('SIGKILL');
      await once(parent, 'exit');
      await eventually(async () => await allGone(started));
      await rm(directory.toString().trim(), { recursive: true });
    });
  });
}

describe('a helper that cannot', () => {
  let directory: string;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'tsbuild-life-'));
    await chmod(directory, 0o755);
  });
  afterEach(async () => await rm(directory, { recursive: true, force: true }));

  itAsRoot('mount an overlay says so instead of hello, with the path, and ends', async () => {
    const helper = startHelper({ mode: 'root', scratch: '/proc/1' });
    const { error } = await helper.hello;
    assert.deepEqual([error?.step, error?.errnoName], ['OverlayMount', 'ENOENT']);
    await helper.gone;
  });

  itUnless(whyNot('subids'))('map ids says what newuidmap said', async () => {
    const helper = startHelper({
      mode: 'subids',
      scratch: directory,
      maps: ['0:4444:1,1:900000:1000', '0:4444:1,1:900000:1000'],
      through: ['setpriv', '--reuid=4444', '--regid=4444', '--clear-groups'],
      binary: copyBinary(directory),
    });
    const { error } = await helper.hello;
    assert.equal(error?.step, 'IdMap');
    assert.match(error?.message ?? '', /newuidmap/);
    await helper.gone;
  });

  // With a reason, the rung would be refused, and the build would go on one below.
  itUnless(whyNot('subids'))('map ids gives no reason when what maps them was killed', async () => {
    await writeFile(join(directory, 'newuidmap'), '#!/bin/sh\nkill -9 $PPID\n', { mode: 0o755 });
    const helper = startHelper({
      mode: 'subids',
      scratch: directory,
      maps: ['0:4444:1,1:900000:1000', '0:4444:1,1:900000:1000'],
      through: [
        ...['setpriv', '--reuid=4444', '--regid=4444', '--clear-groups'],
        ...['env', `PATH=${directory}:/usr/bin:/bin`],
      ],
      binary: copyBinary(directory),
    });
    const said = helper.hello.then(({ error }) => error?.step ?? 'hello');
    assert.equal(await Promise.race([said, helper.gone.then(() => 'nothing')]), 'nothing');
  });
});

function copyBinary(directory: string): string {
  const binary = join(directory, 'tsbuild-helper');
  execFileSync('install', ['-m', '755', HELPER, binary]);
  return binary;
}

/** For what the kernel does after the process that is waited for is gone. */
async function eventually(check: () => Promise<void>): Promise<void> {
  for (let patience = 100; ; patience--) {
    try {
      return await check();
    } catch (error) {
      if (patience === 0) throw error;
      await setTimeout(20);
    }
  }
}
