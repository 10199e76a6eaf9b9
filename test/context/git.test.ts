import assert from 'node:assert/strict';
import {
  lstat,
  mkdir,
  readdir,
  readFile,
  readlink,
  rm,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { join } from 'node:path';
import { fetchGit, type GitCheckout, type GitOptions, resolveGit } from '../../src/context/git.ts';
import { type GitSource, parseGitUrl } from '../../src/context/git-url.ts';
import { hasCode, TsbuildError } from '../../src/errors.ts';
import {
  COMMIT_TIME,
  commitFiles,
  git,
  type GitServer,
  type GitServerOptions,
  makeRepository,
  noGit,
  serveGit,
} from '../support/git-server.ts';
import { itUnless } from '../support/missing.ts';
import { withDirectory } from '../support/temporary.ts';

interface Place {
  /** Where repositories are served from. */
  readonly root: string;
  readonly server: GitServer;
  readonly directory: string;
  readonly source: (text: string) => GitSource;
  /** From `NAME.git` and what follows it. */
  readonly fetch: (text: string, options?: Partial<GitOptions>) => Promise<GitCheckout>;
  readonly options: GitOptions;
}

const NOW = 1_700_000_000;
const gitIt = itUnless(noGit);

async function withPlace(
  use: (place: Place) => Promise<void>,
  serverOptions: GitServerOptions = {},
): Promise<void> {
  await withDirectory(async (directory) => {
    const root = join(directory, 'srv');
    const [mirrors, scratch] = [join(directory, 'store'), join(directory, 'tmp')];
    for (const path of [root, mirrors, scratch]) await mkdir(path);
    const server = await serveGit(root, serverOptions);
    const { signal } = new AbortController();
    const options = { mirrors, scratch, secrets: new Map(), now: NOW, signal };
    const source = (text: string): GitSource => {
      const parsed = parseGitUrl(`${server.url}/${text}`);
      assert.ok(parsed);
      return parsed;
    };
    const fetch: Place['fetch'] = async (text, more) =>
      await fetchGit(source(text), { ...options, ...more });
    try {
      await use({ root, server, directory, source, fetch, options });
    } finally {
      await server.close();
    }
  });
}

describe('fetchGit (CTX-4, CP-25)', function () {
  this.timeout(60_000);

  gitIt('checks out the default branch: modes of umask 022, symlinks, dates, no .git', () =>
    withPlace(async ({ root, fetch }) => {
      const repository = await makeRepository(root, 'a', { f: '1', 'd/x': '2' });
      await symlink('../../etc/passwd', join(repository, 'd/link'));
      await writeFile(join(repository, 'run'), '#!', { mode: 0o700 });
      const commit = await commitFiles(repository, {});
      const { directory, ...found } = await fetch('a.git');
      assert.deepEqual(found, {
        ...{ commit, tag: undefined, refName: 'refs/heads/main' },
        committed: COMMIT_TIME,
      });
      assert.deepEqual((await readdir(directory, { recursive: true })).toSorted(), [
        ...['d', 'd/link', 'd/x', 'f', 'run'],
      ]);
      assert.equal(await readlink(join(directory, 'd/link')), '../../etc/passwd');
      for (const [path, mode] of [
        ['', 0o755],
        ['d', 0o755],
        ['f', 0o644],
        ['run', 0o755],
      ] as const) {
        const { mode: found, mtimeMs } = await lstat(join(directory, path));
        assert.equal(found & 0o7777, mode, path);
        assert.equal(mtimeMs, NOW * 1000, path);
      }
      assert.equal((await lstat(join(directory, 'd/link'))).mtimeMs, NOW * 1000);
      const dated = await fetch('a.git?mtime=commit');
      assert.equal((await lstat(join(dated.directory, 'd/x'))).mtimeMs, COMMIT_TIME * 1000);
    }),
  );

  gitIt('finds branches, tags, commits and other refs; a branch goes before a tag', () =>
    withPlace(async ({ root, fetch, source, options }) => {
      const repository = await makeRepository(root, 'a', { f: '1' });
      const first = await git(repository, 'rev-parse', 'HEAD');
      await git(repository, 'tag', '-a', '-m', 't', 'v1');
      const tag = await git(repository, 'rev-parse', 'v1');
      await git(repository, 'tag', 'both');
      const second = await commitFiles(repository, { f: '2' });
      await git(repository, 'update-ref', 'refs/pull/7/head', second);
      await git(repository, 'branch', 'feature/x');
      await git(repository, 'branch', 'both');
      await git(repository, 'reset', '-q', '--hard', first);
      const cases: readonly (readonly [string, string, string])[] = [
        ['main', first, '1'],
        ['HEAD', first, '1'],
        ['feature/x', second, '2'],
        ['refs/heads/feature/x', second, '2'],
        ['heads/feature/x', second, '2'],
        ['refs/pull/7/head', second, '2'],
        ['v1', first, '1'],
        ['refs/tags/v1', first, '1'],
        ['both', second, '2'],
        ['refs/tags/both', first, '1'],
        [second, second, '2'],
        [second.slice(0, 9), second, '2'],
      ];
      for (const [ref, commit, content] of cases) {
        const found = await fetch(`a.git#${ref}`);
        assert.equal(found.commit, commit, ref);
        assert.equal(await readFile(join(found.directory, 'f'), 'utf8'), content, ref);
        // A commit's whole name is right without asking.
        if (ref !== second)
          assert.equal((await resolveGit(source(`a.git#${ref}`), options)).commit, commit);
      }
      assert.equal((await fetch('a.git#v1')).tag, tag);
    }),
  );

  gitIt(
    'transfers nothing for a commit that the store has, and asks nothing for its whole name',
    () =>
      withPlace(async ({ root, server, fetch }) => {
        await makeRepository(root, 'a', { f: '1' });
        const { commit } = await fetch('a.git#main');
        const before = server.requests.length;
        assert.equal((await fetch('a.git#main')).commit, commit);
        const asked = server.requests.slice(before);
        // Reading refs takes a GET, and with protocol 2 a POST; a pack would take another one.
        assert.ok(asked.length <= 2, asked.join());
        await server.close();
        const again = await fetch(`a.git#${commit}`);
        assert.equal(await readFile(join(again.directory, 'f'), 'utf8'), '1');
      }),
  );

  gitIt('follows a ref that has moved, by fetching what is new into a copy of links', () =>
    withPlace(async ({ root, fetch, options }) => {
      const repository = await makeRepository(root, 'a', { f: '1', big: 'x'.repeat(5000) });
      const first = await fetch('a.git');
      await commitFiles(repository, { f: '2' });
      const second = await fetch('a.git');
      assert.notEqual(first.commit, second.commit);
      assert.equal(await readFile(join(second.directory, 'f'), 'utf8'), '2');
      const [remote = ''] = await readdir(options.mirrors);
      const packs = join(options.mirrors, remote, second.commit, 'objects/pack');
      const links = await Promise.all(
        (await readdir(packs)).map(async (name) => (await lstat(join(packs, name))).nlink),
      );
      assert.ok(links.includes(2) && links.includes(1));
      // The old one is as it was.
      const again = await fetch(`a.git#${first.commit}`);
      assert.equal(await readFile(join(again.directory, 'f'), 'utf8'), '1');
    }),
  );

  for (const isOld of [false, true]) {
    gitIt(`finds a commit that no ref names any more in history (protocol ${isOld ? 0 : 2})`, () =>
      withPlace(
        async ({ root, fetch }) => {
          const repository = await makeRepository(root, 'a', { f: '1' });
          const first = await git(repository, 'rev-parse', 'HEAD');
          await commitFiles(repository, { f: '2' });
          await fetch('a.git');
          const found = await fetch(`a.git#${first}`);
          assert.equal(await readFile(join(found.directory, 'f'), 'utf8'), '1');
          await assert.rejects(
            fetch(`a.git#${'1'.repeat(40)}`),
            (error) => hasCode(error, 'ERR_GIT_FAILED') && error.details.reason === 'not-found',
          );
        },
        { isOld },
      ),
    );
  }

  gitIt('reads repositories with sha256', () =>
    withPlace(async ({ root, fetch }) => {
      const repository = await makeRepository(root, 'a', { f: '1' }, 'sha256');
      const { commit, directory } = await fetch('a.git?keep-git-dir=1');
      assert.equal(commit.length, 64);
      assert.equal(commit, await git(repository, 'rev-parse', 'HEAD'));
      assert.equal(await git(directory, 'rev-parse', 'HEAD'), commit);
    }),
  );

  gitIt('gives a subdirectory alone; it must be there, and inside', () =>
    withPlace(async ({ root, fetch }) => {
      const repository = await makeRepository(root, 'a', { f: '1', 'd/e/g': '2' });
      await symlink('d/e', join(repository, 'inside'));
      await symlink('/etc', join(repository, 'absolute'));
      await symlink('../..', join(repository, 'above'));
      await commitFiles(repository, {});
      assert.deepEqual(await readdir((await fetch('a.git#:d/e')).directory), ['g']);
      assert.deepEqual(await readdir((await fetch('a.git#main:inside')).directory), ['g']);
      for (const [subdir, message] of [
        ['absolute', /leads out of/],
        ['above', /leads out of/],
        ['f', /has no directory "f"/],
        ['none', /has no directory "none"/],
      ] as const) {
        await assert.rejects(
          fetch(`a.git#:${subdir}`),
          (error) => hasCode(error, 'ERR_GIT_FAILED') && message.test(error.message),
        );
      }
    }),
  );

  gitIt('requires a pinned commit, and names both when it is another (CP-24)', () =>
    withPlace(async ({ root, fetch }) => {
      const repository = await makeRepository(root, 'a', { f: '1' });
      await git(repository, 'tag', '-a', '-m', 't', 'v1');
      const commit = await git(repository, 'rev-parse', 'HEAD');
      const tag = await git(repository, 'rev-parse', 'v1');
      await fetch(`a.git?checksum=${commit.slice(0, 8)}#main`);
      await fetch(`a.git?checksum=${commit}`);
      await fetch(`a.git?checksum=${tag.slice(0, 1)}&tag=v1`);
      const other = commit.startsWith('abc1') ? 'abc2' : 'abc1';
      await assert.rejects(fetch(`a.git?checksum=${other}#main`), (error) => {
        assert.ok(hasCode(error, 'ERR_CHECKSUM_MISMATCH'));
        assert.deepEqual(error.details, { expected: other, found: commit });
        return error.message.includes(commit) && error.message.includes(other);
      });
    }),
  );

  gitIt('keeps .git with one commit, its ref, a clean index and no secret', () =>
    withPlace(async ({ root, fetch, server, source, options }) => {
      const repository = await makeRepository(root, 'a', { f: '1' });
      await commitFiles(repository, { f: '2' });
      await git(repository, 'tag', '-a', '-m', 't', 'v1');
      const url = server.url.replace('://', '://user:hunter2@');
      const withPassword = parseGitUrl(`${url}/a.git?keep-git-dir=1#main`);
      assert.ok(withPassword);
      const { directory, commit } = await fetchGit(withPassword, options);
      assert.equal(
        await git(directory, 'rev-parse', 'HEAD', 'refs/heads/main'),
        `${commit}\n${commit}`,
      );
      assert.equal(await git(directory, 'rev-list', '--count', 'HEAD'), '1');
      assert.equal(await git(directory, 'status', '--porcelain'), '');
      assert.equal(await git(directory, 'remote', 'get-url', 'origin'), `${server.url}/a.git`);
      const config = await readFile(join(directory, '.git/config'), 'utf8');
      assert.doesNotMatch(config, /hunter2|extraheader/i);
      const tagged = await fetchGit(source('a.git#v1'), { ...options, keepGitDir: true });
      assert.equal(await git(tagged.directory, 'describe'), 'v1');
      // Twice the same bytes: nothing in it is of this machine or of now. (git wrote into the first.)
      const [one, two] = [await fetch('a.git?keep-git-dir=1'), await fetch('a.git?keep-git-dir=1')];
      for (const path of await readdir(join(one.directory, '.git'), { recursive: true })) {
        if (!(await lstat(join(one.directory, '.git', path))).isFile()) continue;
        const [a, b] = [one, two].map((it) => readFile(join(it.directory, '.git', path)));
        assert.deepEqual(await a, await b, path);
      }
    }),
  );

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

  gitIt(
    'runs nothing that a repository brings along: filters, hooks and drivers are names only',
    () =>
      withPlace(async ({ root, fetch, directory }) => {
        const repository = await makeRepository(root, 'a', {
          ...{ f: '1', '.gitattributes': '* filter=evil diff=evil text=auto\n' },
          '.gitconfig': '[filter "evil"]\n\tsmudge = touch ran\n',
        });
        await mkdir(join(repository, '.git/hooks'), { recursive: true });
        await writeFile(
          join(repository, '.git/hooks/post-checkout'),
          `#!/bin/sh\ntouch ${directory}/ran\n`,
          {
            mode: 0o755,
          },
        );
        const found = await fetch('a.git?keep-git-dir=1');
        assert.deepEqual((await readdir(found.directory)).toSorted(), [
          ...['.git', '.gitattributes', '.gitconfig', 'f'],
        ]);
        assert.ok(!(await readdir(directory)).includes('ran'));
      }),
  );

  gitIt('fetches again what is damaged in the store', () =>
    withPlace(async ({ root, fetch, options }) => {
      await makeRepository(root, 'a', { f: '1' });
      const { commit } = await fetch('a.git');
      const [remote = ''] = await readdir(options.mirrors);
      const mirror = join(options.mirrors, remote, commit);
      await rm(join(mirror, 'objects'), { recursive: true });
      await mkdir(join(mirror, 'objects/pack'), { recursive: true });
      const { directory } = await fetch(`a.git#${commit}`);
      assert.equal(await readFile(join(directory, 'f'), 'utf8'), '1');
      // What took its place is whole.
      assert.ok((await readdir(join(mirror, 'objects/pack'))).length > 0);
    }),
  );

  gitIt('may be done by many at once', () =>
    withPlace(async ({ root, fetch, options }) => {
      await makeRepository(root, 'a', { f: '1' });
      const all = await Promise.all(Array.from({ length: 4 }, () => fetch('a.git')));
      for (const { directory } of all) {
        assert.equal(await readFile(join(directory, 'f'), 'utf8'), '1');
      }
      const [remote = ''] = await readdir(options.mirrors);
      assert.equal((await readdir(join(options.mirrors, remote))).length, 1);
    }),
  );
});

describe('failures of git', function () {
  this.timeout(60_000);

  gitIt('names the repository and the ref that are not there', () =>
    withPlace(async ({ root, fetch }) => {
      await makeRepository(root, 'a', { f: '1' });
      await assert.rejects(fetch('a.git#nope'), (error) => {
        assert.ok(hasCode(error, 'ERR_GIT_FAILED'));
        assert.equal(error.details.ref, 'nope');
        assert.equal(error.details.reason, 'not-found');
        return /no branch, tag or commit "nope"/.test(error.message);
      });
      await assert.rejects(
        fetch('none.git'),
        (error) => hasCode(error, 'ERR_GIT_FAILED') && error.details.reason === 'not-found',
      );
    }),
  );

  gitIt('says of an empty repository that it has no default branch', () =>
    withPlace(async ({ root, fetch }) => {
      await mkdir(join(root, 'a.git'));
      await git(join(root, 'a.git'), 'init', '-q', '--bare');
      await assert.rejects(fetch('a.git'), /it has no default branch/);
    }),
  );

  gitIt('tries again when the network fails, then says so', () => {
    let failures = 1;
    return withPlace(
      async ({ root, fetch, server }) => {
        await makeRepository(root, 'a', { f: '1' });
        await fetch('a.git');
        assert.equal(failures, 0);
        failures = 1000;
        const before = server.requests.length;
        await assert.rejects(
          fetch('a.git'),
          (error) => hasCode(error, 'ERR_GIT_FAILED') && error.details.reason === 'network',
        );
        assert.equal(server.requests.length - before, 3);
      },
      {
        intercept: (_, response) => {
          if (failures === 0) return false;
          failures -= 1;
          response.writeHead(503).end();
          return true;
        },
      },
    );
  });

  const TOKEN = 'token-that-nobody-may-see';
  const basic = (text: string): string => `basic ${Buffer.from(text).toString('base64')}`;
  const accepted = basic(`x-access-token:${TOKEN}`);
  const authorize = (header: string | undefined): boolean => header === accepted;

  const secretsFor: readonly (readonly [string, (host: string) => Record<string, string>])[] = [
    ['GIT_AUTH_TOKEN', () => ({ GIT_AUTH_TOKEN: `${TOKEN}\n` })],
    ['GIT_AUTH_HEADER', () => ({ GIT_AUTH_HEADER: accepted })],
    ['GIT_AUTH_TOKEN.HOST', (host) => ({ [`GIT_AUTH_TOKEN.${host}`]: TOKEN, GIT_AUTH_TOKEN: 'x' })],
    [
      'GIT_AUTH_HEADER.HOST',
      (host) => ({ [`GIT_AUTH_HEADER.${host}`]: accepted, GIT_AUTH_HEADER: 'x' }),
    ],
  ];
  for (const [name, secrets] of secretsFor) {
    gitIt(`sends the secret ${name}, and leaves it nowhere (CP-26)`, () =>
      withPlace(
        async ({ root, fetch, directory, server }) => {
          const other = await makeRepository(root, 'b', { g: '2' });
          const repository = await makeRepository(root, 'a', { f: '1' });
          await addSubmodule(repository, 'sub', '../b.git', other);
          const given = asSecrets(secrets(server.host));
          const found = await fetch('a.git?keep-git-dir=1', { secrets: given });
          assert.equal(await readFile(join(found.directory, 'sub/g'), 'utf8'), '2');
          await assertNowhere(directory, [TOKEN, accepted.slice('basic '.length)]);
        },
        { authorize },
      ),
    );
  }

  gitIt('sends the user and password of an address, and leaves them nowhere', () =>
    withPlace(
      async ({ root, options, directory, server }) => {
        await makeRepository(root, 'a', { f: '1' });
        const source = parseGitUrl(
          `${server.url.replace('//', `//x-access-token:${TOKEN}@`)}/a.git`,
        );
        assert.ok(source);
        await fetchGit(source, { ...options, keepGitDir: true });
        await assertNowhere(directory, [TOKEN, accepted.slice('basic '.length)]);
      },
      { authorize },
    ),
  );

  gitIt('says which credentials were tried, and not what they are', () =>
    withPlace(
      async ({ root, fetch, server }) => {
        await makeRepository(root, 'a', { f: '1' });
        await assert.rejects(fetch('a.git'), (error) => {
          assert.ok(hasCode(error, 'ERR_GIT_FAILED'));
          assert.equal(error.details.reason, 'denied');
          assert.match(error.hint ?? '', /there is no secret/);
          return error.hint?.includes(`"GIT_AUTH_TOKEN.${server.host}"`) === true;
        });
        const secrets = asSecrets({ GIT_AUTH_TOKEN: 'wrong-one' });
        await assert.rejects(fetch('a.git', { secrets }), (error) => {
          assert.ok(error instanceof TsbuildError);
          assert.match(error.hint ?? '', /The secret "GIT_AUTH_TOKEN" was sent/);
          const all = `${error.message}${error.hint}${JSON.stringify(error.details)}`;
          return !all.includes('wrong-one') && !all.includes(basic('x-access-token:wrong-one'));
        });
      },
      { authorize },
    ),
  );

  gitIt('sends no secret of one server to another', () =>
    withPlace(async ({ root, fetch }) => {
      const seen: (string | undefined)[] = [];
      const other = await serveGit(root, {
        authorize: (header) => {
          seen.push(header);
          return true;
        },
      });
      try {
        const submodule = await makeRepository(root, 'b', { g: '2' });
        const repository = await makeRepository(root, 'a', { f: '1' });
        await addSubmodule(repository, 'sub', `${other.url}/b.git`, submodule);
        await fetch('a.git', { secrets: asSecrets({ GIT_AUTH_TOKEN: TOKEN }) });
        assert.ok(seen.length > 0);
        assert.deepEqual(new Set(seen), new Set([undefined]));
      } finally {
        await other.close();
      }
    }),
  );

  gitIt('ends git and everything it started when told to stop', async () => {
    const stop = new AbortController();
    await withPlace(
      async ({ root, fetch, options }) => {
        await makeRepository(root, 'a', { f: '1' });
        const fetching = fetch('a.git', { signal: stop.signal });
        await assert.rejects(fetching, (error) => error === stop.signal.reason);
        assert.deepEqual(await processesWith(options.scratch), []);
        assert.deepEqual(await readdir(options.mirrors), []);
      },
      {
        // The answer never comes.
        intercept: (request) => {
          if (request.method !== 'POST') return false;
          setImmediate(() => stop.abort(new Error('stop')));
          return true;
        },
      },
    );
  });
});

/** Like `git submodule add`, without its own opinion of addresses. */
async function addSubmodule(
  repository: string,
  path: string,
  url: string,
  target: string,
): Promise<void> {
  const commit = await git(target, 'rev-parse', 'HEAD');
  await git(repository, 'config', '-f', '.gitmodules', `submodule.${path}.path`, path);
  await git(repository, 'config', '-f', '.gitmodules', `submodule.${path}.url`, url);
  await git(repository, 'add', '.gitmodules');
  await git(repository, 'update-index', '--add', '--cacheinfo', `160000,${commit},${path}`);
  await git(repository, 'commit', '-q', '-m', 'submodule');
}

function asSecrets(values: Readonly<Record<string, string>>): ReadonlyMap<string, Uint8Array> {
  return new Map(Object.entries(values).map(([name, value]) => [name, Buffer.from(value)]));
}

/** No file below has any of these texts in it. */
async function assertNowhere(directory: string, texts: readonly string[]): Promise<void> {
  for (const entry of await readdir(directory, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    const content = await readFile(path, 'latin1');
    for (const text of texts) assert.ok(!content.includes(text), path);
  }
}

/** Ids of processes whose arguments name a path. */
async function processesWith(path: string): Promise<string[]> {
  const found: string[] = [];
  for (const id of await readdir('/proc')) {
    const line =
      /^\d+$/.test(id) && (await readFile(`/proc/${id}/cmdline`, 'utf8').catch(() => ''));
    if (line !== false && line.includes(path)) found.push(id);
  }
  return found;
}
