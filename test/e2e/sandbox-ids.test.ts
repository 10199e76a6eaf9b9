/** What a RUN sees, id by id of features.md 6.1: the same by root and by an ordinary user. */

import assert from 'node:assert/strict';
import { readlink, writeFile } from 'node:fs/promises';
import { cpus, release } from 'node:os';
import { join } from 'node:path';
import type { Account } from '../support/accounts.ts';
import { itUnless } from '../support/missing.ts';
import { outputOf } from '../support/plain-output.ts';
import { EMPTY_LAYER, type RunBuilds } from '../support/run-builds.ts';
import { RUNGS } from '../support/rungs.ts';

/** Docker's fourteen, as a mask. */
const CAPABILITIES = '00000000a80425fb';
const NONE = '0000000000000000';
const NAMESPACES = ['mnt', 'pid', 'ipc', 'uts', 'cgroup', 'net'] as const;

for (const { name: kind, title, whyNot, open } of RUNGS) {
  // Emulated users and groups: rungs.test.ts, test/real.
  if (kind === 'single') continue;
  const test = itUnless(whyNot);

  describe(`what a RUN sees ${title}`, function () {
    this.timeout(120_000);

    let account: Account;
    let build: RunBuilds['build'];
    let attempt: RunBuilds['attempt'];

    before(async () => {
      if (whyNot === undefined) ({ account, build, attempt } = await open());
    });
    after(async () => {
      if (whyNot === undefined) await account.close();
    });

    /** Files of /proc by label: `CapEff` of a status. */
    const statusOf = async (dockerfile: string, ...labels: readonly string[]) => {
      const pattern = labels.join('|');
      const { lines } = await build(
        `FROM base\nCOPY passwd /etc/\n${dockerfile}RUN ["busybox", "grep", "-E", "^(${pattern}):", "/proc/self/status"]\n`,
      );
      return Object.fromEntries(lines.map((line) => line.split(':\t')));
    };

    test('namespaces of its own, for control groups, too; root’s ids are the host’s (EX-1)', async () => {
      const links = [...NAMESPACES, 'user'].map((name) => `/proc/self/ns/${name}`);
      const { lines } = await build(
        `FROM base\nRUN --network=none for link in ${links.join(' ')}; do readlink $link; done; cut -d: -f3 /proc/self/cgroup | busybox sort -u\n`,
      );
      const own = await Promise.all(links.map(async (link) => await readlink(link)));
      const same = own.filter((link, i) => lines[i] === link);
      assert.equal(lines.length, own.length + 1, lines.join('\n'));
      assert.deepEqual(same, kind === 'root' ? own.slice(-1) : []);
      assert.equal(lines.at(-1), '/', 'the group is the root of its namespace');
    });

    test('itself as PID 1, without an init: what it leaves is ended, what it does not handle is ignored (EX-1, EX-12)', async () => {
      const { lines } = await build(
        `FROM base
RUN echo $$; kill -TERM $$; kill -KILL 1; echo still here; sh -c 'kill -KILL $$'; echo $?; (sh -c 'exit 3' & sleep 300 &) ; exec echo end
`,
      );
      assert.deepEqual(
        lines.filter((line) => line !== 'Killed'),
        ['1', 'still here', '137', 'end'],
      );
      await account.assertClean();
    });

    test('a signal’s exit code, as a shell tells it (EX-12)', async () => {
      const outcome = await attempt('FROM base\nRUN (sh -c "kill -KILL \\$\\$"); exit $?\n');
      assert.notEqual(outcome.code, 0);
      assert.match(outcome.stderr, /did not complete successfully: exit code: 137/);
    });

    test('Docker’s capabilities, root alone; none to inherit; set-id programs work (EX-2)', async () => {
      const labels = ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb', 'NoNewPrivs'];
      const root = [NONE, CAPABILITIES, CAPABILITIES, CAPABILITIES, NONE, '0'];
      const user = [NONE, NONE, NONE, CAPABILITIES, NONE, '0'];
      assert.deepEqual(Object.values(await statusOf('', ...labels)), root);
      assert.deepEqual(Object.values(await statusOf('USER app\n', ...labels)), user);
    });

    test('one system call filter (EX-3), and no signal that is ignored', async () => {
      const status = await statusOf('', 'Seccomp', 'Seccomp_filters', 'SigIgn', 'SigBlk');
      assert.deepEqual(status, {
        Seccomp: '2',
        Seccomp_filters: '1',
        SigIgn: NONE,
        SigBlk: NONE,
      });
    });

    test('Docker’s masked and read-only paths of /proc and /sys (EX-4)', async () => {
      const { lines } = await build(
        `FROM base
RUN for f in bus fs irq sys sysrq-trigger; do test ! -e /proc/$f || grep -q "^proc /proc/$f proc ro," /proc/mounts || echo $f is writable; done; for f in acpi asound scsi; do ls -A /proc/$f 2> /dev/null; done; for f in kcore keys latency_stats timer_list timer_stats sched_debug; do cat /proc/$f 2> /dev/null; done; for f in firmware devices/virtual/powercap; do ls -A /sys/$f 2> /dev/null; done; echo end
`,
      );
      assert.deepEqual(lines, ['end']);
    });

    test('a /dev of few nodes, and the kernel’s filesystems with what they may (EX-5)', async () => {
      const { lines } = await build(
        `FROM base
RUN ls /dev | tr '\\n' ' '; echo; for f in null zero full random urandom tty; do stat -c '%a %t:%T' /dev/$f; done
RUN for f in ptmx fd stdin stdout stderr; do readlink /dev/$f; done; stat -c '%a %n' /dev /dev/pts /dev/shm /dev/mqueue
RUN busybox awk '$2 ~ "^/(proc|dev|dev/pts|dev/shm|dev/mqueue|sys|sys/fs/cgroup)?$" { print $2, $3, $4 }' /proc/mounts | busybox cut -d, -f1-4
RUN echo x > /dev/stdout; echo x > /dev/stderr; : > /dev/shm/a; test -e /run || echo "/run is the image's"
`,
      );
      const [names, ...rest] = lines;
      assert.equal(
        names,
        'fd full mqueue null ptmx pts random shm stderr stdin stdout tty urandom zero ',
      );
      const nodes = ['1:3', '1:5', '1:7', '1:8', '1:9', '5:0'].map((number) => `666 ${number}`);
      assert.deepEqual(rest.slice(0, 6), nodes);
      assert.deepEqual(rest.slice(6, 15), [
        'pts/ptmx',
        '/proc/self/fd',
        ...[0, 1, 2].map((fd) => `/proc/self/fd/${fd}`),
        ...['755 /dev', '755 /dev/pts', '1777 /dev/shm', '1777 /dev/mqueue'],
      ]);
      const mounts = Object.fromEntries(
        rest.slice(15, -3).map((line) => [line.split(' ')[0], line.split(' ').slice(1).join(' ')]),
      );
      // By root, control groups may tell devices apart instead (test/native/device-nodes.test.ts).
      assert.match(mounts['/'] ?? '', kind === 'root' ? /^overlay rw,/ : /^overlay rw,nodev/);
      assert.equal(mounts['/proc'], 'proc rw,nosuid,nodev,noexec');
      assert.match(mounts['/dev'] ?? '', /^tmpfs rw,nosuid/);
      assert.match(mounts['/dev/pts'] ?? '', /^devpts rw,nosuid,noexec/);
      assert.equal(mounts['/dev/shm'], 'tmpfs rw,nosuid,nodev,noexec');
      assert.equal(mounts['/dev/mqueue'], 'mqueue rw,nosuid,nodev,noexec');
      assert.equal(mounts['/sys'], 'sysfs ro,nosuid,nodev,noexec');
      assert.match(mounts['/sys/fs/cgroup'] ?? '', / ro,nosuid,nodev,noexec$/);
      assert.deepEqual(rest.slice(-3).toSorted(), ["/run is the image's", 'x', 'x']);
    });

    if (kind === 'root') {
      test('its own control group as the root of /sys/fs/cgroup, with cgroup 2 (EX-5, EX-12)', async () => {
        await attempt('FROM base\nRUN true\n');
        const group = `tsbuild-test-${process.pid}`;
        const words = [
          ...account.command,
          ...['--no-cache', '--build-context', `base=oci-layout://${account.home}/busybox`],
          join(account.home, 'context'),
        ];
        await writeFile(
          join(account.home, 'context/Dockerfile'),
          'FROM base\nRUN grep cgroup /proc/mounts; ls /sys/fs/cgroup | grep -x cgroup.type; ls -d /sys/fs/cgroup/tsbuild-test*; cat /proc/self/cgroup | grep ^0:\n',
        );
        const script = [
          'umount -R /sys/fs/cgroup; mount -t cgroup2 cgroup2 /sys/fs/cgroup || exit 9',
          `mkdir /sys/fs/cgroup/${group}; echo $$ > /sys/fs/cgroup/${group}/cgroup.procs`,
          words.map((word) => `'${word}'`).join(' '),
          `code=$?; echo $$ > /sys/fs/cgroup/cgroup.procs; rmdir /sys/fs/cgroup/${group}; exit $code`,
        ];
        const outcome = await account.run('unshare', ['--mount', 'sh', '-c', script.join('\n')]);
        assert.equal(outcome.code, 0, outcome.stderr);
        const [mount = '', ...rest] = outputOf(outcome);
        assert.match(mount, /^cgroup2 \/sys\/fs\/cgroup cgroup2 ro,nosuid,nodev,noexec/);
        // Only groups below the machine's root have a type.
        assert.deepEqual(
          rest.filter((line) => !line.startsWith('ls:')),
          ['cgroup.type', '0::/'],
        );
      });
    }

    test('its environment in the order of its making: image, ENV and ARG, proxies, HOME (EX-9)', async () => {
      const { lines } = await build(
        'FROM base\nENV ZZ=1 B=2\nARG AA=3\nENV CC=4\nRUN ["env"]\n',
        '--build-arg=HTTP_PROXY=http://192.0.2.1:1',
      );
      const known = ['PATH', 'ZZ', 'B', 'AA', 'CC', 'HTTP_PROXY', 'HOME'];
      const names = lines.map((line) => line.split('=')[0] ?? '');
      assert.deepEqual(
        names.filter((name) => known.includes(name)),
        known,
      );
      for (const absent of ['TERM', 'HOSTNAME', 'USER', 'CI', 'container', 'TSBUILD_STORE']) {
        assert.ok(!names.includes(absent), absent);
      }
    });

    test('umask 022 and few descriptors, whatever the caller has (EX-10)', async () => {
      const words = [
        ...account.command,
        ...['--no-cache', '--build-context', `base=oci-layout://${account.home}/busybox`],
        join(account.home, 'context'),
      ];
      await attempt('FROM base\nRUN umask; test $(ulimit -Sn) -le 65536 && echo few; ulimit -c\n');
      const script = `umask 077; ulimit -c 0; exec ${words.map((word) => `'${word}'`).join(' ')}`;
      const outcome = await account.run('sh', ['-c', script]);
      assert.equal(outcome.code, 0, outcome.stderr);
      assert.deepEqual(outputOf(outcome), ['0022', 'few', '0']);
    });

    test('a WORKDIR that was not there, made as its user’s, 0755 (EX-11)', async () => {
      const { lines } = await build(
        'FROM base\nCOPY passwd /etc/\nUSER app\nWORKDIR /new/place\nRUN pwd; stat -c "%a %u" . ..; id -un; cat | wc -c\n',
      );
      assert.deepEqual(lines, ['/new/place', '755 1234', '755 1234', 'app', '0']);
    });

    test('the host’s kernel, processors and clock (EX-14)', async () => {
      const before = Math.floor(Date.now() / 1000);
      const { lines } = await build(
        'FROM base\nRUN uname -r; grep -c ^processor /proc/cpuinfo; date +%s\n',
      );
      assert.deepEqual(lines.slice(0, 2), [release(), String(cpus().length)]);
      assert.ok(Number(lines[2]) >= before && Number(lines[2]) <= Date.now() / 1000);
    });

    test('an overlay without redirects and metadata copies: renames of lower directories are for mv to copy (EX-15)', async () => {
      const { lines, layers } = await build(
        `FROM base
RUN mkdir -p /dir/sub && echo x > /dir/sub/file
RUN mv /dir /moved && cat /moved/sub/file; grep '^overlay / ' /proc/mounts
`,
      );
      assert.equal(lines[0], 'x');
      assert.doesNotMatch(lines[1] ?? '', /redirect_dir=on|metacopy=on|index=on/);
      assert.deepEqual(
        layers.at(-1)?.map(({ name }) => name),
        ['.wh.dir', 'moved/', 'moved/sub/', 'moved/sub/file'],
      );
    });

    test('mount points that an image lacks, nested ones too, in no layer, and no parent’s time changed (EX-6)', async () => {
      const mounts = ['tmpfs,target=/a/b/c', 'cache,target=/a/b/d', 'bind,target=/srv/x/y'];
      const flags = mounts.map((mount) => `--mount=type=${mount}`).join(' ');
      const { lines, diffIDs, last } = await build(
        `FROM scratch
COPY busybox /busybox
RUN ["/busybox", "sh", "-c", "/busybox mkdir /srv; /busybox touch -d @1234567890 /srv"]
RUN ${flags} ["/busybox", "stat", "-c", "%Y", "/srv"]
RUN ["/busybox", "stat", "-c", "%Y", "/srv"]
RUN --mount=type=tmpfs,target=/srv/z ["/busybox", "touch", "/srv/own"]
`,
      );
      assert.deepEqual(lines, ['1234567890', '1234567890']);
      assert.equal(diffIDs[2], EMPTY_LAYER);
      assert.equal(diffIDs[3], EMPTY_LAYER);
      assert.deepEqual(Object.keys(last), ['srv/', 'srv/own']);
    });
  });
}
