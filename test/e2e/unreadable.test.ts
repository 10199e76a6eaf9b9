/** Files of a context that the user may not read: nobody's trouble until somebody copies them. */

import assert from 'node:assert/strict';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Account, withAccount, whyNoAccount } from '../support/accounts.ts';
import { itUnless } from '../support/missing.ts';

const test = itUnless(whyNoAccount('user'));

describe('what a user may not read of a context', function () {
  this.timeout(120_000);

  async function withContext(
    use: (
      build: (dockerfile: string) => ReturnType<Account['tsbuild']>,
      list: (dockerfile: string) => ReturnType<Account['run']>,
    ) => Promise<void>,
  ): Promise<void> {
    await withAccount('user', async (account) => {
      const context = join(account.home, 'context');
      await mkdir(join(context, 'data'), { recursive: true });
      for (const name of ['a', 'data/x', 'key']) await writeFile(join(context, name), name);
      await chmod(context, 0o755);
      await chmod(join(context, 'a'), 0o644);
      // As a database in a container leaves its volume: root's.
      await chmod(join(context, 'data'), 0o700);
      await chmod(join(context, 'key'), 0o600);
      const file = join(account.home, 'Dockerfile');
      const build = async (dockerfile: string) => {
        await writeFile(file, dockerfile);
        return await account.tsbuild(['-f', file, context]);
      };
      const list = async (dockerfile: string) => {
        await writeFile(file, dockerfile);
        const cli = join(account.home, 'tsbuild/dist/cli.js');
        const argv = [cli, 'context', 'ls', '--all', '-f', file, context];
        return await account.run(join(account.nodeDirectory, 'node'), argv);
      };
      await use(build, list);
    });
  }

  test('does not matter to a COPY of something else (CTX-8)', async () => {
    await withContext(async (build) => {
      const outcome = await build('FROM scratch\nCOPY a* /\n');
      assert.equal(outcome.code, 0, outcome.stderr);
    });
  });

  test('is listed, and who would fail for it (CTX-8)', async () => {
    await withContext(async (_, list) => {
      const { code, stdout, stderr } = await list('FROM scratch\nCOPY a /\nCOPY data /\n');
      assert.equal(code, 2, stderr);
      assert.match(stdout, /^ +1 B +a +COPY:2 \(0\)$/m);
      assert.match(stdout, /^ +- +data\/ +\(cannot be read, not entered\)$/m);
      assert.match(stdout, /^ +3 B +key +\(cannot be read\)$/m);
      assert.match(stderr, />>> COPY data/);
    });
  });

  for (const source of ['.', 'key', 'data', 'data/x', 'k*']) {
    test(`fails "COPY ${source}", and is named with a way out (CTX-8)`, async () => {
      await withContext(async (build) => {
        const { code, stderr } = await build(`FROM scratch\nCOPY ${source} /\n`);
        assert.equal(code, 2, stderr);
        const message = /^ERROR: Cannot read "(data|key)" of the build context: permission denied/m;
        assert.match(stderr, message);
        assert.match(stderr, /^hint: .*\.dockerignore/m);
      });
    });
  }
});
