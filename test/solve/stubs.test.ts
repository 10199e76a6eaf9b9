import assert from 'node:assert/strict';
import { stubEntries } from '../../src/solve/stubs.ts';
import { directory, file, symlink } from '../tree/entries.ts';
import { lines, treeOf } from './copying.ts';

const NONE = { directories: [], files: [] };

describe('stubEntries()', () => {
  it('is empty when nothing is missing', () => {
    const tree = treeOf([directory('proc'), directory('etc'), file('etc/hosts')]);
    const points = { directories: ['/proc', '/'], files: ['/etc/hosts'] };
    assert.deepEqual(stubEntries(tree, points, []), []);
  });

  it('makes what is missing, with the ancestors that are there (EX-6)', () => {
    const tree = treeOf([{ ...directory('etc'), mode: 0o700, uid: 3 }]);
    const points = { directories: ['/proc', '/a/b'], files: ['/etc/hosts', '/run/secrets/x'] };
    const entries = stubEntries(tree, points, []);
    assert.deepEqual(lines(entries), [
      'directory 755 0:0 a',
      'directory 755 0:0 a/b',
      'directory 700 3:0 etc',
      'file 644 0:0 etc/hosts',
      'directory 755 0:0 proc',
      'directory 755 0:0 run',
      'directory 755 0:0 run/secrets',
      'file 644 0:0 run/secrets/x',
    ]);
  });

  it('follows symlinks inside the root', () => {
    const tree = treeOf([
      directory('run'),
      directory('var'),
      symlink('var/run', '/run'),
      directory('etc'),
      symlink('etc/resolv.conf', '../run/systemd/resolv.conf'),
    ]);
    const points = { directories: ['/var/run/d'], files: ['/etc/resolv.conf'] };
    assert.deepEqual(lines(stubEntries(tree, points, [])), [
      'directory 755 0:0 run',
      'directory 755 0:0 run/d',
      'directory 755 0:0 run/systemd',
      'file 644 0:0 run/systemd/resolv.conf',
    ]);
  });

  it('sets directories right that unpacked layers have wrong, below their parents', () => {
    const tree = treeOf([directory('a'), { ...directory('a/b'), mode: 0o700 }]);
    const wrong = [{ ...directory('a/b'), mode: 0o700 }];
    assert.deepEqual(lines(stubEntries(tree, NONE, wrong)), [
      'directory 755 0:0 a',
      'directory 700 0:0 a/b',
    ]);
  });

  it('rejects a mount point for a file that is a directory, and one that leads nowhere', () => {
    const rejects = (tree: ReturnType<typeof treeOf>, message: string) =>
      assert.throws(() => stubEntries(tree, { directories: [], files: ['/d'] }, []), {
        code: 'ERR_COPY_CONFLICT',
        message,
      });
    rejects(treeOf([directory('d')]), 'Cannot mount "/d": "/d" is a directory');
    rejects(treeOf([symlink('d', 'd')]), 'Cannot mount "/d": too many symlinks at "/d"');
  });

  it('rejects a mount point for a directory that is a file', () => {
    const points = { directories: ['/f/x'], files: [] };
    assert.throws(() => stubEntries(treeOf([file('f')]), points, []), {
      code: 'ERR_COPY_CONFLICT',
      message: 'Cannot mount "/f/x": "/f" is not a directory',
    });
  });
});
