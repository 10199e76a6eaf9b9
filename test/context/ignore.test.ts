import assert from 'node:assert/strict';
import { compileIgnore, createIgnore, readIgnore } from '../../src/context/ignore.ts';

describe('readIgnore()', () => {
  it('drops a byte order mark, comments in the first column, and blank lines (IGN-2)', () => {
    assert.deepEqual(readIgnore('\ufeff# one\n\n  \r\n #two\r\nthree\n'), ['#two', 'three']);
  });

  it('cleans patterns and makes them relative (IGN-2, IGN-4)', () => {
    const text = '/a/\n./b//c/../d\n//e\n! /f/ \n/\n!\n.\n..\n';
    assert.deepEqual(readIgnore(text), ['a', 'b/d', 'e', '!f', '/', '!', '.', '..']);
  });
});

const MATCHES: readonly (readonly [patterns: readonly string[], path: string, ignored: boolean])[] =
  [
    [['node_modules'], 'node_modules/a/b', true],
    [['node_modules'], 'a/node_modules', false],
    [['**/node_modules'], 'node_modules', true],
    [['**/node_modules'], 'a/b/node_modules/c', true],
    [['*.txt'], 'a/b.txt', false],
    [['**/*.txt'], 'b.txt', true],
    [['a/**'], 'a', false],
    [['a/**'], 'a/b/c', true],
    [['x/**/z'], 'x/z', true],
    [['a?c'], 'a/c', false],
    [['[^a]b'], 'cb', true],
    [['a\\*'], 'a*', true],
    [['a\\*'], 'ab', false],
    [['{a,b}*'], 'a', false],
    [['a+(b)*'], 'a+(b)c', true],
    [['a|b*'], 'b', false],
    [['*', '!a/b'], 'a/b/c', false],
    [['*', '!a/b'], 'a/c', true],
    [['a', '!a/b', 'a/b/c'], 'a/b/c', true],
    [['a/b', '!a'], 'a/b', false],
    [['!a'], 'a', false],
    [['.'], 'a', false],
    [['..', '../a'], 'a', false],
    [['*'], '.', false],
    [['', '  ', ' a '], 'a', true],
    [['é?'], 'é😀', true],
    [['[[:digit:]]\\d'], '42', true],
    [['[[:^digit:]]*'], '4', false],
  ];

describe('createIgnore()', () => {
  for (const [patterns, path, ignored] of MATCHES) {
    it(`${ignored ? 'ignores' : 'keeps'} "${path}" under ${patterns.join(' , ')} (IGN-3, IGN-5)`, () => {
      assert.equal(createIgnore(patterns)(path), ignored);
    });
  }

  for (const pattern of [
    'a[',
    '[^',
    '[x-]',
    '[z-a]',
    'a\\',
    '!',
    '! [',
    'b*[',
    '\\q',
    '[[:no:]]',
  ]) {
    it(`rejects "${pattern}", whatever the path (IGN-8)`, () => {
      assert.throws(() => createIgnore(['a', pattern])('a'), { code: 'ERR_IGNORE_PATTERN' });
    });
  }
});

describe('createIgnore()', () => {
  it('answers for many paths', () => {
    const ignored = createIgnore(['dist', '!dist/keep']);
    assert.deepEqual(['dist', 'dist/a', 'dist/keep', 'src'].filter(ignored), ['dist', 'dist/a']);
  });
});

describe('compileIgnore()', () => {
  it('writes expressions that JavaScript and Rust read alike', () => {
    const patterns = [
      'a.b',
      '!**/c.d',
      '**',
      'e/**',
      '**f',
      'g*?[h-j\\-.]',
      'k/**/l\\*',
      '[?]',
      'm/**/n*/**',
    ];
    assert.deepEqual(compileIgnore(patterns), [
      { regex: '^a\\.b$', negated: false },
      { regex: '(?:^|/)c\\.d$', negated: true },
      { regex: '', negated: false },
      { regex: '^e/', negated: false },
      { regex: 'f$', negated: false },
      { regex: '^g[^/]*[^/][h-j\\u{2d}\\u{2e}]$', negated: false },
      { regex: '^k/(?:[^\\n]*/)?l\\*$', negated: false },
      { regex: '^[\\u{5b}\\u{5e}/]\\]$', negated: false },
      { regex: '^m/(?:[^\\n]*/)?n[^/]*/[^\\n]*$', negated: false },
    ]);
  });
});
