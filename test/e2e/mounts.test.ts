/** `RUN --mount` of type bind, cache and tmpfs, on every rung (1.7; secrets and ssh have files of their own). */

import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { itUnless } from '../support/missing.ts';
import { EMPTY_LAYER, type RunBuilds } from '../support/run-builds.ts';
import { RUNGS } from '../support/rungs.ts';
import { appearing } from '../support/sandbox.ts';

/** Adds to a number ten times, so that two at once would lose some. */
const COUNT =
  'i=0; while [ $i -lt 10 ]; do n=$(cat /c/n 2> /dev/null || echo 0); sleep 0.02; echo $((n + 1)) > /c/n; i=$((i + 1)); done';

for (const { title, name, whyNot, open } of RUNGS) {
  const test = itUnless(whyNot);

  describe(`a mount ${title}`, function () {
    this.timeout(120_000);

    let builds: RunBuilds;
    let build: RunBuilds['build'];

    before(async () => {
      if (whyNot !== undefined) return;
      builds = await open();
      ({ build } = builds);
      await mkdir(join(builds.context, 'dir'));
      await writeFile(join(builds.context, 'dir/file'), 'from the context\n');
    });
    after(async () => {
      if (whyNot === undefined) await builds.account.close();
    });

    describe('of type bind', () => {
      test('shows a directory or file of an image, a named context, a stage or the context (RUN-14, RUN-15)', async () => {
        const named = join(builds.account.home, 'named');
        await mkdir(named, { recursive: true });
        await writeFile(join(named, 'file'), 'from a named context\n');
        await builds.account.own(named);
        const { lines, diffIDs } = await build(
          `FROM base AS one
RUN mkdir /dir && echo from a stage > /dir/file
FROM base
WORKDIR /work
RUN --mount=from=one,source=dir,target=/stage --mount=from=one,source=/dir/file,target=/file \\
    --mount=from=named,target=named --mount=from=base,source=/etc,dst=image \\
    --mount=source=dir,target=context --mount=src=dir/file,destination=/a/b/c \\
    cat /stage/file /file named/file context/file /a/b/c; ls image/passwd
RUN ls -A /work; ls -d /stage /file /a 2> /dev/null || echo gone
`,
          `--build-context=named=${named}`,
        );
        assert.deepEqual(lines, [
          'from a stage',
          'from a stage',
          'from a named context',
          'from the context',
          'from the context',
          'image/passwd',
          'gone',
        ]);
        assert.deepEqual(diffIDs.slice(-2), [EMPTY_LAYER, EMPTY_LAYER]);
      });

      test('can be written to when it says rw, for the one RUN (RUN-14)', async () => {
        const { lines, diffIDs } = await build(
          `FROM base
RUN --mount=source=dir,target=/d,rw --mount=source=dir/file,target=/f,readwrite \\
    echo x > /d/new; echo y >> /d/file; echo z > /f; cat /d/new /d/file /f
RUN --mount=source=dir,target=/d --mount=source=dir/file,target=/f,ro=false \\
    --mount=source=dir/file,target=/g,ro ls /d; cat /f; (echo x > /g) 2> /dev/null || echo refused
`,
        );
        const last = ['file', 'from the context', 'refused'];
        assert.deepEqual(lines, ['x', 'from the context', 'y', 'z', ...last]);
        assert.deepEqual(diffIDs.slice(-2), [EMPTY_LAYER, EMPTY_LAYER]);
      });

      test('is made inside another, whatever the order, and leaves no mount point (RUN-13, RUN-23, RUN-24)', async () => {
        const { lines, diffIDs } = await build(
          `FROM base
RUN --mount=source=dir,target=/t/in/side --mount=source=dir/file,target=/t/f --mount=type=tmpfs,target=/t cat /t/in/side/file /t/f
RUN --mount=type=cache,target=/c/deep/er --mount=type=cache,target=/c --mount=source=dir,target=/c/dir echo x > /c/deep/er/x
RUN --mount=type=cache,target=/c ls /c /c/deep/er
`,
        );
        assert.deepEqual(lines, [
          ...['from the context', 'from the context'],
          ...['/c:', 'deep', 'dir', '', '/c/deep/er:'],
        ]);
        assert.deepEqual(new Set(diffIDs.slice(-3)), new Set([EMPTY_LAYER]));
      });

      test('cannot be made where a read-only one has no place for it', async () => {
        const { code, stderr } = await builds.attempt(
          'FROM base\nRUN --mount=source=dir,target=/d --mount=type=tmpfs,target=/d/new true\n',
        );
        assert.equal(code, 4);
        assert.match(stderr, /Cannot open the mount target "\/d\/new": .*\(EROFS\)/);
      });
    });

    describe('of type cache', () => {
      test('has its mode and owner from when it is made, and its seed (RUN-16, RUN-17)', async () => {
        const owner = name === 'single' ? '' : ',uid=1234,gid=2345';
        const { lines, diffIDs } = await build(
          `FROM base AS seed
RUN mkdir -p /s/sub && echo seeded > /s/sub/file
FROM base
RUN --mount=type=cache,target=/a,mode=0751${owner} stat -c "%a %u %g" /a; echo x > /a/f
RUN --mount=type=cache,target=/a ls -A /a
RUN --mount=type=cache,target=/b,from=seed,source=/s/sub cat /b/file; echo more > /b/file
RUN --mount=type=cache,target=/b,from=seed,source=s/sub,ro cat /b/file; (echo x > /b/file) 2> /dev/null || echo refused
`,
        );
        const ids = name === 'single' ? '0 0' : '1234 2345';
        assert.deepEqual(lines, [`751 ${ids}`, 'seeded', 'more', 'refused']);
        assert.deepEqual(new Set(diffIDs.slice(-4)), new Set([EMPTY_LAYER]));
      });

      test('is known by its id in a namespace (RUN-16: BUILDKIT_CACHE_MOUNT_NS)', async () => {
        const dockerfile = (n: number) =>
          `FROM base\nRUN --mount=type=cache,target=/c,id=ns echo ${n} >> /c/log; cat /c/log\n`;
        const space = '--build-arg=BUILDKIT_CACHE_MOUNT_NS=team';
        const lines = [
          await build(dockerfile(1)),
          await build(dockerfile(2), space),
          await build(dockerfile(3)),
          await build(dockerfile(4), space),
        ].map((built) => built.lines.join(' '));
        assert.deepEqual(lines, ['1', '2', '1 3', '2 4']);
      });

      test('is locked for one RUN of any build at a time (RUN-16)', async () => {
        const dockerfile = `FROM base AS one\nRUN --mount=type=cache,target=/c,id=n,sharing=locked ${COUNT}; : one
FROM base AS two\nRUN --mount=type=cache,target=/c,id=n,sharing=locked ${COUNT}; : two
FROM base\nCOPY --from=one /etc/passwd /one\nCOPY --from=two /etc/passwd /two\n`;
        await writeFile(join(builds.context, 'Dockerfile.count'), dockerfile);
        const flags = ['-f', join(builds.context, 'Dockerfile.count'), builds.context];
        const base = ['--build-context', `base=oci-layout://${builds.account.home}/busybox`];
        const starts = ['a', 'b'].map((value) =>
          builds.account.start(
            [...base, '--no-cache-filter=none', '--label', `x=${value}`, ...flags],
            {},
          ),
        );
        for (const { outcome } of starts) {
          const { code, stderr } = await outcome;
          assert.equal(code, 0, stderr);
        }
        const { lines } = await build(
          'FROM base\nRUN --mount=type=cache,target=/c,id=n,sharing=locked cat /c/n\n',
        );
        // Two stages in each of two builds; a build that came later may have found the other's steps.
        assert.ok(['20', '30', '40'].includes(lines[0] ?? ''), lines[0]);
      });

      test('is free again when the build that has it is killed', async () => {
        const marker = `TSBUILD_TEST_HOLDS=${builds.account.home}`;
        const held = `FROM base\nENV ${marker}\nRUN --mount=type=cache,target=/c,id=held,sharing=locked sleep 600\n`;
        await writeFile(join(builds.context, 'Dockerfile.held'), held);
        const started = builds.account.start([
          ...['--build-context', `base=oci-layout://${builds.account.home}/busybox`],
          ...['-f', join(builds.context, 'Dockerfile.held'), builds.context],
        ]);
        await appearing(marker);
        process.kill(-started.pid, 'SIGKILL');
        await started.outcome;
        const { lines } = await build(
          'FROM base\nRUN --mount=type=cache,target=/c,id=held,sharing=locked echo free\n',
        );
        assert.deepEqual(lines, ['free']);
      });

      test('that is private is another one for each of two RUNs at once (RUN-17)', async () => {
        // Each waits until it sees the other's mark, which is in a shared cache; then neither has let go.
        const run = (own: string, other: string) =>
          `RUN --mount=type=cache,target=/p,id=p,sharing=private --mount=type=cache,target=/s,id=s touch /p/${own} /s/${own}; while [ ! -e /s/${other} ]; do sleep 0.02; done; ls /p`;
        const { lines } = await build(
          `FROM base AS one\n${run('a', 'b')}\nFROM base AS two\n${run('b', 'a')}\nFROM base\nCOPY --from=one /etc/passwd /one\nCOPY --from=two /etc/passwd /two\n`,
        );
        assert.deepEqual(lines.toSorted(), ['a', 'b']);
      });
    });

    describe('of type tmpfs', () => {
      test('is empty memory of at most its size, of everybody, for one RUN (RUN-19)', async () => {
        const { lines, diffIDs } = await build(
          `FROM base
RUN --mount=type=tmpfs,target=/t,size=1m --mount=type=tmpfs,target=/ro,ro grep -c "^tmpfs /t tmpfs rw,.*size=1024k" /proc/mounts; stat -c %a /t; touch /t/x; (touch /ro/x) 2> /dev/null || echo refused
RUN --mount=type=tmpfs,target=/t ls -A /t
`,
        );
        assert.deepEqual(lines, ['1', '1777', 'refused']);
        assert.deepEqual(diffIDs.slice(-2), [EMPTY_LAYER, EMPTY_LAYER]);
      });
    });
  });
}
