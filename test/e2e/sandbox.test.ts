/** What a RUN sees: the same by root and by an ordinary user. */

import assert from 'node:assert/strict';
import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Account, whyNoAccount } from '../support/accounts.ts';
import { itUnless, missing } from '../support/missing.ts';
import {
  busyboxMembers,
  EMPTY_LAYER,
  openRunBuilds,
  type RunBuilds,
} from '../support/run-builds.ts';
import { tar } from '../support/tar.ts';
import { writeTarLayout } from '../support/tar-layout.ts';

const KINDS = { root: 'by root', user: 'by an ordinary user with sub-ids' } as const;

for (const kind of ['root', 'user'] as const) {
  const whyNot = whyNoAccount(kind) ?? missing('busybox');
  const test = itUnless(whyNot);

  describe(`a RUN ${KINDS[kind]}`, function () {
    this.timeout(120_000);

    let account: Account;
    let build: RunBuilds['build'];

    before(async () => {
      if (whyNot === undefined) ({ account, build } = await openRunBuilds(kind));
    });
    after(async () => {
      if (whyNot === undefined) await account.close();
    });

    describe('sees', () => {
      test('the image’s environment, arguments and a HOME, and none of the caller’s (EX-9)', async () => {
        const { lines } = await build(
          'FROM base\nENV A="1 2"\nARG B=3\nRUN ["env"]\nUSER app\nCOPY passwd /etc/passwd\nRUN ["env"]\nUSER 77\nRUN ["env"]\n',
        );
        const own = ['A=1 2', 'B=3', 'PATH=/bin'];
        const homes = ['/root', '/home/app', '/'];
        assert.deepEqual(
          [0, 1, 2].map((run) => lines.slice(run * 4, run * 4 + 4).toSorted()),
          homes.map((home) => [...own, `HOME=${home}`].toSorted()),
        );
      });

      test('its WORKDIR, umask 022, an empty stdin, no terminal (EX-10, EX-11)', async () => {
        const { lines, last } = await build(
          'FROM base\nWORKDIR /made/here\nRUN pwd; umask; cat; test -t 0 || test -t 1 || echo none; echo x > file; mkdir dir\n',
        );
        assert.deepEqual(lines, ['/made/here', '0022', 'none']);
        assert.equal(last['made/here/file']?.mode, 0o644);
        assert.equal(last['made/here/dir/']?.mode, 0o755);
      });

      test('itself as PID 1, and the name of BuildKit’s sandbox (EX-1, EX-7)', async () => {
        const { lines } = await build(
          'FROM base\nRUN echo $$; hostname; ls -d /proc/[0-9]*; id -u\n',
        );
        assert.deepEqual([lines[0], lines[1], lines.at(-1)], ['1', 'buildkitsandbox', '0']);
        assert.ok(lines.includes('/proc/1'));
        assert.ok(lines.length <= 6, 'nobody else is there');
      });

      test('the name that was asked for, which it finds among its hosts (ARG-8)', async () => {
        const { lines } = await build(
          'FROM base\nRUN hostname; head -n 1 /etc/hosts\n',
          '--build-arg=BUILDKIT_SANDBOX_HOSTNAME=mine',
        );
        assert.deepEqual(lines, ['mine', '127.0.0.1\tlocalhost mine']);
      });

      test('its own layer, even if it changes nothing (RUN-7, HIST-6)', async () => {
        const { diffIDs } = await build('FROM base\nRUN true\nRUN :\n');
        assert.deepEqual(diffIDs.slice(1), [EMPTY_LAYER, EMPTY_LAYER]);
      });

      test('hosts and a resolver that cannot be changed, and are in no layer (EX-6, EX-7)', async () => {
        const { lines, diffIDs } = await build(
          `FROM base
RUN cat /etc/hosts; for f in hosts resolv.conf; do echo x >> /etc/$f || echo refused; rm /etc/$f || echo busy; done 2> /dev/null
`,
          '--add-host=db:10.0.0.7',
          '--add-host=six=[fd00::1]',
        );
        assert.deepEqual(lines, [
          '127.0.0.1\tlocalhost buildkitsandbox',
          '::1\tlocalhost ip6-localhost ip6-loopback',
          '10.0.0.7\tdb',
          'fd00::1\tsix',
          ...['refused', 'busy', 'refused', 'busy'],
        ]);
        assert.equal(diffIDs.at(-1), EMPTY_LAYER);
      });

      test('a resolver through a symlink of the image, which stays (EX-6)', async () => {
        for (const target of ['../run/resolve/stub.conf', '/run/resolve/stub.conf', 'nowhere']) {
          const { lines, diffIDs } = await build(
            `FROM base AS link
RUN mkdir /new && ln -s ${target} /new/resolv.conf
FROM base
COPY --from=link /new /etc
RUN readlink /etc/resolv.conf; grep -c ^nameserver /etc/resolv.conf; test -L /etc/resolv.conf && echo link
`,
          );
          assert.equal(lines[0], target);
          assert.ok(Number(lines[1]) > 0);
          assert.equal(lines[2], 'link');
          assert.equal(diffIDs.at(-1), EMPTY_LAYER);
        }
      });

      test('only the loopback device with --network=none (NET-2)', async () => {
        const { lines } = await build(
          'FROM base\nRUN --network=none grep -c : /proc/net/dev; grep -o lo: /proc/net/dev\n',
        );
        assert.deepEqual(lines, ['1', 'lo:']);
      });

      test('a user in each of its forms, and groups only for a name (META-4)', async () => {
        const forms = ['app', 'app:other', '1234', '77', '77:88', 'root', '0:0'];
        const runs = forms.map(
          (form) => `USER ${form}\nRUN echo ${form} $(id -u) $(id -g) $(id -G)\n`,
        );
        const { lines } = await build(`FROM base\nCOPY passwd group /etc/\n${runs.join('')}`);
        assert.deepEqual(lines, [
          'app 1234 2345 2345 3000',
          'app:other 1234 4000 4000',
          '1234 1234 2345 2345 3000',
          '77 77 0 0',
          '77:88 77 88 88',
          'root 0 0 0 3000',
          '0:0 0 0 0',
        ]);
      });

      test('a static program alone on scratch, whose mount points are not left (MP-4)', async () => {
        const { lines, diffIDs, last } = await build(
          'FROM scratch\nCOPY busybox /\nRUN ["/busybox", "ls", "/"]\nRUN ["/busybox", "sh", "-c", "echo $PATH; echo x > /made"]\n',
        );
        assert.deepEqual(lines.slice(0, -1).toSorted(), ['busybox', 'dev', 'etc', 'proc', 'sys']);
        assert.equal(lines.at(-1), '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin');
        assert.equal(diffIDs[1], EMPTY_LAYER);
        assert.deepEqual(Object.keys(last), ['made']);
      });

      test('directories that a layer does not list, as the layer below has them', async () => {
        const layout = join(account.home, `implied-${kind}`);
        await writeImpliedLayout(layout);
        const stat = 'FROM implied\nRUN stat -c "%a %u:%g %n" /srv /srv/deep /srv/deep/added';
        const base = `--build-context=implied=oci-layout://${layout}`;
        const { lines, diffIDs, last } = await build(`${stat}\nRUN echo x > /srv/deep/own\n`, base);
        const there = ['711 7:8 /srv', '2750 9:10 /srv/deep', '600 0:0 /srv/deep/added'];
        assert.deepEqual(lines, there);
        // Which they are is looked up once for a layer, and then known.
        assert.deepEqual((await build(`${stat} # again\n`, base)).lines, there);
        assert.equal(diffIDs[2], EMPTY_LAYER);
        assert.deepEqual(Object.keys(last), ['srv/', 'srv/deep/', 'srv/deep/own']);
        assert.deepEqual(
          ['srv/', 'srv/deep/'].map((name) => [last[name]?.mode, last[name]?.uid, last[name]?.gid]),
          [
            [0o711, 7, 8],
            [0o2750, 9, 10],
          ],
        );
      });
    });

    describe('with --mount', () => {
      test('keeps a cache from RUN to RUN and from build to build, in no layer (RUN-16, RUN-24)', async () => {
        const cache = `--mount=type=cache,target=/new/cache,id=c-${kind}`;
        const dockerfile = (n: number) =>
          `FROM base\nRUN ${cache} echo ${n} >> /new/cache/log\nRUN ${cache} cat /new/cache/log; : ${n}\n`;
        const one = await build(dockerfile(1));
        assert.deepEqual(one.lines, ['1']);
        assert.deepEqual(one.diffIDs.slice(1), [EMPTY_LAYER, EMPTY_LAYER]);
        assert.deepEqual((await build(dockerfile(2))).lines, ['1', '2']);
      });

      test('has an empty tmpfs of its size, in no layer (RUN-19)', async () => {
        const { lines, diffIDs } = await build(
          `FROM base
RUN --mount=type=tmpfs,target=/data,size=4m ls -A /data; stat -c %a /data; dd if=/dev/zero of=/data/x bs=1M count=9 2> /dev/null || stat -c %s /data/x
`,
        );
        assert.deepEqual(lines, ['1777', String(4 << 20)]);
        assert.equal(diffIDs.at(-1), EMPTY_LAYER);
      });

      test('reads a secret, which is nowhere else (RUN-20)', async () => {
        const secret = `hush-${kind}-5b1e`;
        await writeFile(join(account.home, 'secret'), secret);
        await chmod(join(account.home, 'secret'), 0o644);
        const { lines, diffIDs } = await build(
          `FROM base
RUN --mount=type=secret,id=key --mount=type=secret,id=key,env=KEY --mount=type=secret,id=key,target=/own/key,uid=1234,mode=0440 stat -c "%a %u %n" /run/secrets/key /own/key; cat /own/key | wc -c; test "$KEY" = "$(cat /run/secrets/key)"
RUN test ! -e /run/secrets && test ! -e /own && echo gone
`,
          `--secret=id=key,src=${account.home}/secret`,
        );
        assert.deepEqual(lines, [
          '400 0 /run/secrets/key',
          '440 1234 /own/key',
          String(secret.length),
          'gone',
        ]);
        assert.deepEqual(diffIDs.slice(1), [EMPTY_LAYER, EMPTY_LAYER]);
        const found = await account.run('grep', ['-r', '-l', secret, join(account.home, 'store')]);
        assert.equal(found.stdout, '', 'the store has the secret');
      });

      test('binds the context, without what is ignored, read-only (RUN-14)', async () => {
        const { lines, diffIDs } = await build(
          `FROM base
RUN --mount=target=/src --mount=source=passwd,target=/own.txt ls -A /src; wc -l < /own.txt; echo x > /src/new || echo refused; echo x > /src/passwd || echo refused
`,
        );
        assert.deepEqual(
          lines.filter((line) => !line.startsWith('/bin/sh')),
          ['.dockerignore', 'Dockerfile', 'busybox', 'group', 'passwd', '2', 'refused', 'refused'],
        );
        assert.equal(diffIDs.at(-1), EMPTY_LAYER);
      });

      test('binds a stage, and forgets what was written to it (RUN-14)', async () => {
        const mount = '--mount=from=one,source=/dir,target=/other';
        const { lines, diffIDs } = await build(
          `FROM base AS one
RUN mkdir /dir && echo one > /dir/file
FROM base
RUN ${mount},rw echo two >> /other/file; cat /other/file; echo x > /other/more
RUN ${mount} ls /other; cat /other/file
`,
        );
        assert.deepEqual(lines, ['one', 'two', 'file', 'one']);
        assert.deepEqual(diffIDs.slice(1), [EMPTY_LAYER, EMPTY_LAYER]);
      });
    });
  });
}

/** Two layers; the second has a file, and not the directories above it. */
async function writeImpliedLayout(layout: string): Promise<void> {
  const lower = tar([
    ...(await busyboxMembers()),
    { name: 'srv/', type: '5', mode: 0o711, uid: 7, pax: { gid: '8' }, mtime: 1000 },
    { name: 'srv/deep/', type: '5', mode: 0o2750, uid: 9, pax: { gid: '10' }, mtime: 2000 },
  ]);
  const upper = tar([{ name: 'srv/deep/added', content: 'x', mode: 0o600 }]);
  await writeTarLayout(layout, [lower, upper], { Env: ['PATH=/bin'] });
}
