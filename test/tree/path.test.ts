import assert from 'node:assert/strict';
import {
  ancestorsOf,
  cleanPath,
  comparePaths,
  isWithin,
  joinPath,
  nameOf,
  parentOf,
  toBytes,
  toPath,
  toText,
} from '../../src/tree/path.ts';

describe('toPath()', () => {
  it('cleans what a user typed and stays inside the root', () => {
    assert.equal(toPath('/a/./b//../c/'), 'a/c');
    assert.equal(toPath('../../a'), 'a');
    assert.equal(toPath('/'), '');
    assert.equal(toPath('é'), '\xc3\xa9');
  });
});

describe('toText()', () => {
  it('undoes toBytes(), and shows what is no UTF-8 as U+FFFD', () => {
    assert.equal(toText(toBytes('a/é/😀')), 'a/é/😀');
    assert.equal(toText('a\xff'), 'a\ufffd');
  });
});

describe('comparePaths()', () => {
  it('keeps a subtree together, names beside it behind it', () => {
    const sorted = ['a', 'a/b', 'a/b/c', 'a\x01', 'a b', 'a-b', 'b', '\xff'];
    assert.deepEqual(sorted.toReversed().sort(comparePaths), sorted);
    assert.equal(comparePaths('a', 'a'), 0);
  });
});

describe('a path', () => {
  it('has a parent, a name and ancestors', () => {
    assert.deepEqual(['a/b/c', 'a', ''].map(parentOf), ['a/b', '', '']);
    assert.deepEqual(['a/b/c', 'a', ''].map(nameOf), ['c', 'a', '']);
    assert.deepEqual(['a/b/c', 'a', ''].map(ancestorsOf), [['a', 'a/b'], [], []]);
    assert.deepEqual([joinPath('', 'a'), joinPath('a', 'b'), joinPath('a', '')], ['a', 'a/b', 'a']);
    assert.equal(cleanPath('a/../../b'), 'b');
  });

  it('is within a directory by whole names', () => {
    assert.equal(isWithin('a/b', 'a'), true);
    assert.equal(isWithin('a', 'a'), true);
    assert.equal(isWithin('ab', 'a'), false);
    assert.equal(isWithin('a', ''), true);
  });
});
