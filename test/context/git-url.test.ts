import assert from 'node:assert/strict';
import { type GitSource, parseGitUrl, redactGitUrl } from '../../src/context/git-url.ts';
import { hasCode } from '../../src/errors.ts';

const DEFAULTS: Partial<GitSource> = {
  credentials: undefined,
  ref: undefined,
  subdir: undefined,
  checksum: undefined,
  keepGitDir: undefined,
  submodules: true,
  mtime: 'checkout',
};

describe('a git address (CTX-3)', () => {
  const good: readonly (readonly [string, Partial<GitSource>])[] = [
    ['https://x.test/a.git', { transport: 'https', remote: 'https://x.test/a.git' }],
    [
      'HTTPS://X.test/a.git',
      { transport: 'https', remote: 'https://X.test/a.git', host: 'x.test' },
    ],
    ['http://x.test:80/a/b.git', { transport: 'http', host: 'x.test:80' }],
    ['git://x.test/a', { transport: 'git', remote: 'git://x.test/a' }],
    ['ssh://git@x.test:2222/a', { transport: 'ssh', remote: 'ssh://git@x.test:2222/a' }],
    ['git@x.test:a/b.git', { transport: 'ssh', remote: 'git@x.test:a/b.git', host: 'x.test' }],
    ['git@x.test:a#main:sub', { remote: 'git@x.test:a', ref: 'main', subdir: 'sub' }],
    ['https://x.test/a.git#', {}],
    ['https://x.test/a.git#main', { ref: 'main' }],
    ['https://x.test/a.git#release/1.2', { ref: 'release/1.2' }],
    ['https://x.test/a.git#refs/pull/7/head', { ref: 'refs/pull/7/head' }],
    ['https://x.test/a.git#:dir', { subdir: 'dir' }],
    ['https://x.test/a.git#v1:/d/./e/../f/', { ref: 'v1', subdir: 'd/f' }],
    ['https://x.test/a.git#:.', { subdir: undefined }],
    ['https://x.test/a.git?ref=v1&subdir=d', { ref: 'v1', subdir: 'd' }],
    ['https://x.test/a.git?ref=v1#v1', { ref: 'v1' }],
    ['https://x.test/a.git?tag=v1', { ref: 'refs/tags/v1' }],
    ['https://x.test/a.git?branch=b', { ref: 'refs/heads/b' }],
    ['https://x.test/a.git?branch=refs/heads/b', { ref: 'refs/heads/b' }],
    ['https://x.test/a.git?checksum=ABC1', { ref: 'abc1', checksum: 'abc1' }],
    ['https://x.test/a.git?commit=abc1&ref=v1', { ref: 'v1', checksum: 'abc1' }],
    ['https://x.test/a.git?commit=abc1&fetch-by-commit', { ref: 'abc1', checksum: 'abc1' }],
    ['https://x.test/a.git?keep-git-dir', { keepGitDir: true }],
    ['https://x.test/a.git?keep-git-dir=0', { keepGitDir: false }],
    ['https://x.test/a.git?submodules=false', { submodules: false }],
    ['https://x.test/a.git?mtime=commit', { mtime: 'commit' }],
  ];
  for (const [text, expected] of good) {
    it(`reads ${text}`, () => {
      const source = parseGitUrl(text);
      assert.ok(source);
      const wanted = { ...DEFAULTS, ...expected };
      assert.deepEqual({ ...source, ...wanted }, source);
      assert.deepEqual(pick(source, Object.keys(wanted)), wanted);
    });
  }

  const others = [
    ...['https://x.test/', 'https://x.test/a', 'https://x.test/a.git/', 'https://x.test/a.git.b'],
    ...['http://x.test/a.git:#b', './.git', '.git', 'a/b.git', '/a/b.git', 'file:///a.git'],
    ...['github.com/a/b', 'ext::sh -c x', 'https://x.test', 'git://', 'custom.test/a/b.git'],
  ];
  for (const text of others) {
    it(`leaves ${text} alone`, () => {
      assert.equal(parseGitUrl(text), undefined);
    });
  }

  const bad: readonly (readonly [string, RegExp])[] = [
    ['https://x.test/a.git?x=1', /unexpected query "x"/],
    ['https://x.test/a.git?ref=a&ref=b', /query "ref" has multiple values/],
    ['https://x.test/a.git?ref=', /query "ref" has no value/],
    ['https://x.test/a.git?ref=a#b', /ref conflicts: "b" vs "a"/],
    ['https://x.test/a.git?tag=a#a', /ref conflicts: "a" vs "refs\/tags\/a"/],
    ['https://x.test/a.git?tag=a&branch=a', /branch conflicts with tag/],
    ['https://x.test/a.git?subdir=a#:b', /subdir conflicts/],
    ['https://x.test/a.git?keep-git-dir=x', /invalid keep-git-dir value: "x"/],
    ['https://x.test/a.git?submodules=x', /invalid submodules value: "x"/],
    ['https://x.test/a.git?mtime=now', /invalid mtime value: "now"/],
    ['https://x.test/a.git?checksum=xyz', /invalid checksum "xyz"/],
    ['https://x.test/a.git?checksum=ab&commit=ab', /two names of one query/],
    ['https://x.test/a.git?fetch-by-commit=1', /needs a "commit"/],
    ['https://x.test/a.git#--upload-pack=x', /no name of a branch/],
    ['https://x.test/a.git#-x', /no name of a branch/],
    ['https://x.test/a.git#a..b', /no name of a branch/],
    ['https://x.test/a.git#a%20b', /no name of a branch/],
    ['https://x.test/a.git#a*', /no name of a branch/],
    ['https://x.test/a.git#:../..', /outside the repository/],
    ['https://x.test/a.git?subdir=/a/../../b', /outside the repository/],
    ['ssh://-oProxyCommand=x/a', /may begin with a "-"/],
    ['ssh://-x@x.test/a', /may begin with a "-"/],
    ['-x@x.test:a', /may begin with a "-"/],
    ['git@x.test:-a', /may begin with a "-"/],
    ['https://x.test/a b.git', /a character that no address has/],
  ];
  for (const [text, message] of bad) {
    it(`refuses ${text}, with a hint`, () => {
      assert.throws(
        () => parseGitUrl(text),
        (error) => hasCode(error, 'ERR_GIT_INVALID') && message.test(error.message) && !!error.hint,
      );
    });
  }

  it('takes github.com/… for a context alone', () => {
    const source = parseGitUrl('github.com/a/b#main', { isContext: true });
    assert.equal(source?.remote, 'https://github.com/a/b');
    assert.equal(source.ref, 'main');
  });

  it('takes every http address where git is known to be meant', () => {
    assert.equal(parseGitUrl('https://x.test/a', { isKnown: true })?.remote, 'https://x.test/a');
  });

  it('keeps user and password out of what is shown and what git is called with', () => {
    const source = parseGitUrl('https://u%40x:p%3Aw@x.test/a.git#main');
    assert.equal(source?.credentials, 'u@x:p:w');
    assert.equal(source.remote, 'https://x.test/a.git');
    assert.equal(source.shown, 'https://x.test/a.git');
    assert.equal(parseGitUrl('ssh://git:pw@x.test/a')?.remote, 'ssh://git@x.test/a');
    assert.equal(redactGitUrl('https://u:p@x.test/a.git?x'), 'https://x.test/a.git?x');
    assert.equal(redactGitUrl('ssh://git:pw@x.test/a'), 'ssh://git@x.test/a');
    assert.throws(
      () => parseGitUrl('https://u:hunter2@x.test/a.git?x=1'),
      (error) => error instanceof Error && !error.message.includes('hunter2'),
    );
  });
});

function pick(source: GitSource, keys: readonly string[]): Record<string, unknown> {
  return Object.fromEntries(Object.entries(source).filter(([key]) => keys.includes(key)));
}
