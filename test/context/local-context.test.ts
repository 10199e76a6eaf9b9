import assert from 'node:assert/strict';
import { chmod, mkdir, readFile, symlink, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Helper, openHelper } from '../../native/index.ts';
import { directoryFiles } from '../../src/context/context-files.ts';
import { readIgnoreFile } from '../../src/context/ignore-file.ts';
import { requireDirectory, scanDirectory } from '../../src/context/local-context.ts';
import type { ScannedDirectory } from '../../src/context/scanned-context.ts';
import { hasCode } from '../../src/errors.ts';
import { indexFromBytes } from '../../src/tree/layer-index.ts';
import { HELPER } from '../support/sandbox.ts';
import { withDirectory } from '../support/temporary.ts';

interface Fixture {
  /** The context's directory. */
  readonly context: string;
  readonly write: (files: Readonly<Record<string, string>>) => Promise<void>;
  readonly scan: (dockerfile?: string) => Promise<ScannedDirectory>;
  /** The paths that count. */
  readonly list: (dockerfile?: string) => Promise<readonly string[]>;
}

describe('scanDirectory()', () => {
  let helper: Helper;
  before(async () => {
    helper = await openHelper({ mode: 'plain', binary: HELPER });
  });
  after(async () => {
    await helper.close();
  });

  async function withContext(use: (fixture: Fixture) => Promise<void>): Promise<void> {
    await withDirectory(async (base) => {
      const context = join(base, 'context');
      await mkdir(context);
      let count = 0;
      const scan: Fixture['scan'] = async (dockerfile) =>
        await scanDirectory({
          directory: context,
          ignore: await readIgnoreFile({
            files: directoryFiles(context),
            dockerfile:
              dockerfile === undefined
                ? undefined
                : { files: directoryFiles(base), path: dockerfile },
          }),
          helper,
          index: join(base, `index-${count++}`),
          statCache: join(base, 'stat-cache'),
          signal: new AbortController().signal,
        });
      await use({
        context,
        write: async (files) => {
          for (const [name, text] of Object.entries(files)) await writeFile(join(base, name), text);
        },
        scan,
        list: async (dockerfile) => {
          const { index } = await scan(dockerfile);
          return [...indexFromBytes(await readFile(index)).within('')].map(({ path }) => path);
        },
      });
    });
  }

  const FILES = { 'context/a': '', 'context/b': '', 'context/Dockerfile': '' };

  it('lists everything where nothing says what to ignore, .git too (IGN-10)', async () => {
    await withContext(async ({ context, write, list }) => {
      await mkdir(join(context, '.git'));
      await write({ ...FILES, 'context/.git/HEAD': 'x' });
      assert.deepEqual(await list(), ['.git', '.git/HEAD', 'Dockerfile', 'a', 'b']);
    });
  });

  it('leaves out what the context’s ignore file names (IGN-1, IGN-6)', async () => {
    await withContext(async ({ write, list }) => {
      await write({ ...FILES, 'context/.dockerignore': 'a\nDockerfile\n.dockerignore\n' });
      assert.deepEqual(await list('context/Dockerfile'), ['b']);
    });
  });

  it('reads the Dockerfile’s own ignore file instead, wherever that is (IGN-1)', async () => {
    await withContext(async ({ write, list }) => {
      await write({
        ...FILES,
        'context/.dockerignore': 'a\n',
        'other.dockerignore': 'b\n.dockerignore\n',
      });
      assert.deepEqual(await list('other'), ['Dockerfile', 'a']);
      assert.deepEqual(await list('context/Dockerfile'), ['.dockerignore', 'Dockerfile', 'b']);
    });
  });

  it('counts an ignore file that is empty (IGN-1)', async () => {
    await withContext(async ({ write, list }) => {
      await write({ ...FILES, 'context/.dockerignore': 'a\n', 'other.dockerignore': '' });
      assert.deepEqual(await list('other'), ['.dockerignore', 'Dockerfile', 'a', 'b']);
    });
  });

  it('does not look for a Dockerfile’s ignore file in named contexts (CTX-7)', async () => {
    await withContext(async ({ write, list }) => {
      await write({
        ...FILES,
        'context/Dockerfile.dockerignore': 'b',
        'context/.dockerignore': 'a',
      });
      assert.deepEqual(await list(), [
        '.dockerignore',
        'Dockerfile',
        'Dockerfile.dockerignore',
        'b',
      ]);
    });
  });

  it('keeps what a "!" names below what is ignored (IGN-3)', async () => {
    await withContext(async ({ context, write, list }) => {
      await mkdir(join(context, 'd'));
      await write({
        'context/d/a': '',
        'context/d/b': '',
        'context/.dockerignore': 'd\n!d/b\n.dockerignore',
      });
      assert.deepEqual(
        (await list()).filter((path) => path !== 'd'),
        ['d/b'],
      );
    });
  });

  it('has one identity for equal content, whatever the times', async () => {
    await withContext(async ({ context, write, scan }) => {
      await write({ 'context/a': 'one' });
      const { identity, directory } = await scan();
      assert.equal(directory, context);
      await utimes(join(context, 'a'), 5, 5);
      assert.equal((await scan()).identity, identity);
      await chmod(join(context, 'a'), 0o600);
      assert.notEqual((await scan()).identity, identity);
      await chmod(join(context, 'a'), 0o644);
      await write({ 'context/a': 'two' });
      assert.notEqual((await scan()).identity, identity);
    });
  });

  it('rejects an ignore file with a malformed pattern (IGN-8)', async () => {
    await withContext(async ({ write, scan }) => {
      await write({ 'context/.dockerignore': 'ok\n[\n' });
      await assert.rejects(
        scan(),
        (error) => hasCode(error, 'ERR_IGNORE_PATTERN') && error.details.pattern === '[',
      );
    });
  });

  it('rejects an ignore file that cannot be read', async () => {
    await withContext(async ({ context, scan }) => {
      await mkdir(join(context, '.dockerignore'));
      await assert.rejects(scan(), (error) => {
        assert.ok(hasCode(error, 'ERR_CONTEXT_MISSING'), String(error));
        assert.equal(error.details.path, join(context, '.dockerignore'));
        return true;
      });
    });
  });

  it('rejects with the signal’s reason', async () => {
    await withContext(async ({ context }) => {
      const reason = new Error('enough');
      const scanning = scanDirectory({
        directory: context,
        ignore: undefined,
        helper,
        index: join(context, '..', 'index'),
        statCache: join(context, '..', 'stat-cache'),
        signal: AbortSignal.abort(reason),
      });
      await assert.rejects(scanning, (error) => error === reason);
    });
  });
});

describe('requireDirectory()', () => {
  it('accepts a directory, also through a symlink', async () => {
    await withDirectory(async (directory) => {
      await symlink('.', join(directory, 'link'));
      await requireDirectory(directory);
      await requireDirectory(join(directory, 'link'));
    });
  });

  it('rejects what is missing or a file, and says which', async () => {
    await withDirectory(async (directory) => {
      const file = join(directory, 'file');
      await assert.rejects(requireDirectory(file), {
        code: 'ERR_CONTEXT_MISSING',
        message: `Cannot read the build context "${file}": no such directory`,
        details: { path: file },
      });
      await writeFile(file, '');
      await assert.rejects(requireDirectory(file), {
        message: `Cannot read the build context "${file}": it is not a directory`,
      });
    });
  });
});
