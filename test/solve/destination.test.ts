import assert from 'node:assert/strict';
import { hasCode } from '../../src/errors.ts';
import { Destination } from '../../src/solve/destination.ts';
import type { Entry } from '../../src/tree/entry.ts';
import { directory, file, symlink } from '../tree/entries.ts';
import { lines, paths, treeOf } from './copying.ts';

const CREATE = { mode: 0o755, uid: 0, gid: 0, mtime: 9 };

function onto(...entries: readonly Entry[]): Destination {
  return new Destination(treeOf(entries));
}

describe('Destination', () => {
  describe('lookup()', () => {
    it('sees new entries before those of the tree', () => {
      const destination = onto(file('a', 'old'), file('b'));
      destination.put(file('a', 'new'));
      assert.deepEqual(destination.lookup('a'), file('a', 'new'));
      assert.deepEqual(destination.lookup('b'), file('b'));
    });

    it('sees nothing of the tree below a directory that is none any more', () => {
      const destination = onto(directory('a'), directory('a/b'), file('a/b/c'));
      destination.replace(file('a'));
      assert.equal(destination.lookup('a/b'), undefined);
      assert.equal(destination.lookup('a/b/c'), undefined);
    });
  });

  describe('resolve()', () => {
    it('follows symlinks that it was given itself (CP-10)', () => {
      const destination = onto(directory('a'));
      destination.put(symlink('l', '/a/./x/../b'));
      assert.equal(destination.resolve('l/c'), 'a/b/c');
    });
  });

  describe('ensureDirectory()', () => {
    it('leaves a directory that is there', () => {
      const destination = onto(directory('a'));
      destination.ensureDirectory('', CREATE);
      destination.ensureDirectory('a', CREATE);
      assert.equal(destination.isEmpty, true);
      assert.deepEqual(destination.entries(), []);
    });

    it('makes a directory and its parents', () => {
      const destination = onto(directory('a'));
      destination.ensureDirectory('a/b/c', { ...CREATE, uid: 4 });
      assert.equal(destination.isEmpty, false);
      assert.deepEqual(lines(destination.entries()), [
        'directory 755 0:0 a',
        'directory 755 4:0 a/b',
        'directory 755 4:0 a/b/c',
      ]);
    });

    it('rejects a path with a file in it', () => {
      assert.throws(
        () => onto(file('a')).ensureDirectory('a/b', CREATE),
        (error) => hasCode(error, 'ERR_COPY_CONFLICT') && error.details.path === '/a',
      );
    });
  });

  describe('replace()', () => {
    it('takes everything away that is below a directory', () => {
      const destination = onto();
      destination.replace(directory('a'));
      destination.replace(directory('a/b'));
      destination.replace(file('a/b/c'));
      destination.replace(file('a-b'));
      destination.replace(file('a'));
      assert.deepEqual(paths(destination.entries()), ['a', 'a-b']);
      assert.equal(destination.lookup('a/b/c'), undefined);
    });
  });

  describe('entries()', () => {
    it('come in an index’s order', () => {
      const destination = onto();
      for (const path of ['b', 'a.b', 'a-b']) destination.put(file(path));
      destination.ensureDirectory('a', CREATE);
      destination.put(file('a/b'));
      assert.deepEqual(paths(destination.entries()), ['a', 'a/b', 'a-b', 'a.b', 'b']);
    });
  });
});
