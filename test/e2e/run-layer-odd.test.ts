/** What of odd files ends up in the layer of a RUN, and a disk that is full: by root and by an ordinary user. */

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Account, whyNoAccount } from '../support/accounts.ts';
import { itUnless, missing } from '../support/missing.ts';
import { outputOf } from '../support/plain-output.ts';
import { buildProbe, whyNoProbe } from '../support/probe.ts';
import { EMPTY_LAYER, openRunBuilds, type RunBuilds } from '../support/run-builds.ts';

const KINDS = { root: 'by root', user: 'by an ordinary user with sub-ids' } as const;

for (const kind of ['root', 'user'] as const) {
  const whyNot = whyNoAccount(kind) ?? missing('busybox', 'rustc') ?? whyNoProbe();
  const test = itUnless(whyNot);

  describe(`odd files in the layer of a RUN ${KINDS[kind]}`, function () {
    this.timeout(120_000);

    let account: Account;
    let build: RunBuilds['build'];

    before(async () => {
      if (whyNot !== undefined) return;
      const builds = await openRunBuilds(kind);
      ({ account } = builds);
      buildProbe(join(builds.context, 'probe'));
      await chmod(join(builds.context, 'probe'), 0o755);
      build = async (dockerfile, ...flags) =>
        await builds.build(
          `FROM base\nCOPY passwd group /etc/\nCOPY probe /bin/probe\n${dockerfile}`,
          ...flags,
        );
    });
    after(async () => {
      if (whyNot === undefined) await account.close();
    });

    const listOf = (entries: Awaited<ReturnType<typeof build>>['layers'][number] | undefined) =>
      entries?.map(({ name, type, mode, uid, gid, target }) =>
        [name, type, mode.toString(8), `${uid}:${gid}`, target ?? ''].join(' ').trim(),
      );

    test('changes of metadata alone: modes, owners, of files and of directories with much in them', async () => {
      const { layers } = await build(
        `RUN mkdir -p /m/full/sub && touch /m/full/1 /m/full/2 /m/file /m/owned
RUN busybox chmod 2750 /m/full && busybox chmod 4755 /m/file && chown 7:8 /m/owned && chmod 755 /m
`,
      );
      assert.deepEqual(listOf(layers.at(-1)), [
        'm/ directory 755 0:0',
        'm/file file 4755 0:0',
        'm/full/ directory 2750 0:0',
        'm/owned file 644 7:8',
      ]);
    });

    test('nothing of a change that was taken back before the end, but what has a new inode', async () => {
      const { layers } = await build(
        `RUN mkdir /r && echo x > /r/f && ln -s f /r/l
RUN touch /r/new && rm /r/new && mkdir /r/dir && busybox rmdir /r/dir
RUN rm /r/f && echo y > /r/f && rm /r/l && ln -s g /r/l
`,
      );
      assert.deepEqual(listOf(layers.at(-2)), ['r/ directory 755 0:0']);
      assert.deepEqual(listOf(layers.at(-1)), [
        'r/ directory 755 0:0',
        'r/f file 644 0:0',
        'r/l symlink 777 0:0 g',
      ]);
    });

    test('the hard links that it made, to lower files, too; a renamed file, and its whiteout', async () => {
      const { layers, lines } = await build(
        `RUN mkdir /h && echo x > /h/low && echo y > /h/mv
RUN ln /h/low /h/also && mv /h/mv /h/moved
RUN stat -c '%h %n' /h/low /h/also; cat /h/moved
`,
      );
      assert.deepEqual(listOf(layers.at(-2)), [
        'h/ directory 755 0:0',
        'h/also file 644 0:0',
        'h/low link 644 0:0 h/also',
        'h/moved file 644 0:0',
        'h/.wh.mv file 0 0:0',
      ]);
      assert.deepEqual(lines, ['2 /h/low', '2 /h/also', 'y']);
    });

    test('files that set-id programs made for a user, as theirs (EX-2)', async () => {
      const { last, lines } = await build(
        `RUN chmod 4755 /bin/probe && chmod 777 /tmp
USER app
RUN probe create /made; probe create /tmp/own; echo x > /refused || echo refused
`,
      );
      assert.deepEqual(
        lines.filter((line) => !line.startsWith('/bin/sh:')),
        ['create /made done', 'create /tmp/own done', 'refused'],
      );
      assert.deepEqual([last['made']?.uid, last['made']?.gid], [0, 2345]);
      assert.deepEqual([last['tmp/own']?.uid, last['tmp/own']?.gid], [0, 2345]);
    });

    test('no socket that was left behind, and holes as zeros', async () => {
      const { layers, lines } = await build(
        `RUN probe leave-socket /left.sock; busybox truncate -s 3M /holes; echo end >> /holes
RUN stat -c %s /holes; busybox tail -c 4 /holes
`,
      );
      assert.deepEqual(listOf(layers.at(-2)), ['holes file 644 0:0']);
      assert.deepEqual(lines, ['leave-socket /left.sock done', String((3 << 20) + 4), 'end']);
    });

    test('the directories of mount points only as they were, when a RUN writes beside them (EX-6)', async () => {
      const { layers, diffIDs, lines } = await build(
        `RUN --mount=type=tmpfs,target=/p/q/r --mount=type=cache,target=/etc/deep/cache,id=o-${kind} ls /p/q /etc/deep
RUN --mount=type=tmpfs,target=/p/q/r touch /p/q/beside
RUN ls /p/q
`,
      );
      assert.equal(diffIDs.at(-3), EMPTY_LAYER);
      assert.deepEqual(
        layers.at(-2)?.map(({ name }) => name),
        ['p/', 'p/q/', 'p/q/beside'],
      );
      assert.equal(lines.at(-1), 'beside');
    });
  });

  describe(`a RUN that fills the disk ${KINDS[kind]}`, function () {
    this.timeout(120_000);

    itUnless(whyNot)(
      'fails with what it said, and the next build has a store that works',
      async () => {
        const { account, context } = await openRunBuilds(kind);
        const store = join(account.home, 'small');
        try {
          await mkdir(store);
          execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=48m,mode=777', 'tmpfs', store]);
          const layout = `base=oci-layout://${account.home}/busybox`;
          const words = [...account.command, '--build-context', layout, '-f'];
          const line = (file: string) =>
            [...words, join(context, file), context].map((word) => `'${word}'`).join(' ');
          await writeFile(
            join(context, 'full'),
            'FROM base\nRUN echo first > /first\nRUN dd if=/dev/zero of=/big bs=64k\n',
          );
          await writeFile(
            join(context, 'left-full'),
            'FROM base\nRUN echo first > /first\nRUN dd if=/dev/zero of=/big bs=64k || true\n',
          );
          await writeFile(
            join(context, 'next'),
            'FROM base\nRUN echo first > /first\nRUN cat /first; echo works\n',
          );
          const script = [
            `export TSBUILD_STORE=${store}/store`,
            ...['full', 'left-full', 'next'].map((file) => `${line(file)}; echo ${file} $?`),
          ].join('\n');
          const outcome = await account.run('sh', ['-c', script]);
          const codes = Object.fromEntries(
            outcome.stdout
              .split('\n')
              .filter(Boolean)
              .map((text) => text.split(' ')),
          );
          assert.notEqual(codes['full'], '0', outcome.stderr);
          assert.match(outcome.stderr, /No space left on device/);
          assert.match(outcome.stderr, /ERROR: .*(did not complete successfully|space)/);
          assert.notEqual(codes['left-full'], '0');
          assert.equal(codes['next'], '0', outcome.stderr);
          assert.ok(outputOf(outcome).includes('works'));
        } finally {
          execFileSync('umount', [store]);
          await account.close();
        }
      },
    );
  });
}
