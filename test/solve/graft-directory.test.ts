/** Directories that are copied without being held: seen from outside, nothing tells. */

import assert from 'node:assert/strict';
import { matchSource } from '../../src/solve/match-source.ts';
import { directory, file, hardlink } from '../tree/entries.ts';
import { copy, copyFrom, lines, originOf, treeOf } from './copying.ts';

describe('graftDirectory()', () => {
  const MANY = Array.from({ length: 40 }, (_, i) => `d${i}`);
  const trees = MANY.flatMap((name) => [
    directory(name),
    file(`${name}/${name}`),
    file(`${name}/x`, name),
  ]);

  it('may be many directories: the last one wins (CP-6, CP-7)', () => {
    const { entries, origins } = copy({ from: trees, sources: MANY, to: '/to' });
    assert.equal(entries.length, 1 + MANY.length + 1);
    assert.equal(origins.get('to/x')?.entry.path, 'd39/x');
  });

  it('make way for an archive in the same instruction (CP-21)', () => {
    const from = [directory('d'), directory('d/a'), file('d/a/b'), file('d/c')];
    const { entries } = copyFrom({
      selected: [
        {
          origin: originOf(from),
          selection: { kind: 'matches', matches: matchSource(treeOf(from), 'd') },
        },
        { origin: originOf([file('a', 'archive')]), selection: { kind: 'archive' } },
      ],
      to: '/to/',
    });
    assert.deepEqual(lines(entries), [
      'directory 755 0:0 to',
      'file 644 0:0 to/a',
      'file 644 0:0 to/c',
    ]);
  });

  it('keep hard links but for what another source has overwritten (CP-19)', () => {
    const from = [
      directory('d'),
      file('d/a', 'same'),
      hardlink('d/b', 'd/a'),
      hardlink('d/c', 'd/a'),
      directory('e'),
      file('e/a', 'other'),
    ];
    const { entries, origins } = copy({ from, sources: ['d', 'e'], to: '/' });
    assert.deepEqual(lines(entries), [
      'file 644 0:0 a',
      'file 644 0:0 b',
      'hardlink 644 0:0 c -> b',
    ]);
    assert.equal(origins.get('b')?.entry.path, 'd/a');
  });
});
