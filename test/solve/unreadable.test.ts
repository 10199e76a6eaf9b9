import assert from 'node:assert/strict';
import { requireReadable } from '../../src/solve/unreadable.ts';

describe('requireReadable()', () => {
  const cases: readonly (readonly [source: string, unreadable: string, refused: boolean])[] = [
    ['a', 'a', true],
    ['/a/', 'a', true],
    ['.', 'a', true],
    ['a', 'a/b', true],
    ['a/b', 'a', true],
    ['a', 'b', false],
    ['a', 'ab', false],
    ['a/c', 'a/b', false],
    ['*', 'a', true],
    ['*.txt', 'a.txt', true],
    ['*.txt', 'a', false],
    ['*/x', 'a', true],
    ['a/*', 'a/b', true],
    ['a*/b', 'b/b', false],
    ['**/x', 'a/b', true],
    ['./a/./b', 'a/b', true],
  ];
  for (const [source, unreadable, refused] of cases) {
    it(`${refused ? 'refuses' : 'allows'} "${source}" where "${unreadable}" cannot be read (CTX-8)`, () => {
      const check = () => requireReadable({ unreadable: [unreadable] }, source, []);
      if (!refused) return check();
      assert.throws(check, {
        code: 'ERR_CONTEXT_MISSING',
        message: `Cannot read "${unreadable}" of the build context: permission denied`,
      });
    });
  }

  it('refuses where a symlink leads to it, and what is above it', () => {
    const origin = { unreadable: ['secret/x'] };
    assert.throws(() => requireReadable(origin, 'link', ['secret']));
    requireReadable(origin, 'link', ['other']);
  });
});
