import assert from 'node:assert/strict';
import { chmod, lstat, mkdir, readdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describeUnless } from '../support/missing.ts';
import {
  PROC_AND_DEV,
  type RunFixture,
  startFixture,
  type TestMode,
  whyNot,
} from '../support/run-fixture.ts';
import { appearing } from '../support/sandbox.ts';

const MODES: readonly TestMode[] = ['root', 'subids', 'single'];

for (const mode of MODES) {
  describeUnless(whyNot(mode))(`run, in mode ${mode}`, () => {
    let fixture: RunFixture;

    before(async function () {
      fixture = await startFixture(mode);
      assert.equal((await fixture.helper.hello).error, undefined);
    });
    after(async () => await fixture?.close());

    it('hands on both streams and the exit code', async () => {
      const outcome = await fixture.sh('echo out; echo err >&2; exit 3');
      assert.deepEqual(outcome, {
        stdout: 'out\n',
        stderr: 'err\n',
        reply: { exitCode: 3 },
        error: undefined,
      });
    });

    it('tells which signal ended the command', async () => {
      const marker = `MARKER=${mode}-signal`;
      const running = fixture.sh('exec sleep 1000', { process: { env: ['PATH=/bin', marker] } });
      const pid = await appearing(marker);
      process.kill(pid, 'SIGKILL');
      assert.deepEqual((await running).reply, { exitCode: 137, signal: 9 });
    });

    it('hands on everything that was written before the end', async () => {
      const { stdout } = await fixture.sh(
        'dd if=/bin/busybox bs=1024 count=900 2>/dev/null | wc -c; dd if=/bin/busybox bs=1000 count=500 2>/dev/null >/dev/stderr; echo end',
        {
          mounts: [
            ...PROC_AND_DEV,
            { kind: 'symlink', target: '/dev/stderr', to: '/proc/self/fd/2' },
          ],
        },
      );
      assert.equal(stdout, '921600\nend\n');
    });

    it('is PID 1 in namespaces of its own, with a new session (EX-1)', async () => {
      const { stdout } = await fixture.sh(
        'echo $$; hostname; ps | grep -c . ; cat /proc/self/stat',
        {},
      );
      const [pid, name, processes, stat] = stdout.split('\n');
      assert.equal(pid, '1');
      assert.equal(name, 'box');
      assert.ok(Number(processes) <= 4, stdout);
      assert.equal(stat?.split(' ')[5], '1', 'session');
    });

    it('gives the environment, and makes the working directory (EX-11)', async () => {
      const { stdout } = await fixture.sh('env; pwd; umask; stat -c "%a %u %g" /made', {
        process: { env: ['PATH=/bin', 'A=1', 'B=x y=z'], cwd: '/made/for/it' },
      });
      const lines = stdout.trim().split('\n');
      assert.deepEqual(lines.slice(-3), ['/made/for/it', '0022', '755 0 0']);
      assert.ok(lines.includes('A=1') && lines.includes('B=x y=z'));
      assert.ok(!lines.some((line) => line.startsWith('HOME=') || line.startsWith('USER=')));
    });

    it('leaves nothing open but the three streams, and stdin is empty', async () => {
      const { stdout } = await fixture.sh(
        'ls -l /proc/self/fd | grep -c pipe; ls /proc/1/fd; cat; readlink /proc/1/fd/0',
      );
      assert.equal(stdout, '2\n0\n1\n2\n/dev/null\n');
    });

    it('has Docker’s capabilities and none to inherit (EX-2)', async () => {
      const { stdout } = await fixture.sh('grep ^Cap /proc/self/status');
      const expected = { Inh: 0, Prm: 0xa80425fb, Eff: 0xa80425fb, Bnd: 0xa80425fb, Amb: 0 };
      for (const [name, set] of Object.entries(expected)) {
        const value = set.toString(16).padStart(16, '0');
        assert.match(stdout, new RegExp(`Cap${name}:\\t${value}`));
      }
      assert.match((await fixture.sh('grep NoNewPrivs /proc/self/status')).stdout, /:\t0/);
    });

    it('leaves whiteouts and opaque directories in the upper directory', async () => {
      const { reply, stderr } = await fixture.sh(
        'rm /bin/true; rm -r /data; mkdir /data; echo new > /data/file',
      );
      assert.deepEqual(reply, { exitCode: 0 }, stderr);
      const whiteout = await lstat(join(fixture.upper(), 'bin/true'));
      assert.ok(whiteout.isCharacterDevice() && whiteout.rdev === 0);
      assert.deepEqual(await readdir(join(fixture.upper(), 'data')), ['file']);
      const again = await fixture.sh('ls /data', {
        layers: [fixture.layer, fixture.upper()],
      });
      assert.equal(again.stdout, 'file\n');
    });

    it('stacks 150 layers, the last one on top', async () => {
      const layers = [fixture.layer];
      for (let i = 0; i < 149; i++) {
        const layer = join(
          fixture.directory,
          'a rather long name, with commas: and colons',
          `${i}`,
        );
        await mkdir(layer, { recursive: true });
        await writeFile(join(layer, 'top'), `${i}\n`);
        await writeFile(join(layer, `only-${i}`), '');
        layers.push(layer);
      }
      const { stdout } = await fixture.sh('cat /top; ls / | grep -c only', { layers });
      assert.equal(stdout, '148\n149\n');
    });

    it('starts from nothing: FROM scratch has no layer', async () => {
      const { stderr, reply, error } = await fixture.sh('true', { layers: [], mounts: [] });
      assert.equal(error, undefined);
      assert.deepEqual(reply, { exitCode: 127 }, stderr);
      for (const target of ['/root', '/empty', '/overlay']) {
        const below = { kind: 'symlink', target: `${target}/link`, to: '/' } as const;
        const other = await fixture.sh('true', { layers: [], mounts: [below] });
        assert.equal(other.error?.step, 'MountTarget', `${target} is not there`);
      }
    });

    it('exits with 127 when the command is not found, and 126 when it cannot be executed (MP-4)', async () => {
      const run = async (...argv: string[]) =>
        await fixture.helper.run(await fixture.request(argv));
      const missing = await run('nonsense');
      assert.deepEqual(missing.reply, { exitCode: 127 });
      assert.equal(missing.stderr, 'exec: "nonsense": executable file not found in $PATH\n');
      const absent = await run('/bin/nonsense');
      assert.deepEqual(
        [absent.reply?.exitCode, absent.stderr],
        [127, 'exec /bin/nonsense: no such file or directory\n'],
      );
      const directory = await run('/data');
      assert.deepEqual(
        [directory.reply?.exitCode, directory.stderr],
        [126, 'exec /data: permission denied\n'],
      );
      const foreign = await fixture.sh(
        'echo garbage > /tmp/x; chmod() { busybox chmod "$@"; }; chmod 755 /tmp/x',
      );
      assert.deepEqual(foreign.reply, { exitCode: 0 });
      const layers = [fixture.layer, fixture.upper()];
      const format = await fixture.helper.run(await fixture.request(['/tmp/x'], { layers }));
      assert.deepEqual(
        [format.reply?.exitCode, format.stderr],
        [126, 'exec /tmp/x: exec format error\n'],
      );
    });

    it('has only the loopback device without a network, up (NET-2)', async () => {
      const { stdout } = await fixture.sh('ip -o link; ip -o addr', { network: 'none' });
      assert.match(stdout, /^1: lo: <LOOPBACK,UP,LOWER_UP>/);
      assert.match(stdout, /inet 127\.0\.0\.1\/8/);
      assert.doesNotMatch(stdout, /^2:/m);
    });

    it('reports a set-up that fails as an error with its step, never as an exit code', async () => {
      const lacking = await fixture.sh('true', { layers: [join(fixture.directory, 'nowhere')] });
      assert.deepEqual(
        [lacking.reply, lacking.error?.step, lacking.error?.errnoName, lacking.error?.path],
        [undefined, 'Layer', 'ENOENT', join(fixture.directory, 'nowhere')],
      );
      const target = await fixture.sh('true', {
        mounts: [{ kind: 'proc', target: '/bin/busybox/no' }],
      });
      assert.deepEqual(
        [target.error?.step, target.error?.path],
        ['MountTarget', '/bin/busybox/no'],
      );
      const cwd = await fixture.sh('true', { process: { cwd: '/bin/busybox' } });
      assert.equal(cwd.error?.step, 'WorkingDirectory');
    });

    it('runs several at once', async () => {
      const started = Date.now();
      const outcomes = await Promise.all(
        [1, 2, 3, 4].map(async (i) => await fixture.sh(`sleep 1; exit ${i}`)),
      );
      assert.deepEqual(
        outcomes.map(({ reply }) => reply?.exitCode),
        [1, 2, 3, 4],
      );
      assert.ok(Date.now() - started < 3900);
    });

    it('sets resource limits', async () => {
      const { stdout } = await fixture.sh('ulimit -n; ulimit -Hn', {
        process: { limits: [{ name: 'nofile', soft: 77, hard: 99 }] },
      });
      assert.equal(stdout, '77\n99\n');
    });

    it('follows symlinks of the image inside the image only', async () => {
      const layer = join(fixture.directory, `links-${mode}`);
      await mkdir(layer);
      await symlink('/../../../../tmp', join(layer, 'escape'));
      const { stdout, error } = await fixture.sh('cat /tmp/mark; ls /tmp', {
        layers: [fixture.layer, layer],
        mounts: [
          { kind: 'tmpfs', target: '/escape', mode: 0o755, readonly: false, flags: [] },
          { kind: 'directory', target: '/escape/inside', mode: 0o755 },
        ],
      });
      assert.equal(error, undefined);
      assert.equal(stdout, 'inside\n');
    });

    if (mode === 'single') {
      it('refuses a user that does not exist in the namespace', async () => {
        const { error } = await fixture.sh('id', { process: { uid: 1000 } });
        assert.equal(error?.step, 'User');
      });
    } else {
      it('changes to the user, group and groups, who have no capabilities', async () => {
        const { stdout } = await fixture.sh(
          'id; grep CapEff /proc/self/status; touch /root-only 2>/dev/null || echo refused; echo to-stdout > /proc/self/fd/1',
          { process: { uid: 1000, gid: 1001, groups: [5, 7] } },
        );
        assert.equal(
          stdout,
          'uid=1000 gid=1001 groups=5,7\nCapEff:\t0000000000000000\nrefused\nto-stdout\n',
        );
      });

      it('lets any user into the root directory, whatever the umask made of it', async () => {
        const request = await fixture.request('stat -c %a /', {
          process: { uid: 1000, gid: 1000 },
        });
        await chmod(request.upper, 0o700);
        assert.equal((await fixture.helper.run(request)).stdout, '755\n');
      });
    }
  });
}
