import assert from 'node:assert/strict';
import { symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import {
  build,
  type BuildEvent,
  type BuildOptions,
  type ContextFile,
  type ContextListing,
  type ContextOptions,
  explainContextPath,
  hasCode,
  listContext,
} from '../src/index.ts';
import { makeImage } from './support/image.ts';
import { type Files, inContext } from './support/in-context.ts';
import { startRegistry } from './support/registry.ts';
import { tar } from './support/tar.ts';

async function listOf(files: Files, more: Partial<ContextOptions> = {}): Promise<ContextListing> {
  return await inContext(files, async (options) => await listContext({ ...options, ...more }));
}

/** `+` or `-`, the path, the rule's line, `!` for a directory that was not entered. */
function short({ path, kept, rule, entered }: ContextFile): string {
  const line = rule === undefined ? '' : ` ${rule.file}:${rule.line}`;
  return `${kept ? '+' : '-'}${path}${entered ? '' : '!'}${line}`;
}

const shorts = ({ files }: ContextListing): readonly string[] => files.map(short);

const FILES = {
  Dockerfile: 'FROM scratch\nCOPY src /src\n',
  '.dockerignore': '# what is not needed\nnode_modules\nlogs\n!logs/keep/*.log\n*.sql\n',
  'node_modules/a/index.js': '12345',
  'logs/a.log': '123',
  'logs/keep/b.log': '1234',
  'logs/old/c.log': '12',
  'src/a.ts': '1',
  'src-old/b.ts': '12',
  'dump.sql': '123456',
};

describe('listContext()', () => {
  it('tells what any of several platforms uses, each instruction once (MP-1)', async () => {
    const Dockerfile = 'FROM scratch\nARG TARGETARCH\nCOPY all $TARGETARCH /\n';
    const files = { Dockerfile, all: '', s390x: '', arm64: '', other: '' };
    const used = await inContext(files, async (options) => {
      const listing = await listContext({ ...options, platform: 'linux/s390x,linux/arm64' });
      return listing.files.map(({ path, usedBy }) => [path, usedBy.length]);
    });
    assert.deepEqual(Object.fromEntries(used), {
      ...{ Dockerfile: 0, all: 1, s390x: 1, arm64: 1, other: 0 },
    });
  });

  it('lists what is kept and what is not, with the rule that decides (IGN-3)', async () => {
    const listing = await listOf(FILES);
    assert.deepEqual(shorts(listing), [
      '+.dockerignore',
      '+Dockerfile',
      '-dump.sql .dockerignore:5',
      '+logs .dockerignore:3',
      '-logs/a.log .dockerignore:3',
      '+logs/keep .dockerignore:3',
      '+logs/keep/b.log .dockerignore:4',
      '-logs/old! .dockerignore:3',
      '-node_modules! .dockerignore:2',
      '+src',
      '+src/a.ts',
      '+src-old',
      '+src-old/b.ts',
    ]);
    const own = FILES['.dockerignore'].length + FILES.Dockerfile.length;
    assert.deepEqual(listing.totals, {
      kept: { files: 5, bytes: own + 4 + 1 + 2 },
      ignored: { files: 2, bytes: 9, unenteredDirectories: 2 },
      unused: { files: 4, bytes: own + 4 + 2 },
    });
    assert.deepEqual(listing.uses, [
      { instruction: 'COPY', text: 'COPY src /src', line: 2, stage: '0' },
    ]);
    const used = listing.files.filter(({ usedBy }) => usedBy.length > 0);
    assert.deepEqual(
      used.map(({ path, usedBy }) => [path, usedBy]),
      ['src', 'src/a.ts'].map((path) => [path, listing.uses]),
    );
  });

  it('enters ignored directories when asked to', async () => {
    const listing = await listOf(FILES, { all: true });
    const added = shorts(listing).filter((line) => /^-(logs\/old|node_modules)/.test(line));
    assert.deepEqual(added, [
      '-logs/old .dockerignore:3',
      '-logs/old/c.log .dockerignore:3',
      '-node_modules .dockerignore:2',
      '-node_modules/a .dockerignore:2',
      '-node_modules/a/index.js .dockerignore:2',
    ]);
    assert.deepEqual(listing.totals.ignored, { files: 4, bytes: 16, unenteredDirectories: 0 });
  });

  it('lists a tar as it does a directory (CTX-1, IGN-7)', async () => {
    const members = Object.entries(FILES).map(([name, content]) => ({ name, content }));
    const here = await listOf(FILES);
    const there = await listOf(FILES, { context: tar(members) });
    assert.deepEqual(shorts(there), shorts(here));
    assert.deepEqual(there.totals, here.totals);
  });

  it('names the ignore file in force (IGN-1, IGN-9)', async () => {
    const files = { ...FILES, 'Dockerfile.dockerignore': 'src\n', other: '*\n' };
    const own = await listOf(files);
    assert.equal(own.ignoreFile, 'Dockerfile.dockerignore');
    assert.ok(shorts(own).includes('-src! Dockerfile.dockerignore:1'));
    const named = await inContext(
      files,
      async (options) =>
        await listContext({ ...options, ignoreFile: join(options.context, 'other') }),
    );
    assert.match(named.ignoreFile ?? '', /\/other$/);
    assert.deepEqual(named.totals.kept, { files: 0, bytes: 0 });
    const none = await listOf({ Dockerfile: 'FROM scratch\n', '.git/HEAD': '' });
    assert.deepEqual(
      [none.ignoreFile, shorts(none)],
      [undefined, ['+.git', '+.git/HEAD', '+Dockerfile']],
    );
  });

  it('says of a source that is ignored which rule it was (IGN-6)', async () => {
    const { failures } = await listOf({ ...FILES, Dockerfile: 'FROM scratch\nCOPY dump.sql /\n' });
    assert.deepEqual(
      failures.map(({ code, hint }) => [code, hint]),
      [
        [
          'ERR_SOURCE_MISSING',
          'It is there, but "*.sql" (.dockerignore:5) leaves it out of the build context.',
        ],
      ],
    );
  });

  it('lists sockets, which no layer can have (CTX-10)', async () => {
    await inContext({ Dockerfile: 'FROM scratch\n' }, async (options) => {
      const server = createServer();
      await new Promise<void>((ready) => server.listen(join(options.context, 's'), ready));
      try {
        const { files } = await listContext(options);
        const [, found] = files;
        assert.deepEqual([found?.path, found?.type, found?.kept], ['s', 'socket', false]);
      } finally {
        await new Promise((closed) => server.close(closed));
      }
    });
  });

  it('knows names that are no UTF-8, and symlinks', async () => {
    await inContext({ Dockerfile: 'FROM scratch\n', '.dockerignore': 'l\n' }, async (options) => {
      const name = Buffer.from(`${options.context}/a\xff`, 'latin1');
      await writeFile(name, 'x');
      await symlink('/nowhere', join(options.context, 'l'));
      const { files, totals } = await listContext(options);
      assert.deepEqual(
        files.map(({ path, type, kept }) => [path, type, kept]),
        [
          ['.dockerignore', 'file', true],
          ['Dockerfile', 'file', true],
          ['a\ufffd', 'file', true],
          ['l', 'symlink', false],
        ],
      );
      assert.deepEqual(totals.ignored, { files: 1, bytes: 0, unenteredDirectories: 0 });
    });
  });

  it('lists the files when the Dockerfile is wrong or a registry does not answer', async () => {
    const wrong = await listOf({ Dockerfile: 'FROM scratch\nCOPY a\n' });
    assert.ok(hasCode(wrong.unplanned, 'ERR_INSTRUCTION_INVALID'));
    const base = await listOf({ Dockerfile: 'FROM localhost:1/base\nCOPY . /\n' });
    assert.ok(hasCode(base.unplanned, 'ERR_REGISTRY_UNREACHABLE'));
    assert.deepEqual([shorts(base), base.totals.unused], [['+Dockerfile'], undefined]);
    assert.deepEqual([base.uses, base.warnings], [[], []]);
  });

  it('reads no more of a base image than its config', async () => {
    const registry = await startRegistry();
    try {
      const config = { OnBuild: ['COPY a /a'] };
      registry.add('base', '1', await makeImage({ config }));
      const Dockerfile = `FROM ${registry.host}/base:1\n`;
      const { uses } = await listOf({ Dockerfile, a: '' }, { platform: 'linux/amd64' });
      assert.deepEqual(
        uses.map(({ text, line }) => [text, line]),
        [['ONBUILD COPY a /a', 1]],
      );
      assert.equal(registry.log.filter((line) => line.includes('/blobs/')).length, 1);
    } finally {
      await registry.close();
    }
  });

  it('rejects a pattern that is none, and a context that is not there (IGN-8)', async () => {
    await assert.rejects(listOf({ ...FILES, '.dockerignore': 'a\n[\n' }), (error) => {
      assert.ok(hasCode(error, 'ERR_IGNORE_PATTERN'));
      return error.location?.range.start.line === 2;
    });
    await assert.rejects(listContext({ context: '/nowhere' }), (error) =>
      hasCode(error, 'ERR_CONTEXT_MISSING'),
    );
  });

  it('stops with the signal’s reason', async () => {
    const reason = new Error('enough');
    await assert.rejects(listOf(FILES, { signal: AbortSignal.abort(reason) }), reason);
  });
});

describe('explainContextPath()', () => {
  const explain = async (path: string, files: Files = FILES) =>
    await inContext(files, async (options) => await explainContextPath(options, path));

  it('lists every rule that matched, in order (IGN-3)', async () => {
    const { kept, matches, rule } = await explain('logs/keep/b.log');
    assert.deepEqual(
      [kept, rule?.line, matches.map(({ rule: { line }, path }) => [line, path])],
      [
        true,
        4,
        [
          [3, 'logs'],
          [4, 'logs/keep/b.log'],
        ],
      ],
    );
  });

  it('looks into directories that were not entered', async () => {
    const { kept, size, rule } = await explain('/node_modules/./a/index.js');
    assert.deepEqual([kept, size, rule?.line], [false, 5, 2]);
  });

  it('knows the root, which is never ignored (IGN-5)', async () => {
    const files = { ...FILES, '.dockerignore': '**\n', Dockerfile: 'FROM scratch\nADD . /\n' };
    const { path, kept, matches, usedBy } = await explain('.', files);
    assert.deepEqual([path, kept, matches, usedBy.length], ['', true, [], 1]);
  });

  it('rejects a path that is not there, and guesses what was meant', async () => {
    for (const [path, hint] of [
      ['src/b.ts', 'Did you mean "src/a.ts"?'],
      ['dump.sq', 'Did you mean "dump.sql"?'],
      ['b.log', 'Did you mean "logs/keep/b.log"?'],
      ['../outside', 'Paths are relative to its root.'],
    ] as const) {
      await assert.rejects(explain(path), (error) => {
        assert.ok(hasCode(error, 'ERR_SOURCE_MISSING'));
        assert.equal(error.hint, hint);
        return true;
      });
    }
  });
});

describe('build()', () => {
  async function noticesOf(options: BuildOptions): Promise<readonly string[]> {
    const notices: string[] = [];
    const onEvent = (event: BuildEvent): void => {
      if (event.kind === 'notice')
        notices.push(`${event.location?.range.start.line} ${event.message}`);
    };
    await build({ ...options, onEvent });
    return notices;
  }

  const secrets = { '.env': 'KEY=1', '.git/HEAD': 'ref', a: '' };
  const advice = 'into the image; leave it out with .dockerignore, or use a secret mount';

  it('warns of secrets that a COPY selects, also when nothing is new', async () => {
    const files = { ...secrets, Dockerfile: 'FROM scratch\nCOPY . /\n' };
    await inContext(files, async (options) => {
      const expected = [`2 SecretFileCopied: COPY puts ".env" and ".git" (1 file, 3 B) ${advice}`];
      assert.deepEqual(await noticesOf(options), expected);
      assert.deepEqual(await noticesOf(options), expected);
      await writeFile(join(options.context, '.dockerignore'), '.env\n.git\n');
      assert.deepEqual(await noticesOf(options), []);
    });
  });

  it('says once what the text of the Dockerfile says already', async () => {
    const files = { ...secrets, Dockerfile: 'FROM scratch\nCOPY ./.env a /b/\n' };
    const notices = await inContext(files, noticesOf);
    assert.equal(notices.length, 1, notices.join('\n'));
  });

  it('says nothing that is turned off (DIR-7, DIR-8)', async () => {
    const all = '# check=skip=SecretFileCopied\nFROM scratch\nCOPY . /\n';
    assert.deepEqual(await inContext({ ...secrets, Dockerfile: all }, noticesOf), []);
    const one =
      'FROM scratch\n# check=skip=SecretFileCopied\nCOPY . /\nCOPY .git /g/\nCOPY . /b/\n';
    const notices = await inContext({ ...secrets, Dockerfile: one }, noticesOf);
    assert.deepEqual(
      notices.map((notice) => notice.slice(0, 1)),
      ['4', '5'],
    );
  });
});
