import assert from 'node:assert/strict';
import { createIgnore } from '../../src/context/ignore.ts';
import { keepEntries } from '../../src/context/keep-entries.ts';
import type { Entry } from '../../src/tree/entry.ts';
import { directory, file, hardlink, symlink } from '../tree/entries.ts';

/** What is left, a hard link as `name=target`. */
function kept(entries: readonly Entry[], ...patterns: readonly string[]): readonly string[] {
  return [...keepEntries(entries, createIgnore(patterns))].map((entry) =>
    entry.type === 'hardlink' ? `${entry.path}=${entry.target}` : entry.path,
  );
}

describe('keepEntries()', () => {
  const tree = [
    directory('a'),
    directory('a/b'),
    file('a/b/c'),
    file('a/b/d'),
    directory('e'),
    symlink('e/f', 'x'),
  ];

  it('keeps everything where nothing is ignored', () => {
    assert.deepEqual(kept(tree), ['a', 'a/b', 'a/b/c', 'a/b/d', 'e', 'e/f']);
  });

  it('leaves out a directory with all that is in it (IGN-3)', () => {
    assert.deepEqual(kept(tree, 'a'), ['e', 'e/f']);
  });

  it('keeps the directories of what is taken back (IGN-3)', () => {
    assert.deepEqual(kept(tree, 'a', '!a/b/d'), ['a', 'a/b', 'a/b/d', 'e', 'e/f']);
    assert.deepEqual(kept(tree, '*', '!e/f'), ['e', 'e/f']);
  });

  it('gives a file to the first of its names that is kept', () => {
    const links = [file('a'), hardlink('b', 'a'), hardlink('c', 'a'), hardlink('d', 'a')];
    assert.deepEqual(kept(links), ['a', 'b=a', 'c=a', 'd=a']);
    assert.deepEqual(kept(links, 'a'), ['b', 'c=b', 'd=b']);
    assert.deepEqual(kept(links, 'a', 'b'), ['c', 'd=c']);
    const [first] = keepEntries(links, createIgnore(['a']));
    assert.deepEqual(first, { ...file('a'), path: 'b' });
  });
});
