import assert from 'node:assert/strict';
import { hasCode, TsbuildError } from '../../src/errors.ts';
import { copyOf, plan } from './support.ts';

const SHA = `sha256:${'a'.repeat(64)}`;

describe('COPY and ADD', () => {
  const destinations: readonly (readonly [string, string])[] = [
    ['/x', '/x'],
    ['/x/', '/x/'],
    ['x/../y', '/w/y'],
    ['.', '/w/'],
    ['./', '/w/'],
    ['""', '/w/'],
    ['sub/.', '/w/sub/.'],
    ['/', '/'],
    ['../..', '/'],
    ['$D/f', '/d/f'],
  ];
  for (const [written, destination] of destinations) {
    it(`goes to ${destination} for ${written} (CP-7)`, async () => {
      const text = `FROM scratch\nENV D=/d\nWORKDIR /w\nCOPY a ${written}`;
      assert.equal((await copyOf(text)).destination, destination);
    });
  }

  const histories = [
    { text: 'COPY a b /c/', history: 'COPY a b /c/' },
    { text: 'COPY --from=x --link --exclude=*.o a ./b', history: 'COPY a ./b' },
    {
      text: 'ARG U=u\nCOPY --parents --chmod=644 --chown=$U:$U a$U b',
      history: 'COPY --parents --chown=u:u --chmod=644 au b',
    },
    { text: 'COPY a <<E b <<"F" /d/\n1\nE\n2\nF', history: 'COPY a b <<E <<F /d/' },
    { text: 'ADD https://x.test/f /f', history: 'ADD https://x.test/f /f' },
    { text: 'COPY ["a b", "c"]', history: 'COPY a b c' },
  ];
  for (const { text, history } of histories) {
    it(`records ${JSON.stringify(text)} (HIST-2, HD-8)`, async () => {
      const { history: entry } = await copyOf(`FROM scratch AS x\nFROM scratch\n${text}`);
      assert.equal(entry?.created_by, `${history} # buildkit`);
      assert.equal(entry?.empty_layer, undefined);
    });
  }

  it('expands flags and paths, --exclude never (VAR-7, VAR-9)', async () => {
    const copy = await copyOf(
      'FROM scratch\nARG A=v\nCOPY --chown=$A --chmod=u=$X,go+r --exclude=$A $A/* "${A}2" /',
    );
    assert.equal(copy.chown, 'v');
    assert.deepEqual(copy.chmod, { kind: 'symbolic', text: 'u=,go+r' });
    assert.deepEqual(copy.exclude, ['$A']);
    assert.deepEqual(copy.sources, [
      { kind: 'path', path: 'v/*', unpack: false },
      { kind: 'path', path: 'v2', unpack: false },
    ]);
  });

  it("is root's, whoever USER is (META-5)", async () => {
    const copy = await copyOf('FROM scratch\nUSER 7:8\nCOPY a b');
    assert.equal(copy.chown, undefined);
    assert.equal('user' in copy, false);
  });

  it('expands bodies of heredocs unless quoted; quotes stay (HD-6, CP-18)', async () => {
    const copy = await copyOf(
      'FROM scratch\nARG A=1\nCOPY <<one <<"two" x /d/\n"$A" \\$A\none\n$A\ntwo',
    );
    assert.deepEqual(copy.sources, [
      { kind: 'path', path: 'x', unpack: false },
      { kind: 'inline', name: 'one', content: '"1" $A\n' },
      { kind: 'inline', name: 'two', content: '$A\n' },
    ]);
  });

  it('unpacks local archives of ADD by default, downloads on demand (CP-21, CP-22)', async () => {
    const unpackOf = async (flag: string): Promise<unknown[]> => {
      const copy = await copyOf(`FROM scratch\nADD ${flag} a https://x.test/a.tgz /d/`);
      return copy.sources.map((source) => 'unpack' in source && source.unpack);
    };
    assert.deepEqual(await unpackOf(''), [true, false]);
    assert.deepEqual(await unpackOf('--unpack=false'), [false, false]);
    assert.deepEqual(await unpackOf('--unpack'), [true, true]);
  });

  const urls: readonly (readonly [string, string])[] = [
    ['https://x.test/a/b%20c.tgz?q=/z#f', 'b c.tgz'],
    ['http://x.test/a/', 'a'],
    ['http://x.test', '__unnamed__'],
  ];
  for (const [url, name] of urls) {
    it(`calls ${url} ${name} (CP-23)`, async () => {
      const [source] = (await copyOf(`FROM scratch\nADD --checksum=${SHA} ${url} /d/`)).sources;
      assert.deepEqual(source, { kind: 'url', url, name, checksum: SHA, unpack: false });
    });
  }

  const modes: readonly (readonly [string, unknown])[] = [
    ['0', { kind: 'octal', mode: 0 }],
    ['07777', { kind: 'octal', mode: 0o7777 }],
    ['u=rwX,go=rX', { kind: 'symbolic', text: 'u=rwX,go=rX' }],
    ['+x', { kind: 'symbolic', text: '+x' }],
    ['g=u-w', { kind: 'symbolic', text: 'g=u-w' }],
  ];
  for (const [text, chmod] of modes) {
    it(`takes the mode ${text} (CP-14)`, async () => {
      assert.deepEqual((await copyOf(`FROM scratch\nCOPY --chmod=${text} a b`)).chmod, chmod);
    });
  }

  const failures = [
    {
      text: 'COPY --chmod=10000 a b',
      message:
        /invalid chmod parameter: '10000'\. it should be octal string and between 0 and 07777/,
      ids: 'CP-14',
    },
    { text: 'COPY --chmod=9 a b', message: /between 0 and 07777/, ids: 'CP-14' },
    { text: 'COPY --chmod=u+q a b', message: /invalid chmod parameter: 'u\+q'/, ids: 'CP-14' },
    {
      text: 'COPY https://x.test/a b',
      message: /source can't be a URL for COPY/,
      ids: 'CP-3',
    },
    {
      text: 'COPY git@x.test:a/b.git b',
      message: /source can't be a git ref for COPY/,
      ids: 'CP-3',
    },
    {
      text: `ADD --checksum=${SHA} a b`,
      message: /checksum requires HTTP\(S\) or Git sources/,
      ids: 'CP-24',
    },
    {
      text: `ADD --checksum=${SHA} http://x.test/a http://x.test/b /d/`,
      message: /checksum can't be specified for multiple sources/,
      ids: 'CP-24',
    },
    { text: 'ADD http:// b', message: /no valid address/, ids: 'CP-23' },
  ];
  for (const { text, message, ids } of failures) {
    it(`rejects ${text} at its line (${ids})`, async () => {
      await assert.rejects(plan(`FROM scratch\n${text}`), (error) => {
        assert.ok(hasCode(error, 'ERR_INSTRUCTION_INVALID'));
        assert.match(error.message, message);
        assert.equal(error.location?.range.start.line, 2);
        return true;
      });
    });
  }

  it('rejects a checksum that is no digest (CP-24)', async () => {
    await assert.rejects(
      plan('FROM scratch\nADD --checksum=sha256:1 http://x.test/a b'),
      (error) => hasCode(error, 'ERR_DIGEST_INVALID') && error.location !== undefined,
    );
  });

  const repositories: readonly (readonly [string, Readonly<Record<string, unknown>>])[] = [
    ['https://x.test/a.git', { remote: 'https://x.test/a.git', ref: undefined }],
    ['https://x.test/a.git#main:sub', { ref: 'main', subdir: 'sub' }],
    ['https://x.test/a.git?keep-git-dir=1', { keepGitDir: true }],
    ['git://x.test/a', { remote: 'git://x.test/a' }],
    ['ssh://git@x.test/a', { transport: 'ssh' }],
    ['git@x.test:a', { transport: 'ssh', host: 'x.test' }],
    ['--keep-git-dir https://x.test/a', { keepGitDir: true, remote: 'https://x.test/a' }],
    ['--keep-git-dir https://x.test/a.git?keep-git-dir', { keepGitDir: true }],
    ['--checksum=ABC https://x.test/a.git', { checksum: 'abc', ref: undefined }],
    ['--checksum=abc https://x.test/a.git?checksum=ABC', { checksum: 'abc', ref: 'abc' }],
  ];
  for (const [source, expected] of repositories) {
    it(`adds the repository ${source} (CP-25)`, async () => {
      const [planned] = (await copyOf(`FROM scratch\nADD ${source} /x`)).sources;
      assert.ok(planned?.kind === 'git');
      assert.deepEqual({ ...planned.git, ...expected }, planned.git);
    });
  }

  const contradictions: readonly (readonly [string, RegExp])[] = [
    ['--keep-git-dir https://x.test/a.git?keep-git-dir=0', /inconsistent keep-git-dir/],
    ['--checksum=abc https://x.test/a.git?checksum=abd', /checksum mismatch "abc" != "abd"/],
    ['--checksum=xyz https://x.test/a.git', /invalid checksum "xyz"/],
    ['https://x.test/a.git?nonsense=1', /unexpected query "nonsense"/],
  ];
  for (const [source, message] of contradictions) {
    it(`refuses ADD ${source}, at its place (CP-24, CP-25)`, async () => {
      await assert.rejects(plan(`FROM scratch\nADD ${source} /x`), (error) => {
        assert.ok(error instanceof TsbuildError && error.location !== undefined);
        return message.test(error.message);
      });
    });
  }

  it('keeps users and passwords of addresses out of names and histories', async () => {
    const copy = await copyOf(
      'FROM scratch\nADD https://u:hunter2@x.test/a.git https://v:hunter2@x.test/f /x/',
    );
    assert.equal(
      copy.history?.created_by,
      'ADD https://x.test/a.git https://x.test/f /x/ # buildkit',
    );
    assert.doesNotMatch(copy.name, /hunter2/);
  });

  it('adds what only looks like a repository from the context (CP-25)', async () => {
    const [source] = (await copyOf('FROM scratch\nADD github.com/a/b.git /x')).sources;
    assert.equal(source?.kind, 'path');
  });
});
