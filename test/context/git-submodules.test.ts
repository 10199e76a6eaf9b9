import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { hasCode } from '../../src/errors.ts';
import { withPlace } from '../support/git-place.ts';
import { addSubmodule, makeRepository, noGit } from '../support/git-server.ts';
import { itUnless } from '../support/missing.ts';

const gitIt = itUnless(noGit);

describe('submodules of a repository (CTX-4)', function () {
  this.timeout(120_000);

  gitIt('adds submodules of submodules, relative addresses too; not with submodules=false', () =>
    withPlace(async ({ root, server, fetch }) => {
      const inner = await makeRepository(root, 'team/inner', { i: 'inner' });
      const outer = await makeRepository(root, 'team/outer', { o: 'outer' });
      await addSubmodule(outer, 'in', '../inner.git', inner);
      const top = await makeRepository(root, 'a', { f: '1' });
      await addSubmodule(top, 'lib/out', `${server.url}/team/outer.git`, outer);
      const { directory } = await fetch('a.git');
      assert.equal(await readFile(join(directory, 'lib/out/in/i'), 'utf8'), 'inner');
      assert.deepEqual((await readdir(join(directory, 'lib/out'))).toSorted(), [
        ...['.gitmodules', 'in', 'o'],
      ]);
      const without = await fetch('a.git?submodules=0');
      assert.deepEqual(await readdir(join(without.directory, 'lib/out')), []);
    }),
  );

  const traps = [
    'ext::sh -c touch% /tmp/x',
    '/srv/other.git',
    'file:///etc',
    '-x',
    '--upload-pack=x',
  ];
  for (const url of [...traps, 'ssh://-oProxyCommand=x/a', '../../../x']) {
    gitIt(`refuses a submodule from ${url}`, () =>
      withPlace(async ({ root, fetch }) => {
        const other = await makeRepository(root, 'b', { f: '1' });
        const repository = await makeRepository(root, 'a', { f: '1' });
        await addSubmodule(repository, 'sub', url, other);
        await assert.rejects(
          fetch('a.git'),
          (error) => hasCode(error, 'ERR_GIT_FAILED') && error.message.includes('"sub"'),
        );
      }),
    );
  }
});
