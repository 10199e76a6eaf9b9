/** Whoever builds, and whatever rights they have: what comes out is the same. */

import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type Account,
  type AccountKind,
  openAccount,
  type Outcome,
  whyNoAccount,
} from '../support/accounts.ts';
import { busyboxBase } from '../support/busybox-base.ts';
import { writeCompareContext } from '../support/compare-context.ts';
import { type ReadImage, readImage } from '../support/layout-files.ts';
import { itUnless, missing } from '../support/missing.ts';

/** What RUN may do where there is but one id: anything, except to change owners or to rename what is not root's. */
const ONE_ID = `FROM base
COPY --chown=app:app tree /owned
COPY --chown=77:88 tree/file /other
RUN echo more >> /owned/file && echo more >> /other && chmod 4711 /other \\
    && rm -r /owned/folder/deep \\
    && mkdir /owned/new && echo new > /owned/new/file && ln /owned/new/file /owned/new/hard
RUN test "$(stat -c %a /other)" = 4711 && wc -c /owned/file > /size
`;

const why = (kind: AccountKind) => whyNoAccount(kind) ?? missing('busybox', 'tar');

describe('the image', function () {
  this.timeout(60_000);

  itUnless(why('user'))('is the same from root and from a user with sub-ids', async () => {
    const root = await buildAs('root');
    const user = await buildAs('user');
    assert.doesNotMatch(user.outcome.stderr, /^NOTE/m);
    assert.deepEqual(user.image, root.image);
  });

  itUnless(why('user'))('is the same from root and from a user with one id', async () => {
    const root = await buildAs('root', { dockerfile: ONE_ID });
    const user = await buildAs('user', { dockerfile: ONE_ID, subids: false });
    assert.match(user.outcome.stderr, /^NOTE: RUN uses a user namespace with one id/m);
    assert.deepEqual(user.image, root.image);
  });
});

interface Options {
  /** In place of fixtures/compare's. */
  readonly dockerfile?: string;
  readonly subids?: boolean;
}

async function buildAs(
  kind: AccountKind,
  { dockerfile, ...options }: Options = {},
): Promise<{ readonly outcome: Outcome; readonly image: ReadImage }> {
  const account = await openAccount(kind, options);
  try {
    const context = await contextOf(account, dockerfile);
    const { folder } = await busyboxBase(account);
    const layout = join(account.home, 'image');
    const base = ['--build-context', `base=oci-layout://${folder}`, '--build-arg', 'BASE=base'];
    const output = `type=oci,tar=false,dest=${layout}`;
    const outcome = await account.tsbuild([...base, '-o', output, context]);
    assert.equal(outcome.code, 0, outcome.stderr);
    return { outcome, image: await readImage(layout) };
  } finally {
    await account.close();
  }
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
