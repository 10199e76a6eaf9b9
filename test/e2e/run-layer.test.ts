/** What of a RUN ends up in its layer: the same by root and by an ordinary user. */

import assert from 'node:assert/strict';
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

/** A version 2 capability set with cap_net_raw, permitted and effective. */
const CAPABILITY = Buffer.from('0100000200200000000000000000000000000000', 'hex');
const KINDS = { root: 'by root', user: 'by an ordinary user with sub-ids' } as const;

for (const kind of ['root', 'user'] as const) {
  const whyNot = whyNoAccount(kind) ?? missing('busybox');
  const test = itUnless(whyNot);

  describe(`the layer of a RUN ${KINDS[kind]}`, function () {
    this.timeout(120_000);

    let account: Account;
    let build: RunBuilds['build'];

    before(async () => {
      if (whyNot === undefined) ({ account, build } = await openRunBuilds(kind));
    });
    after(async () => {
      if (whyNot === undefined) await account.close();
    });

    test('has nothing when it does nothing', async () => {
      assert.equal((await build('FROM base\nRUN true\n')).diffIDs.at(-1), EMPTY_LAYER);
    });

    test('has whiteouts for what it deleted, opaque directories for what it replaced, as OCI has them (LAY-2)', async () => {
      const { layers, lines } = await build(
        `FROM base
RUN mkdir -p /keep/dir /again /folder && touch /keep/gone /keep/stays /keep/dir/gone /again/old /file /folder/x
RUN rm /keep/gone && rm -r /keep/dir /again && mkdir /again && touch /again/new; rm /file && mkdir /file && touch /file/y; rm -r /folder && touch /folder
RUN ls -A /keep /again /file; test -f /folder && echo file
`,
      );
      assert.deepEqual(layers[2]?.map(({ name }) => name).toSorted(), [
        'again/',
        'again/.wh..wh..opq',
        'again/new',
        'file/',
        'file/.wh..wh..opq',
        'file/y',
        'folder',
        'keep/',
        'keep/.wh.dir',
        'keep/.wh.gone',
      ]);
      assert.doesNotMatch(JSON.stringify(layers), /overlay/, "the kernel's own marks stay here");
      assert.deepEqual(lines, ['/again:', 'new', '', '/file:', 'y', '', '/keep:', 'stays', 'file']);
    });

    test('has links, pipes, set-id and sticky bits, owners, times', async () => {
      const { last } = await build(
        `FROM base
RUN echo one > /a && ln /a /b && busybox mkfifo -m 640 /pipe && ln -s /a /link && echo x > /suid && chown 12:34 /suid && busybox chmod 6755 /suid && mkdir -m 1777 /sticky && busybox touch -d @1234567890 /sticky
`,
      );
      const seen = Object.values(last).map(({ name, type, mode, uid, gid, target }) =>
        [name, type, mode.toString(8), `${uid}:${gid}`, target ?? ''].join(' '),
      );
      assert.deepEqual(seen, [
        'a file 644 0:0 ',
        'b link 644 0:0 a',
        'link symlink 777 0:0 /a',
        'pipe fifo 640 0:0 ',
        'sticky/ directory 1777 0:0 ',
        'suid file 6755 12:34 ',
      ]);
      assert.equal(last['sticky/']?.mtime, 1234567890);
    });

    if (kind === 'root') {
      test('has device nodes, which only root may make', async () => {
        const { last } = await build('FROM base\nRUN mknod /n c 1 3 && mknod -m 600 /b b 7 9\n');
        assert.deepEqual(
          [last['n']?.type, last['n']?.device, last['b']?.type, last['b']?.device],
          ['character-device', [1, 3], 'block-device', [7, 9]],
        );
      });
    }

    test('has the extended attributes and capabilities of a file that it changed', async () => {
      const layout = join(account.home, 'attributes');
      const pax = {
        'SCHILY.xattr.security.capability': CAPABILITY.toString('latin1'),
        'SCHILY.xattr.user.note': 'kept',
      };
      const members = await busyboxMembers();
      await writeTarLayout(layout, [
        tar([...members, { name: 'tool', content: 'x', mode: 0o755, pax }]),
      ]);
      const { last } = await build(
        'FROM attributes\nRUN ["/bin/busybox", "chmod", "700", "/tool"]\n',
        `--build-context=attributes=oci-layout://${layout}`,
      );
      assert.equal(last['tool']?.mode, 0o700);
      assert.deepEqual(last['tool']?.xattrs, {
        'security.capability': CAPABILITY.toString('hex'),
        'user.note': Buffer.from('kept').toString('hex'),
      });
    });

    test('has names that are no UTF-8, also through COPY --from', async () => {
      const { lines } = await build(
        `FROM base AS one
RUN mkdir /dir && echo one > "/dir/$(printf 'caf\\351')" && ln -s "$(printf '\\377')" /dir/link
FROM base
COPY --from=one /dir /copy
RUN cd /copy && echo * | busybox od -An -tx1; readlink /copy/link | busybox od -An -tx1; cat /copy/c*
`,
      );
      assert.deepEqual(
        lines.map((line) => line.trim()),
        ['63 61 66 e9 20 6c 69 6e 6b 0a', 'ff 0a', 'one'],
      );
    });

    test('has nothing of what it left running, and does not wait for it (EX-12)', async () => {
      // Waiting would end at the test's own timeout: both outlive that.
      const { lines } = await build(
        `FROM base\nENV TSBUILD_TEST_HOME=${account.home}\nRUN (sleep 300; touch /late) & busybox setsid sleep 300 & echo done\nRUN test -e /late || echo none\n`,
      );
      assert.deepEqual(lines, ['done', 'none']);
      await account.assertClean();
    });
  });
}
