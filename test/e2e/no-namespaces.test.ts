/** A machine that forbids user namespaces: what needs none builds all the same, what does is refused at once. */

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type Account, openAccount, whyNoAccount } from '../support/accounts.ts';
import { busyboxBase } from '../support/busybox-base.ts';
import { checkLayout } from '../support/check.ts';
import { itUnless, missing } from '../support/missing.ts';
import { digestOf } from '../support/plain-output.ts';

const execute = promisify(execFile);
const DOCKERFILE = `FROM base AS files
WORKDIR /srv/files
COPY --chown=app:app --chmod=u=rwX,go=rX tree .
ADD files.tar.gz unpacked/

FROM base
COPY --from=files /srv/files /opt
COPY --chown=1234:2345 tree/file /link/through/folders/
COPY <<EOF /etc/motd
Made by nobody in particular.
EOF
ENV HELLO=world
LABEL kind="test"
USER app
WORKDIR /home/app
`;
const EPOCH = { SOURCE_DATE_EPOCH: '1700000000' };
const whyNot = whyNoAccount('confined') ?? missing('busybox', 'tar');
const test = itUnless(whyNot);

describe('uid 1000 with user namespaces forbidden', function () {
  this.timeout(120_000);

  let root: Account;
  let confined: Account;
  let flags: readonly string[];
  let context: string;

  beforeEach(async () => {
    if (whyNot !== undefined) return;
    root = await openAccount('root');
    confined = await openAccount('confined');
    const base = await busyboxBase(root);
    context = join(root.home, 'context');
    await writeContext(context);
    flags = ['--build-context', `base=oci-layout://${base.folder}`, context];
  });
  afterEach(async () => {
    if (whyNot !== undefined) return;
    await confined.close();
    await root.close();
  });

  const outputOf = ({ home }: Account) => join(home, 'image');
  const build = async (account: Account, ...more: readonly string[]) => {
    const output = `type=oci,tar=false,dest=${outputOf(account)}`;
    return await account.tsbuild([...more, '-o', output, ...flags], EPOCH);
  };

  test('is really what these tests are run by', async () => {
    const { stdout } = await confined.run('id', ['-u']);
    assert.equal(stdout, '1000\n');
    assert.notEqual((await confined.run('unshare', ['--user', 'true'])).code, 0);
  });

  test("builds a Dockerfile without RUN, with the digest of root's build", async () => {
    await writeFile(join(context, 'Dockerfile'), DOCKERFILE);
    const digest = digestOf(await build(confined));
    assert.equal(digest, digestOf(await build(root)));
    const [entry] = await checkLayout(outputOf(confined));
    assert.equal(entry?.digest, digest);
  });

  test('is refused a RUN before the first step, with the setting to change', async () => {
    await writeFile(join(context, 'Dockerfile'), `${DOCKERFILE}RUN true\n`);
    const refused = await build(confined);
    assert.equal(refused.code, 4, refused.stderr);
    assert.match(refused.stderr, /ERROR: .*user\.max_user_namespaces.*\[ERR_SANDBOX_UNAVAILABLE\]/);
    assert.match(refused.stderr, /^ +16 \| >>> RUN true$/m);
    assert.doesNotMatch(refused.stderr, /^#\d+ DONE/m, 'no step was done');
    assert.deepEqual((await confined.run('ls', ['-A', outputOf(confined)])).stdout, '');
  });
});

/** Files, folders and links, also inside an archive that says who owns them. */
async function writeContext(context: string): Promise<void> {
  const tree = join(context, 'tree');
  await mkdir(join(tree, 'folder/deep'), { recursive: true });
  await writeFile(join(tree, 'file'), 'a file\n', { mode: 0o600 });
  await writeFile(join(tree, 'folder/script'), '#!/bin/sh\n', { mode: 0o755 });
  await writeFile(join(tree, 'folder/deep/large'), Buffer.alloc(3_000_000, 'x'));
  await symlink('folder/script', join(tree, 'link'));
  await execute('chmod', ['-R', 'a+rX', context]);
  const owners = ['--owner=app:4444', '--group=app:5555', '--sort=name', '--mtime=@1600000000'];
  await execute('tar', ['-C', tree, ...owners, '-czf', join(context, 'files.tar.gz'), '.']);
}
