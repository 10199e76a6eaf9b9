/** Ways out of a RUN, tried: by root and by ordinary users. The programs that try are escape-probe.rs and busybox. */

import assert from 'node:assert/strict';
import { chmod, mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { release } from 'node:os';
import { join } from 'node:path';
import type { Account } from '../support/accounts.ts';
import { itUnless, missing } from '../support/missing.ts';
import { outputOf } from '../support/plain-output.ts';
import { buildProbe, whyNoProbe } from '../support/probe.ts';
import { busyboxMembers, EMPTY_LAYER, type RunBuilds } from '../support/run-builds.ts';
import { RUNGS } from '../support/rungs.ts';
import { tar } from '../support/tar.ts';
import { writeTarLayout } from '../support/tar-layout.ts';

/** Numbers of x86_64, arguments, and what comes of them. */
const CALLS = {
  mount: ['165', 'EPERM'],
  umount2: ['166', 'EPERM'],
  pivot_root: ['155', 'EPERM'],
  fsopen: ['430', 'EPERM'],
  open_tree: ['428', 'EPERM'],
  'a user namespace': ['272 268435456', 'EPERM'],
  'a clone in a user namespace': ['56 268435456', 'EPERM'],
  clone3: ['435', 'ENOSYS'],
  setns: ['308 0 0', 'EPERM'],
  bpf: ['321', 'EPERM'],
  keyctl: ['250 0 -3 0', 'EPERM'],
  add_key: ['248', 'EPERM'],
  request_key: ['249', 'EPERM'],
  open_by_handle_at: ['304', 'EPERM'],
  io_uring_setup: ['425', 'EPERM'],
  perf_event_open: ['298', 'EPERM'],
  userfaultfd: ['323', 'EPERM'],
  kexec_load: ['246', 'EPERM'],
  finit_module: ['313', 'EPERM'],
  AF_ALG: ['41 38 5', 'EPERM'],
  AF_VSOCK: ['41 40 1', 'EPERM'],
} as const;

/** Files of the kernel through which the host could be changed. */
const KERNEL_FILES = [
  '/proc/sys/kernel/core_pattern',
  '/proc/sys/kernel/modprobe',
  '/proc/sys/kernel/hostname',
  '/proc/sys/vm/panic_on_oom',
  '/proc/sysrq-trigger',
  '/proc/irq/default_smp_affinity',
  '/sys/kernel/uevent_helper',
  '/sys/kernel/uevent_seqnum',
  '/sys/fs/cgroup/cgroup.procs',
  '/sys/fs/cgroup/memory/release_agent',
];

for (const { name: kind, title, whyNot: whyNoRung, open } of RUNGS) {
  const whyNot = whyNoRung ?? missing('rustc') ?? whyNoProbe();
  const test = itUnless(whyNot);

  describe(`out of a RUN ${title}`, function () {
    this.timeout(120_000);

    let account: Account;
    let build: RunBuilds['build'];
    let attempt: RunBuilds['attempt'];
    /** A directory of the host, which no RUN must reach. */
    let outside: string;
    let hasCanary: () => Promise<void>;

    before(async () => {
      if (whyNot !== undefined) return;
      const builds = await open();
      ({ account, attempt } = builds);
      outside = join(account.home, 'outside');
      await mkdir(outside);
      await writeFile(join(outside, 'canary'), 'alive');
      await account.own(outside);
      hasCanary = async () => {
        assert.deepEqual(await readdir(outside), ['canary']);
        assert.equal(await readFile(join(outside, 'canary'), 'utf8'), 'alive');
      };
      buildProbe(join(builds.context, 'probe'));
      await chmod(join(builds.context, 'probe'), 0o755);
      build = async (dockerfile, ...flags) =>
        await builds.build(`FROM base\nCOPY probe /bin/probe\n${dockerfile}`, ...flags);
    });
    after(async () => {
      if (whyNot === undefined) await account.close();
    });

    test('leads no system call that could make one: mounts, namespaces, keys, the kernel', async () => {
      const { lines } = await build(
        Object.values(CALLS)
          .map(([words], i) => `${i === 0 ? 'RUN' : ' &&'} probe call ${words}`)
          .join(' \\\n'),
      );
      assert.deepEqual(
        lines,
        Object.values(CALLS).map(([words, outcome]) => `call ${words} ${outcome}`),
      );
    });

    test('leads no process id: /proc has its own processes, none of them of ours', async () => {
      const attach = [16, 0x4206].map((request) => `probe call 101 ${request} ${process.pid}`);
      const { lines } = await build(
        `RUN ls /proc/1/root; echo; readlink /proc/[0-9]*/exe; ${attach.join('; ')}; kill -0 ${process.pid} 2> /dev/null || echo nobody
`,
      );
      const end = lines.indexOf('');
      assert.deepEqual(lines.slice(0, end), ['bin', 'data', 'dev', 'etc', 'proc', 'sys', 'tmp']);
      const rest = lines.slice(end + 1);
      assert.deepEqual(new Set(rest.slice(0, -3)), new Set(['/bin/busybox']));
      assert.deepEqual(
        rest.slice(-3).map((line) => line.split(' ').at(-1)),
        ['ESRCH', 'ESRCH', 'nobody'],
      );
    });

    test('leads no file of the kernel', async () => {
      const { lines } = await build(
        `RUN for file in ${KERNEL_FILES.join(' ')}; do probe write $file; done; cat /proc/kcore /proc/keys /proc/timer_list 2> /dev/null | wc -c; find /proc/scsi /proc/acpi /sys/firmware -mindepth 1 2> /dev/null | wc -l; find /proc/sys /sys -type f -perm -200 -maxdepth 4 2> /dev/null | while read -r file; do (: >> "$file") 2> /dev/null && echo $file; done; echo end
`,
      );
      for (const line of lines.slice(0, KERNEL_FILES.length)) {
        assert.match(line, / (EROFS|EACCES|EPERM|ENOENT)$/);
      }
      assert.deepEqual(lines.slice(KERNEL_FILES.length), ['0', '0', 'end']);
    });

    test('leads no device: nodes that it makes or finds cannot be opened, nor the host’s be changed', async () => {
      const modeOf = async (name: string) => (await stat(`/dev/${name}`)).mode;
      const before = await modeOf('full');
      const { lines } = await build(
        `RUN for node in "disk b 8 0" "memory c 1 1" "ports c 1 4" "zeros c 1 5"; do set -- $node; for place in / /dev/ /dev/shm/ /tmp/; do mknod $place$1 $2 $3 $4 2> /dev/null; probe read $place$1; echo bytes $(head -c 1 $place$1 2> /dev/null | wc -c); rm -f $place$1; done; done
RUN chmod 600 /dev/full; chown 1:1 /dev/full; true
RUN stat -c %a:%u /dev/full; mv /dev/null /dev/other || rm /dev/null || echo stays; probe write /dev/null; head -c 1 /dev/zero | wc -c
`,
      );
      const tried = lines.filter((line) => line.startsWith('read '));
      assert.equal(tried.length, 16);
      // An ordinary user cannot even make them; with one id, they are empty files.
      const outcomes = { root: / (EACCES|EPERM)$/, user: / ENOENT$/, single: / (done|ENOENT)$/ };
      const bytes = lines.filter((line) => line.startsWith('bytes '));
      for (const [at, line] of tried.entries()) {
        // What the RUN has in /dev anyway opens in its root filesystem, too, where devices can be told apart.
        const isOwn = kind === 'root' && /\/(tmp\/)?zeros done$/.test(line);
        if (!isOwn) assert.match(line, outcomes[kind]);
        assert.equal(bytes[at], isOwn ? 'bytes 1' : 'bytes 0', line);
      }
      const own = kind === 'root' ? '666:0' : '666:65534';
      const rest = lines.slice(lines.indexOf(own)).filter((line) => !/^(mv|rm):/.test(line));
      assert.deepEqual(rest, [own, 'stays', 'write /dev/null done', '1']);
      assert.equal(await modeOf('full'), before);
    });

    test('leads no chroot, out of which root can always get: what it gets into is the RUN’s own root', async () => {
      assert.deepEqual((await build('RUN probe chroot\n')).lines, ['chroot own root']);
    });

    test('leads no descriptor, and no program of ours', async () => {
      const { lines } = await build(
        'RUN probe descriptors; for fd in 0 1 2; do readlink /proc/1/fd/$fd; done; ls /proc/1/fd; readlink /proc/1/exe; probe write /proc/1/exe\n',
      );
      assert.equal(lines[0], 'descriptors 0,1,2');
      assert.equal(lines[1], '/dev/null');
      for (const line of lines.slice(2, 4)) assert.match(line, /^pipe:\[\d+\]$/);
      // The third is the one by which ls reads.
      assert.deepEqual(lines.slice(4, -2).slice(0, 3), ['0', '1', '2']);
      assert.deepEqual(lines.slice(-2), ['/bin/busybox', 'write /proc/1/exe ETXTBSY']);
    });

    test('leads no terminal of the caller’s, not even to type into it (TIOCSTI)', async () => {
      const file = join(account.home, 'terminal.sh');
      const layout = `base=oci-layout://${account.home}/busybox`;
      const context = join(account.home, 'context');
      await writeFile(
        join(context, 'Dockerfile'),
        'FROM base\nCOPY probe /bin/probe\nRUN probe terminal\n',
      );
      const words = [...account.command, '--build-context', layout, context];
      await writeFile(file, `exec ${words.map((word) => `'${word}'`).join(' ')}\n`);
      const args = ['-qec', `sh ${file}`, join(account.home, 'typescript')];
      const outcome = await account.run('script', args);
      assert.equal(outcome.code, 0, outcome.stdout);
      assert.match(outcome.stdout, /terminal ENXIO,ENOTTY,ENOTTY,ENOTTY/);
    });

    const [major = 0, minor = 0] = release().split('.').map(Number);
    const scoped = major > 6 || (major === 6 && minor >= 12);
    itUnless(whyNot ?? (scoped ? undefined : 'needs Linux 6.12'))(
      'leads no abstract socket of the host, with any network; its own it has',
      async () => {
        const name = `tsbuild-${kind}-${process.pid}`;
        const server = createServer((connection) => connection.destroy());
        await new Promise<void>((resolve) => server.listen(`\0${name}`, resolve));
        try {
          const { lines } = await build(
            `RUN probe abstract ${name}; probe own-abstract ${name}-own\nRUN --network=none probe abstract ${name}\nUSER 77\nRUN probe abstract ${name}\n`,
          );
          assert.deepEqual(
            lines.map((line) => line.split(' ').at(-1)),
            ['EPERM', 'done', 'ECONNREFUSED', 'EPERM'],
          );
        } finally {
          server.close();
        }
      },
    );

    test('leads no symlink of an image: of /etc/resolv.conf, /etc/hosts, /etc', async () => {
      const up = '../'.repeat(12);
      for (const target of [outside, `${up}${outside}`, `${outside}/canary`, `${up}etc/passwd`]) {
        const { diffIDs } = await build(
          `RUN rm -rf /etc/resolv.conf /etc/hosts; mkdir /new; ln -s ${target} /new/resolv.conf; ln -s ${target}-hosts /new/hosts
FROM base
COPY --from=0 /new /etc
RUN echo x >> /etc/resolv.conf; echo x >> /etc/hosts; ls /etc; true
`,
        );
        assert.equal(diffIDs.at(-1), EMPTY_LAYER);
        await hasCanary();
      }
      const layout = join(account.home, `etc-${kind}`);
      const members = [...(await busyboxMembers()), { name: 'etc', type: '2', link: outside }];
      await writeTarLayout(layout, [tar(members)], { Env: ['PATH=/bin'] });
      const outcome = await attempt(
        'FROM linked\nRUN echo x > /etc/made; /bin/busybox ls /etc/\n',
        `--build-context=linked=oci-layout://${layout}`,
      );
      assert.equal(outcome.code, 0, outcome.stderr);
      assert.deepEqual(outputOf(outcome), ['hosts', 'made', 'resolv.conf']);
      await hasCanary();
    });

    test('leads no symlink that is a WORKDIR or the target of a mount', async () => {
      const { lines, last } = await build(
        `RUN ln -s ${outside} /link && ln -s ${'../'.repeat(9)}${outside} /relative
WORKDIR /link/work
RUN pwd -P; echo x > made
RUN --mount=type=tmpfs,target=/link/tmpfs --mount=type=cache,target=/relative/cache,id=e-${kind} --mount=type=bind,target=/link/bind echo x > /link/tmpfs/x; echo x > /relative/cache/x; echo x > /relative/own; ls ${outside}
`,
      );
      assert.deepEqual(lines, [`${outside}/work`, 'bind', 'cache', 'own', 'tmpfs', 'work']);
      assert.ok(`${outside.slice(1)}/own` in last);
      await hasCanary();
    });

    test('leads no store: others cannot enter it, so its set-id programs and device nodes are nobody’s', async () => {
      const make = kind === 'root' ? ' && mknod -m 666 /disk b 7 9' : '';
      await build(`RUN cp /bin/busybox /root-shell && chmod 4755 /root-shell${make}\n`);
      const { mode } = await stat(join(account.home, 'store/v1'));
      assert.equal(mode & 0o077, 0);
    });
  });
}
