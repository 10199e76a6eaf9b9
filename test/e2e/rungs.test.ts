/** Whoever builds, and whatever rights they have: what comes out is the same. */

import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  type Account,
  type AccountKind,
  withAccount,
  type Outcome,
  whyNoAccount,
} from '../support/accounts.ts';
import { busyboxBase } from '../support/busybox-base.ts';
import { writeCompareContext } from '../support/compare-context.ts';
import { type ReadImage, readImage } from '../support/layout-files.ts';
import { itUnless, missing } from '../support/missing.ts';

/** What only real and emulated root may. */
const DEVICES = '&& mknod /t/null c 1 3 && mknod /t/disk b 8 1';

/** What a RUN does with owners, users and what it inherits of them. */
const OWNERS = `FROM base
COPY --chown=app:app tree /owned
COPY --chown=77:88 tree/file /other
RUN echo more >> /owned/file && echo more >> /other && chmod 4711 /other \\
    && rm -r /owned/folder/deep \\
    && mkdir /owned/new && echo new > /owned/new/file && ln /owned/new/file /owned/new/hard
RUN test "$(stat -c %a /other)" = 4711 && wc -c /owned/file > /size
RUN mv /owned/file /owned/renamed && cp -p /owned/renamed /kept && stat -c %u:%g /owned/renamed /kept > /owners
RUN mkdir -p /t/d && echo > /t/f && ln /t/f /t/hard && ln -s f /t/link && mkfifo /t/fifo \\
    && chown -hR 1234:5 /t && chown -h 9 /t/link ${DEVICES} \\
    && mkdir /group && chown 3:4 /group && chmod 2775 /group && mkdir /group/below && echo > /group/file \\
    && echo > /suid && chmod 4755 /suid && chown 8 /suid && echo > /again && chmod 4755 /again
RUN mv /t/link /t/moved && ln /t/fifo /t/other && touch /t/f && rm -r /t/d && tar -cf - t | tar -xpf - -C /group \\
    && chown 1:1 /etc && stat -c '%n %u:%g %a %F' /t/* /group/* > /stat
USER 1234:5
RUN echo > /tmp/mine && mkdir /tmp/below && ln -s x /tmp/link && mkfifo -m 600 /tmp/fifo && chgrp 5 /tmp/mine \\
    && ! chown 0 /tmp/mine 2> /dev/null && id -u > /tmp/id && id -g >> /tmp/id
`;

const why = (kind: AccountKind) => whyNoAccount(kind) ?? missing('busybox', 'tar');

describe('the image', function () {
  this.timeout(120_000);

  itUnless(why('user'))('is the same from root and from a user with sub-ids', async () => {
    const root = await buildAs('root');
    const user = await buildAs('user');
    assert.doesNotMatch(user.outcome.stderr, /^NOTE: RUN uses a user/m);
    assert.deepEqual(user.image, root.image);
  });

  itUnless(why('user'))('is the same from root and from a user with one id', async () => {
    const root = await buildAs('root', { dockerfile: OWNERS });
    const user = await buildAs('user', { dockerfile: OWNERS, subids: false });
    const note = /^NOTE: RUN uses a user namespace with one id.*no sub-ids.*sudo usermod/m;
    assert.match(user.outcome.stderr, note);
    assert.deepEqual(user.image, root.image);
  });

  itUnless(why('root'))('is the same from root and from a root that may not mount', async () => {
    const root = await buildAs('root');
    const unable = await buildAs('root', { through: UNABLE_TO_MOUNT });
    const note = /^NOTE: RUN uses a user namespace with sub-ids .*CAP_SYS_ADMIN is missing/m;
    assert.match(unable.outcome.stderr, note);
    assert.deepEqual(unable.image, root.image);
  });

  const alone = why('user') ?? missing('unshare');
  itUnless(alone)(
    'is the same from root and from a root of one id, which emulates others',
    async () => {
      const root = await buildAs('root', { dockerfile: OWNERS });
      const options = { dockerfile: OWNERS, subids: false, through: ['unshare', '-Ur'] };
      const user = await buildAs('user', options);
      const note =
        /^NOTE: RUN uses a user namespace with one id.*root is the only id here.*--map-auto/m;
      assert.match(user.outcome.stderr, note);
      assert.deepEqual(user.image, root.image);
    },
  );

  for (const isolation of ['subids', 'single'] as const) {
    itUnless(why('root'))(`is the same from root with the isolation "${isolation}"`, async () => {
      const dockerfile = isolation === 'single' ? OWNERS : OWNERS.replace(DEVICES, '');
      const root = await buildAs('root', { dockerfile });
      const other = await buildAs('root', { dockerfile, flags: [`--isolation=${isolation}`] });
      assert.doesNotMatch(other.outcome.stderr, /^NOTE: RUN uses a user/m);
      assert.deepEqual(other.image, root.image);
    });
  }
});

/** As root in a container has it: everything but the right to mount. */
const UNABLE_TO_MOUNT = ['setpriv', '--bounding-set', '-sys_admin', '--inh-caps', '-sys_admin'];
const CLI = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));

interface Options {
  /** A command line of root's that the build's is appended to. */
  readonly through?: readonly string[];
  /** In place of fixtures/compare's. */
  readonly dockerfile?: string;
  readonly subids?: boolean;
  readonly flags?: readonly string[];
}

async function buildAs(
  kind: AccountKind,
  { dockerfile, through, flags = [], ...options }: Options = {},
): Promise<{ readonly outcome: Outcome; readonly image: ReadImage }> {
  return await withAccount(
    kind,
    async (account) => {
      const context = await contextOf(account, dockerfile);
      const { folder } = await busyboxBase(account);
      const layout = join(account.home, 'image');
      const base = ['--build-context', `base=oci-layout://${folder}`, '--build-arg', 'BASE=base'];
      const output = `type=oci,tar=false,dest=${layout}`;
      const args = [...flags, ...base, '-o', output, context];
      const [program = '', ...first] = through ?? [];
      const build = [...first, process.execPath, CLI, 'build', '--progress=plain', ...args];
      const outcome = await (through ? account.run(program, build) : account.tsbuild(args));
      assert.equal(outcome.code, 0, outcome.stderr);
      return { outcome, image: await readImage(layout) };
    },
    options,
  );
}

async function contextOf(account: Account, dockerfile: string | undefined): Promise<string> {
  const context = join(account.home, 'compare');
  if (dockerfile === undefined) await account.copyFixture('compare');
  else {
    await mkdir(context);
    await writeFile(join(context, 'Dockerfile'), dockerfile);
  }
  await writeCompareContext(context);
  // Root wrote it: whoever builds must be able to read it.
  await account.own(context);
  return context;
}
