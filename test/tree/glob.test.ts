import assert from 'node:assert/strict';
import { hasWildcards, matchGlob, splitWildcards, tryGlob } from '../../src/tree/glob.ts';

const MATCHES: readonly (readonly [pattern: string, name: string, matches: boolean])[] = [
  ['abc', 'abc', true],
  ['*', 'abc', true],
  ['*', 'a/b', false],
  ['*', '', true],
  ['*c', 'abc', true],
  ['a*', 'a', true],
  ['a*/b', 'abc/b', true],
  ['a*/b', 'a/c/b', false],
  ['a*b*c*d*e*/f', 'axbxcxdxexxx/f', true],
  ['a*b*c*d*e*/f', 'axbxcxdxexxx/fff', false],
  ['**', 'a/b', false],
  ['a?c', 'abc', true],
  ['a?c', 'a/c', false],
  ['?', 'é', true],
  ['?', '😀', true],
  ['[ab]', 'b', true],
  ['[a-c]x', 'bx', true],
  ['[^a-c]', 'b', false],
  ['a[^b]c', 'a/c', true],
  ['[α-ω]', 'λ', true],
  ['[\\-x]', '-', true],
  ['[[]', '[', true],
  ['a\\*b', 'a*b', true],
  ['a\\*b', 'axb', false],
  ['{a,b}', 'a', false],
];

describe('matchGlob()', () => {
  for (const [pattern, name, matches] of MATCHES) {
    it(`${matches ? 'finds' : 'does not find'} "${name}" with "${pattern}" (CP-5)`, () => {
      assert.equal(matchGlob(pattern, name), matches);
    });
  }

  for (const pattern of ['[', '[^', '[]a]', '[-]', '[x-]', '[a-', 'a[', 'a\\', '[a\\']) {
    it(`rejects "${pattern}"`, () => {
      assert.throws(() => matchGlob(pattern, 'a'), { code: 'ERR_INSTRUCTION_INVALID' });
      assert.equal(tryGlob(pattern, 'a'), undefined);
    });
  }

  it('does not read on behind what cannot match', () => {
    assert.equal(matchGlob('b*[', 'a'), false);
  });
});

describe('hasWildcards()', () => {
  it('knows * ? and [ unless a backslash comes before', () => {
    assert.deepEqual(['a*', 'a?', '[a]', 'a\\*', 'a\\\\*', 'a]'].map(hasWildcards), [
      true,
      true,
      true,
      false,
      true,
      false,
    ]);
  });
});

describe('splitWildcards()', () => {
  it('cuts before the first component with a wildcard', () => {
    assert.deepEqual(splitWildcards('/a/./b//c*/d/e?'), { prefix: 'a/b', pattern: 'c*/d/e?' });
    assert.deepEqual(splitWildcards('*.txt'), { prefix: '', pattern: '*.txt' });
  });

  it('leaves no pattern for a path without wildcards, and keeps its backslashes', () => {
    assert.deepEqual(splitWildcards('a/../b/'), { prefix: 'b', pattern: '' });
    assert.deepEqual(splitWildcards('a\\*b/c'), { prefix: 'a\\*b/c', pattern: '' });
  });
});
