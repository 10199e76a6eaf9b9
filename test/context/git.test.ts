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
import { fetchGit, resolveGit } from '../../src/context/git.ts';
import { parseGitUrl } from '../../src/context/git-url.ts';
import { hasCode } from '../../src/errors.ts';
import { NOW, withPlace } from '../support/git-place.ts';
import { COMMIT_TIME, commitFiles, git, makeRepository, noGit } from '../support/git-server.ts';
import { itUnless } from '../support/missing.ts';

const gitIt = itUnless(noGit);

describe('fetchGit (CTX-4, CP-25)', function () {
  this.timeout(120_000);

  gitIt('checks out the default branch: modes of umask 022, symlinks, dates, no .git', () =>
    withPlace(async ({ root, fetch }) => {
      const repository = await makeRepository(root, 'a', { f: '1', 'd/x': '2' });
      await symlink('../../etc/passwd', join(repository, 'd/link'));
      await writeFile(join(repository, 'run'), '#!', { mode: 0o700 });
      const commit = await commitFiles(repository, {});
      const { directory, ...found } = await fetch('a.git');
      assert.deepEqual(found, {
        ...{ commit, tag: undefined, refName: 'refs/heads/main' },
        datedBy: undefined,
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

  gitIt('runs nothing that a repository brings along', () =>
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
