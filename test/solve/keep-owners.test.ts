import assert from 'node:assert/strict';
import { keepOwners } from '../../src/solve/keep-owners.ts';
import { encodeIndex } from '../../src/tree/index-codec.ts';
import { indexFromBytes } from '../../src/tree/layer-index.ts';
import { directory, file, symlink, whiteout } from '../tree/entries.ts';
import { lines, treeOf } from './copying.ts';

const PARENT = treeOf([
  { ...directory('home'), uid: 1000, gid: 1001 },
  { ...file('home/f'), uid: 1000, gid: 1001 },
  { ...file('home/gone'), uid: 1000 },
  { ...symlink('home/l', 'f'), uid: 1000 },
]);

describe('keepOwners()', () => {
  it('gives what was there its owner again, and leaves what is new or of another type', () => {
    const { bytes } = encodeIndex([
      directory('home'),
      file('home/f', 'changed'),
      whiteout('home/gone'),
      file('home/l'),
      file('home/new'),
    ]);
    const corrected = keepOwners(bytes, PARENT);
    assert.deepEqual(lines(indexFromBytes(corrected.bytes).within('')), [
      'directory 755 1000:1001 home',
      'file 644 1000:1001 home/f',
      'whiteout 0 0:0 home/gone',
      'file 644 0:0 home/l',
      'file 644 0:0 home/new',
    ]);
    assert.equal(corrected.entries, 5);
  });

  it('has the identity of an index that was right from the start', () => {
    const scanned = encodeIndex([directory('home')]);
    const right = encodeIndex([{ ...directory('home'), uid: 1000, gid: 1001 }]);
    assert.deepEqual(keepOwners(scanned.bytes, PARENT), right);
  });
});
