import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { copyFile, mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { MountOperation } from '../../native/protocol.ts';
import { DEFAULT_CAPABILITIES } from '../../src/solve/capabilities.ts';
import { DEFAULT_SECCOMP } from '../../src/solve/seccomp.ts';
import { describeUnless } from '../support/missing.ts';
import {
  PROC_AND_DEV,
  type RunFixture,
  startFixture,
  type TestMode,
  whyNot,
} from '../support/run-fixture.ts';

const PROBE = fileURLToPath(new URL('probe.rs', import.meta.url));
const MODES: readonly TestMode[] = ['root', 'subids', 'single'];
const FLAGS = ['nosuid', 'nodev', 'noexec'] as const;

/** Number on x86_64 and i386, arguments, and the errno it fails with: the filter's, not the call's own. */
const REFUSED = {
  mount: ['165', '21', 1],
  umount2: ['166', '52', 1],
  pivot_root: ['155', '217', 1],
  unshare: ['272,268435456', '310,268435456', 1],
  setns: ['308', '346', 1],
  clone_newuser: ['56,268435456', '120,268435456', 1],
  clone3: ['435', '435', 38],
  fsopen: ['430', '430', 1],
  open_tree: ['428', '428', 1],
  bpf: ['321', '357', 1],
  keyctl: ['250', '288', 1],
  add_key: ['248', '286', 1],
  perf_event_open: ['298', '336', 1],
  io_uring_setup: ['425', '425', 1],
  userfaultfd: ['323', '374', 1],
  kexec_load: ['246', '283', 1],
  reboot: ['169', '88', 1],
  init_module: ['175', '128', 1],
  personality_aslr: ['135,262144', '136,262144', 1],
  fanotify_init: ['300', '338', 1],
  kcmp: ['312', '349', 1],
  pidfd_getfd: ['438', '438', 1],
  process_madvise: ['440', '440', 1],
  open_by_handle_at: ['304', '342', 1],
  move_mount: ['429', '429', 1],
  mount_setattr: ['442', '442', 1],
  request_key: ['249', '287', 1],
  io_uring_enter: ['426', '426', 1],
  mbind: ['237', '274', 1],
  migrate_pages: ['256', '294', 1],
  quotactl_fd: ['443', '443', 1],
  acct: ['163', '51', 1],
  syslog: ['103', '103', 1],
  settimeofday: ['164', '79', 1],
  iopl: ['172', '110', 1],
  lsm_list_modules: ['461', '461', 1],
  socket_decnet: ['41,12,5', '359,12,5', 1],
  socket_caif: ['41,37,5', '359,37,5', 1],
  socket_alg: ['41,38,5', '359,38,5', 1],
  socket_vsock: ['41,40,1', '359,40,1', 1],
  sethostname: ['170', '74', 1],
  unknown: ['600', '600', 38],
} as const;
/** The same; the errno is the call's own, for arguments that are wrong. */
const ALLOWED = {
  getpid: ['39', '20', 0],
  personality_ask: ['135,4294967295', '136,4294967295', 0],
  personality_32: ['135,8', '136,8', 0],
  personality_own: ['135,0', '136,0', 0],
  socket_unix: ['41,1,1', '359,1,1', 0],
  socket_netlink: ['41,16,3', '359,16,3', 0],
  ptrace: ['101,999', '26,999', 3],
  name_to_handle_at: ['303,0,0', '341,0,0', 14],
  chroot: ['161,0', '61,0', 14],
  memfd_create: ['319,0', '356,0', 14],
} as const;
/** getpid of the x32 convention. */
const X32_GETPID = String(0x40000000 + 39);

for (const mode of MODES) {
  describeUnless(whyNot(mode))(`the sandbox, in mode ${mode}`, () => {
    let fixture: RunFixture;

    before(async function () {
      this.timeout(120_000);
      fixture = await startFixture(mode);
      assert.equal((await fixture.helper.hello).error, undefined);
    });
    after(async () => await fixture?.close());

    const withMounts = async (command: string, ...mounts: readonly MountOperation[]) => {
      const outcome = await fixture.sh(command, { mounts: [...PROC_AND_DEV, ...mounts] });
      assert.equal(outcome.error, undefined);
      return outcome.stdout;
    };

    const noNumbers = process.arch === 'x64' ? undefined : 'has x86_64 numbers of system calls';
    describeUnless(noNumbers)('seccomp', () => {
      before(async function () {
        this.timeout(120_000);
        const probe = join(fixture.directory, 'probe');
        const options = ['--edition', '2024', '-C', 'target-feature=+crt-static', '-o', probe];
        execFileSync('rustc', [...options, PROBE], { stdio: 'pipe' });
        await copyFile(probe, join(fixture.layer, 'bin/probe'));
      });

      const probe = async (calls: readonly string[]) => {
        const request = await fixture.request(['probe', ...calls], {
          // With this capability, the calls would fail in other ways if they were made.
          process: {
            seccomp: DEFAULT_SECCOMP,
            capabilities: [...DEFAULT_CAPABILITIES, 'CAP_SYS_ADMIN'],
          },
        });
        const { stdout, reply, stderr } = await fixture.helper.run(request);
        assert.deepEqual(reply, { exitCode: 0 }, stderr);
        return stdout.trim().split('\n').map(Number);
      };

      it('refuses what Docker refuses, in the native and the 32-bit convention (EX-3)', async () => {
        const calls = Object.entries(REFUSED);
        const expected = calls.map(([name, [, , errno]]) => [name, errno]);
        const native = await probe(calls.map(([, [number]]) => number));
        assert.deepEqual(
          calls.map(([name], i) => [name, native[i]]),
          expected,
        );
        const foreign = await probe(['i386', ...calls.map(([, [, number]]) => number)]);
        assert.deepEqual(
          calls.map(([name], i) => [name, foreign[i]]),
          expected,
        );
      });

      it('lets through what Docker lets through (EX-3)', async () => {
        const calls = Object.entries(ALLOWED);
        const expected = calls.map(([name, [, , errno]]) => [name, errno]);
        const native = await probe(calls.map(([, [number]]) => number));
        const foreign = await probe(['i386', ...calls.map(([, [, number]]) => number)]);
        for (const got of [native, foreign]) {
          assert.deepEqual(
            calls.map(([name], i) => [name, got[i]]),
            expected,
          );
        }
      });

      it('knows no x32', async () => {
        assert.deepEqual(await probe([X32_GETPID]), [38]);
      });

      it('is there for ordinary programs: threads, pipes, forks', async () => {
        const { stdout, reply } = await fixture.sh('echo a | cat; (sleep 0; echo b) & wait', {
          process: { seccomp: DEFAULT_SECCOMP },
        });
        assert.deepEqual([stdout, reply], ['a\nb\n', { exitCode: 0 }]);
      });
    });

    it('has nothing of the host in its mount namespace', async () => {
      const stdout = await withMounts('cat /proc/self/mountinfo; ls -a /');
      const points = stdout.split('\n').filter((line) => line.includes(' - '));
      assert.deepEqual(
        points.map((line) => line.split(' ')[4]),
        ['/', '/proc', '/dev', '/dev/null'],
      );
      assert.ok(!stdout.includes(fixture.directory), stdout);
    });

    it('hides masked paths and keeps read-only ones, for root too (EX-4)', async () => {
      const masked = await withMounts(
        'cat /proc/kcore | wc -c; ls /data | wc -l; touch /data/x || echo a; echo x > /proc/sys/kernel/hostname || echo b; touch /etc/x || echo c; umount /proc/kcore || echo d; mount -o remount,rw /etc || echo e',
        { kind: 'mask', target: '/proc/kcore' },
        { kind: 'mask', target: '/data' },
        { kind: 'mask', target: '/not/there' },
        { kind: 'readonly', target: '/proc/sys' },
        { kind: 'readonly', target: '/etc' },
        { kind: 'readonly', target: '/not/there' },
      );
      assert.equal(masked, '0\n0\na\nb\nc\nd\ne\n');
    });

    it('mounts files that are in no layer, with their mode and owner (EX-6)', async () => {
      const layer = join(fixture.directory, 'stubs');
      await mkdir(join(layer, 'etc'), { recursive: true });
      await writeFile(join(layer, 'etc/hosts'), '');
      const outcome = await fixture.sh(
        'cat /etc/hosts; stat -c %a /etc/hosts; echo >> /etc/hosts || echo refused',
        {
          layers: [fixture.layer, layer],
          mounts: [
            ...PROC_AND_DEV,
            { kind: 'file', target: '/etc/hosts', ...textFile('127.0.0.1 me\n') },
          ],
        },
      );
      assert.equal(outcome.stdout, '127.0.0.1 me\n440\nrefused\n');
      assert.deepEqual(await upperFiles(fixture), []);
    });

    it('makes a /dev like Docker’s (EX-5)', async () => {
      const stdout = await withMounts(
        'ls /dev; echo x > /dev/null; echo ok; stat -c %a /dev/shm; stat -c "%t:%T" /dev/zero; grep -c mqueue /proc/mounts; touch /dev/shm/x; ls -l /dev/pts/ptmx | cut -c1-10',
        { kind: 'device', name: 'zero', target: '/dev/zero' },
        { kind: 'device', name: 'of-another-machine', target: '/dev/of-another-machine' },
        { kind: 'symlink', target: '/dev/fd', to: '/proc/self/fd' },
        { kind: 'directory', target: '/dev/pts', mode: 0o755 },
        { kind: 'devpts', target: '/dev/pts' },
        { kind: 'directory', target: '/dev/shm', mode: 0o755 },
        {
          kind: 'tmpfs',
          target: '/dev/shm',
          mode: 0o1777,
          size: 65536,
          readonly: false,
          flags: FLAGS,
        },
        { kind: 'directory', target: '/dev/mqueue', mode: 0o755 },
        { kind: 'mqueue', target: '/dev/mqueue' },
      );
      assert.equal(stdout, 'fd\nmqueue\nnull\npts\nshm\nzero\nok\n1777\n1:5\n1\ncrw-rw-rw-\n');
    });

    it('mounts a /sys and control groups, read-only, with its own network’s devices (EX-5)', async () => {
      const command =
        'ls /sys/class/net; test -d /sys/kernel && echo kernel; for f in /sys/x /sys/fs/cgroup/x; do touch $f || echo refused; done; umount /sys || echo kept; while read -r a b rest; do case "$b $rest" in "/sys"*" rw,"*) echo writable $b;; esac; done < /proc/mounts';
      const mounts: readonly MountOperation[] = [
        ...PROC_AND_DEV,
        { kind: 'sysfs', target: '/sys' },
        { kind: 'cgroup', target: '/sys/fs/cgroup' },
      ];
      const alone = await fixture.sh(command, { mounts, network: 'none' });
      assert.equal(alone.stdout, 'lo\nkernel\nrefused\nrefused\nkept\n');
      const { stdout } = await fixture.sh(command, { mounts });
      assert.match(stdout, /^[^]*lo\n[^]*kernel\nrefused\nrefused\nkept\n$/);
    });

    it('opens no device node that the command or an image made', async () => {
      const stdout = await withMounts(
        'for i in /tmp/node /dev/node; do mknod $i c 1 5 2>/dev/null; cat $i 2>/dev/null | head -c 1 | wc -c; done; head -c 1 /dev/zero | wc -c',
        { kind: 'device', name: 'zero', target: '/dev/zero' },
      );
      assert.equal(stdout, '0\n0\n1\n');
    });

    it('binds directories and files, read-only with all below it', async () => {
      const source = join(fixture.directory, 'source');
      await mkdir(source, { recursive: true });
      await writeFile(join(source, 'file'), 'bound');
      const stdout = await withMounts(
        'cat /data/file /tmp/../etc/passwd-file; touch /data/x || echo read-only; ls /sys/kernel | grep -c . ; touch /sys/kernel/x || echo read-only; grep " /data " /proc/self/mountinfo | cut -d" " -f6',
        { kind: 'bind', source, target: '/data', readonly: true, recursive: true, flags: FLAGS },
        {
          kind: 'bind',
          source: '/sys',
          target: '/sys',
          readonly: true,
          recursive: true,
          flags: FLAGS,
        },
        { kind: 'tmpfs', target: '/etc', mode: 0o755, readonly: false, flags: [] },
        { kind: 'directory', target: '/etc/passwd-file', mode: 0o755 },
      );
      assert.match(stdout, /^bound/);
      assert.match(stdout, /read-only\n\d+\nread-only\nro,nosuid,nodev,noexec/);
    });

    it('mounts a part of other layers, following their symlinks inside them only', async () => {
      const [below, above] = [join(fixture.directory, 'below'), join(fixture.directory, 'above')];
      await mkdir(join(below, 'real/part'), { recursive: true });
      await mkdir(join(above, 'real/part'), { recursive: true });
      await symlink('/real', join(below, 'link'));
      await writeFile(join(below, 'real/part/below'), '');
      await writeFile(join(above, 'real/part/above'), 'file');
      const overlay = { kind: 'overlay', readonly: true } as const;
      const stdout = await withMounts(
        'ls /data/deep /tmp; cat /etc/one; touch /tmp/x || echo read-only; grep -c overlay /proc/mounts',
        { ...overlay, layers: [below, above], subpath: '/link/part', target: '/tmp' },
        { ...overlay, layers: [below], subpath: '/', target: '/data' },
        { kind: 'tmpfs', target: '/etc', mode: 0o755, readonly: false, flags: [] },
        { kind: 'directory', target: '/etc/one', mode: 0o755 },
      );
      assert.match(stdout, /above\nbelow\n/);
      assert.match(stdout, /read-only\n3\n$/);
    });
  });
}

function textFile(text: string) {
  const content = Buffer.from(text).toString('base64');
  return { content, mode: 0o440, uid: 0, gid: 0, readonly: true, flags: [] } as const;
}

async function upperFiles(fixture: RunFixture): Promise<readonly string[]> {
  const output = execFileSync('find', [fixture.upper(), '-mindepth', '1'], { encoding: 'utf8' });
  return output.split('\n').filter((line) => line !== '');
}
