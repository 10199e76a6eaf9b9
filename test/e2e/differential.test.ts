/** Buildah as the judge of COPY and ADD: many small Dockerfiles, and every entry of what they make. */

import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Account, openAccount, whyNoAccount } from '../support/accounts.ts';
import { itUnless, missing } from '../support/missing.ts';
import { BASE_DOCKERFILE, writeBase, writeContext } from './differential/context.ts';
import { buildByBoth, type FilesByName, type Place } from './differential/builders.ts';
import { CASES } from './differential/cases.ts';
import { differencesOf } from './differential/compare.ts';
import { DIFFERENCES } from './differential/differences.ts';

const PROGRAMS = ['buildah', 'skopeo', 'setfattr', 'mkfifo', 'mknod', 'bzip2', 'xz', 'zstd'];
const whyNot = whyNoAccount('root') ?? missing(...PROGRAMS);
const test = itUnless(whyNot);

const AT_ONCE = { buildahs: 8, tsbuilds: 2 };

describe('COPY and ADD, compared with Buildah', function () {
  this.timeout(300_000);

  let ours: FilesByName;
  let theirs: FilesByName;
  let account: Account;

  before(async () => {
    if (whyNot !== undefined) return;
    account = await openAccount('root');
    const place = await openPlace(account);
    const dockerfiles = Object.entries(CASES).map(
      ([name, text]) => [name, text.startsWith('FROM') ? text : `FROM base\n${text}`] as const,
    );
    ({ ours, theirs } = await buildByBoth(place, new Map(dockerfiles), AT_ONCE));
  });
  after(async () => {
    if (whyNot === undefined) await account.close();
  });

  for (const name of Object.keys(CASES)) {
    const known = DIFFERENCES.filter(({ cases }) => cases[name] !== undefined);
    const title = known.map(({ title: each }) => each).join('; ');
    test(known.length === 0 ? name : `${name} (differs: ${title})`, async () => {
      const expected = Object.assign({}, ...known.map(({ cases }) => cases[name]));
      assert.deepEqual(differencesOf(ours.get(name), theirs.get(name)), expected);
    });
  }
});

describe('docs/differences.md', () => {
  it('lists the differences that the suite knows, and no others', async () => {
    const page = await readFile(new URL('../../docs/differences.md', import.meta.url), 'utf8');
    const [, copying = ''] = page.split(/^## COPY and ADD.*$/m);
    const [section = ''] = copying.split(/^## /m);
    const listed = [...section.matchAll(/^### (.*)$/gm)].map(([, title]) => title);
    assert.deepEqual(
      listed,
      DIFFERENCES.map(({ title }) => title),
    );
  });

  it('has cases for what is known to differ', () => {
    for (const { cases } of DIFFERENCES) {
      for (const name of Object.keys(cases)) assert.ok(name in CASES, name);
    }
  });
});

async function openPlace(account: Account): Promise<Place> {
  const context = join(account.home, 'context');
  await writeContext(context);
  const base = join(account.home, 'base');
  const source = join(account.home, 'base-context');
  await writeBase(source);
  const file = join(account.home, 'base.Dockerfile');
  await writeFile(file, BASE_DOCKERFILE);
  const flags = ['-f', file, '-t', 'base:latest', '-o', `type=oci,tar=false,dest=${base}`, source];
  const { code, stderr } = await account.tsbuild(flags);
  assert.equal(code, 0, stderr);
  return { account, context, base };
}
