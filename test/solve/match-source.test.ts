import assert from 'node:assert/strict';
import { hasCode } from '../../src/errors.ts';
import { matchSource } from '../../src/solve/match-source.ts';
import { directory, file, symlink } from '../tree/entries.ts';
import { treeOf } from './copying.ts';

const TREE = treeOf([
  directory('a'),
  file('a/[x].js'),
  file('a/one.js'),
  file('a/two.ts'),
  directory('b'),
  file('b/one.js'),
  symlink('gone', 'nowhere'),
  symlink('la', 'a'),
  symlink('lf', '/../a/one.js'),
  symlink('loop', 'loop'),
  file('\u00c3\u00a9.txt'),
]);

describe('matchSource()', () => {
  const cases: readonly (readonly [path: string, named: readonly string[], why: string])[] = [
    ['a/one.js', ['a/one.js'], 'CP-4'],
    ['../a//one.js/', ['a/one.js'], 'CP-4'],
    ['a/*.js', ['a/[x].js', 'a/one.js'], 'CP-5'],
    ['*/one.js', ['a/one.js', 'b/one.js'], 'CP-5: only where a directory is, not a link to one'],
    ['la/*.ts', ['a/two.ts'], 'CP-11'],
    ['a/[[]x].js', ['a/[x].js'], 'CP-5'],
    ['a/[!o]*', ['a/one.js'], 'CP-5: "!" is no negation'],
    ['[^ab]', [], 'CP-5'],
    ['**.ts', [], 'CP-5: "**" is "*"'],
    ['**/two.ts', ['a/two.ts'], 'CP-5: "**" is "*"'],
    ['l[af]', ['la', 'lf'], 'CP-5, CP-11'],
    ['a/one.js/*', [], 'CP-5'],
    ['*/none', [], 'CP-5'],
    ['\u00e9.txt', ['\u00c3\u00a9.txt'], 'CP-4'],
    ['?.txt', ['\u00c3\u00a9.txt'], 'CP-5: characters, not bytes'],
  ];
  for (const [path, named, why] of cases) {
    it(`finds ${named.join(', ') || 'nothing'} for "${path}" (${why})`, () => {
      assert.deepEqual(
        matchSource(TREE, path).map((match) => match.named),
        named,
      );
    });
  }

  it('follows the symlink that a source is (CP-11)', () => {
    const [match] = matchSource(TREE, 'lf');
    assert.equal(match?.named, 'lf');
    assert.equal(match?.path, 'a/one.js');
    assert.deepEqual(match?.found?.entry, file('a/one.js'));
  });

  it('finds the root, which has no entry', () => {
    for (const path of ['.', '/', '', '..']) {
      assert.deepEqual(matchSource(TREE, path), [{ named: '', path: '', found: undefined }]);
    }
  });

  for (const path of [
    'none',
    'a/none',
    'gone',
    'loop',
    'a/one.js/x',
    'none/*',
    'loop/*',
    'gone/*.js',
  ]) {
    it(`rejects "${path}", which is not there (CP-5)`, () => {
      assert.throws(
        () => matchSource(TREE, path),
        (error) => hasCode(error, 'ERR_SOURCE_MISSING') && error.details.path === path,
      );
    });
  }

  it('rejects a wildcard that matches a symlink to nothing (CP-5, CP-11)', () => {
    assert.throws(() => matchSource(TREE, 'gon?'), {
      code: 'ERR_SOURCE_MISSING',
      details: { path: '/gone' },
    });
  });

  it('rejects a malformed pattern (CP-5)', () => {
    assert.throws(() => matchSource(TREE, 'a/['), { code: 'ERR_INSTRUCTION_INVALID' });
  });
});
