/** What runs again, and what does not, when the same is built by another process. */

import assert from 'node:assert/strict';
import { mkdir, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Account, openAccount, whyNoAccount } from '../support/accounts.ts';
import { busyboxBase } from '../support/busybox-base.ts';
import { itUnless, missing } from '../support/missing.ts';
import { digestOf, ranIn, stepsOf } from '../support/plain-output.ts';

const DOCKERFILE = `FROM base AS first
WORKDIR /work
COPY one.txt .
RUN cat one.txt > one.out
COPY two.txt .
RUN cat one.txt two.txt > two.out

FROM base
COPY three.txt /
COPY --from=first /work/two.out /
RUN wc -c /two.out /three.txt > /sizes
CMD ["cat", "/sizes"]
`;
const ALL = DOCKERFILE.split('\n').filter((line) => /^(WORKDIR|COPY|RUN)/.test(line));
const test = itUnless(whyNoAccount('root') ?? missing('busybox'));

describe('a rebuild, each in a process of its own', function () {
  this.timeout(120_000);

  let account: Account;
  let context: string;
  let flags: readonly string[];

  beforeEach(async () => {
    if (whyNoAccount('root') !== undefined) return;
    account = await openAccount('root');
    const base = await busyboxBase(account);
    context = join(account.home, 'context');
    await mkdir(context);
    await writeFile(join(context, 'Dockerfile'), DOCKERFILE);
    for (const name of ['one', 'two', 'three']) await write(name, `${name}\n`);
    const output = `type=oci,tar=false,dest=${join(account.home, 'image')}`;
    flags = ['--build-context', `base=oci-layout://${base.folder}`, '-o', output, context];
  });
  afterEach(async () => {
    if (whyNoAccount('root') === undefined) await account.close();
  });

  const write = async (name: string, text: string) =>
    await writeFile(join(context, `${name}.txt`), text);

  test('runs nothing when nothing has changed, with the same digest', async () => {
    const first = await account.tsbuild(flags);
    assert.deepEqual([...ranIn(first)].sort(), [...ALL].sort());
    const second = await account.tsbuild(flags);
    assert.ok(stepsOf(second).length >= ALL.length);
    assert.deepEqual(ranIn(second), []);
    assert.equal(digestOf(second), digestOf(first));
  });

  test('runs exactly what comes after a changed file', async () => {
    const first = await account.tsbuild(flags);
    await write('two', 'changed\n');
    const second = await account.tsbuild(flags);
    assert.deepEqual(ranIn(second), [
      'COPY two.txt .',
      'RUN cat one.txt two.txt > two.out',
      'COPY --from=first /work/two.out /',
      'RUN wc -c /two.out /three.txt > /sizes',
    ]);
    assert.notEqual(digestOf(second), digestOf(first));

    await write('two', 'two\n');
    const back = await account.tsbuild(flags);
    assert.deepEqual(ranIn(back), []);
    assert.equal(digestOf(back), digestOf(first));
  });

  test('runs nothing when files were only touched, or written anew', async () => {
    const first = await account.tsbuild(flags);
    for (const name of ['one', 'two', 'three']) await utimes(join(context, `${name}.txt`), 1, 1);
    const touched = await account.tsbuild(flags);
    assert.deepEqual(ranIn(touched), []);
    await write('one', 'one\n');
    assert.deepEqual(ranIn(await account.tsbuild(flags)), []);
    assert.equal(digestOf(touched), digestOf(first));
  });

  test('stops where a step that ran again made the same as before', async () => {
    await account.tsbuild(flags);
    const dockerfile = DOCKERFILE.replace('cat one.txt two.txt', 'cat  one.txt two.txt');
    await writeFile(join(context, 'Dockerfile'), dockerfile);
    const second = await account.tsbuild(flags);
    assert.deepEqual(ranIn(second), ['RUN cat one.txt two.txt > two.out']);
  });

  test('runs everything with --no-cache', async () => {
    await account.tsbuild(flags);
    const second = await account.tsbuild(['--no-cache', ...flags]);
    assert.deepEqual([...ranIn(second)].sort(), [...ALL].sort());
  });
});
