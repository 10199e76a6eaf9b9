import assert from 'node:assert/strict';
import { hasCode } from '../../src/errors.ts';
import type { Entry } from '../../src/tree/entry.ts';
import { directory, file, hardlink, symlink } from '../tree/entries.ts';
import { copy, copyFrom, lines, originOf, paths, treeOf } from './copying.ts';

const TREE = [
  { ...directory('app/bin'), mode: 0o700 },
  directory('app'),
  { ...file('app/bin/run'), mode: 0o4755 },
  file('app/readme.md'),
  symlink('app/current', 'bin'),
];

describe('copyEntries()', () => {
  describe('metadata', () => {
    const owned = [
      { ...file('f'), uid: 10, gid: 20 },
      { ...symlink('s', 'f'), uid: 30, gid: 40 },
    ];

    it('resets the owner of files of the build context, keeps that of others (CP-12)', () => {
      const from = { from: owned, sources: ['.'], to: '/' };
      assert.deepEqual(lines(copy({ ...from, isContext: true }).entries), [
        'file 644 0:0 f',
        'symlink 777 0:0 s -> f',
      ]);
      assert.deepEqual(lines(copy(from).entries), ['file 644 10:20 f', 'symlink 777 30:40 s -> f']);
    });

    it('gives everything to the owner of --chown, symlinks too', () => {
      const chown = { uid: 1, gid: 2 };
      const { entries } = copy({ from: owned, sources: ['.'], to: '/', chown, isContext: true });
      assert.deepEqual(lines(entries), ['file 644 1:2 f', 'symlink 777 1:2 s -> f']);
    });

    it('changes the mode of files and directories, not of symlinks (CP-14)', () => {
      const octal = copy({
        from: TREE,
        sources: ['app'],
        to: '/',
        chmod: { kind: 'octal', mode: 0o640 },
      });
      assert.deepEqual(lines(octal.entries), [
        'directory 640 0:0 bin',
        'file 640 0:0 bin/run',
        'symlink 777 0:0 current -> bin',
        'file 640 0:0 readme.md',
      ]);
      const symbolic = copy({
        from: TREE,
        sources: ['app'],
        to: '/',
        chmod: { kind: 'symbolic', text: 'a+rX,u-s' },
      });
      assert.deepEqual(lines(symbolic.entries), [
        'directory 755 0:0 bin',
        'file 755 0:0 bin/run',
        'symlink 777 0:0 current -> bin',
        'file 644 0:0 readme.md',
      ]);
    });

    it('keeps set-id and sticky bits, times, extended attributes, devices and fifos (CP-19)', () => {
      const xattrs = [['security.capability', '\u0001\u00ff']] as const;
      const metadata = { uid: 1, gid: 2, mtime: -5, mtimeNsec: 999_999_999 };
      const from: Entry[] = [
        { ...metadata, path: 'c', type: 'character', mode: 0o666, major: 1, minor: 3 },
        { ...metadata, path: 'd', type: 'directory', mode: 0o3777, xattrs },
        { ...metadata, path: 'd/f', type: 'file', mode: 0o6755, size: 0, sha256: 'ab', xattrs },
        { ...metadata, path: 'p', type: 'fifo', mode: 0o600 },
      ];
      const tree = treeOf(
        from.map((entry) =>
          'sha256' in entry ? { ...file('d/f'), ...metadata, mode: 0o6755, xattrs } : entry,
        ),
      );
      const { entries } = copy({ from: tree, sources: ['.'], to: '/' });
      assert.deepEqual(
        entries,
        [...tree.below('')].map(({ entry }) => entry),
      );
    });
  });

  describe('hard links', () => {
    const LINKED = [
      directory('d'),
      file('d/a', 'same'),
      hardlink('d/b', 'd/a'),
      hardlink('d/c', 'd/a'),
    ];

    it('stay hard links inside one copy; the first name has the content (CP-19)', () => {
      const { entries, origins } = copy({ from: LINKED, sources: ['d'], to: '/to/' });
      assert.deepEqual(lines(entries), [
        'directory 755 0:0 to',
        'file 644 0:0 to/a',
        'hardlink 644 0:0 to/b -> to/a',
        'hardlink 644 0:0 to/c -> to/a',
      ]);
      assert.equal(origins.get('to/a')?.entry.path, 'd/a');
    });

    it('have the content wherever their first name goes', () => {
      const exclude = ['a'];
      const { entries, origins } = copy({ from: LINKED, sources: ['d'], to: '/to/', exclude });
      assert.deepEqual(lines(entries), [
        'directory 755 0:0 to',
        'file 644 0:0 to/b',
        'hardlink 644 0:0 to/c -> to/b',
      ]);
      assert.equal(origins.get('to/b')?.entry.path, 'd/a');
    });

    it('bring along the extended attributes, which only the first name lists (CP-19)', () => {
      const xattrs = [['security.capability', 'x']] as const;
      const from = [directory('d'), { ...file('d/a'), xattrs }, hardlink('d/b', 'd/a')];
      const { entries } = copy({ from, sources: ['d/b'], to: '/to' });
      assert.deepEqual(entries, [{ ...file('to', 'd/a'), xattrs }]);
    });

    it('of symlinks become symlinks (CP-11, CP-19)', () => {
      const from = [directory('d'), symlink('d/a', 'x'), directory('e'), hardlink('e/b', 'd/a')];
      const { entries } = copy({ from, sources: ['e'], to: '/to/' });
      assert.deepEqual(lines(entries), ['directory 755 0:0 to', 'symlink 777 0:0 to/b -> x']);
    });

    it('do not join what different sources name (CP-19)', () => {
      const { entries } = copy({ from: LINKED, sources: ['d/a', 'd/a', 'd/b'], to: '/to/' });
      assert.deepEqual(lines(entries), [
        'directory 755 0:0 to',
        'file 644 0:0 to/a',
        'file 644 0:0 to/b',
      ]);
      const twice = copyFrom({
        selected: ['x', 'y'].map((named) => ({
          origin: originOf(LINKED),
          selection: {
            kind: 'matches',
            matches: [{ named, path: 'd/a', found: treeOf(LINKED).lookup('d/a') }],
          },
        })),
        to: '/',
      });
      assert.deepEqual(lines(twice.entries), ['file 644 0:0 x', 'file 644 0:0 y']);
    });

    it('do not take the content of what replaced one of them', () => {
      const from = [...LINKED, directory('e'), file('e/a', 'other')];
      const { entries, origins } = copy({ from, sources: ['d', 'e'], to: '/to/' });
      assert.deepEqual(lines(entries), [
        'directory 755 0:0 to',
        'file 644 0:0 to/a',
        'file 644 0:0 to/b',
        'hardlink 644 0:0 to/c -> to/b',
      ]);
      assert.equal(origins.get('to/a')?.entry.path, 'e/a');
      assert.equal(origins.get('to/b')?.entry.path, 'd/a');
    });
  });

  describe('--exclude', () => {
    const from = [
      directory('s'),
      file('s/a.md'),
      directory('s/d'),
      file('s/d/b.md'),
      file('s/d/c.txt'),
      directory('s/e'),
      file('s/e/f.txt'),
    ];
    const cases: readonly (readonly [exclude: readonly string[], left: readonly string[]])[] = [
      [['*.md'], ['d', 'd/b.md', 'd/c.txt', 'e', 'e/f.txt']],
      [['**/*.md'], ['d', 'd/c.txt', 'e', 'e/f.txt']],
      [['d'], ['a.md', 'e', 'e/f.txt']],
      [
        ['d', '!d/b.md'],
        ['a.md', 'd', 'd/b.md', 'e', 'e/f.txt'],
      ],
      [
        ['**', '!e/*.txt'],
        ['e', 'e/f.txt'],
      ],
      [['s/d'], ['a.md', 'd', 'd/b.md', 'd/c.txt', 'e', 'e/f.txt']],
      [['*'], []],
    ];
    for (const [exclude, left] of cases) {
      it(`leaves ${left.join(', ') || 'nothing'} for ${exclude.join(' ')} (CP-17)`, () => {
        const { entries } = copy({ from, sources: ['s'], to: '/', exclude });
        assert.deepEqual(paths(entries), left);
      });
    }

    it('gives a directory that only a "!" keeps its own metadata (CP-17)', () => {
      const { entries } = copy({
        from: [directory('s'), { ...directory('s/d'), mode: 0o711 }, file('s/d/x')],
        sources: ['s'],
        to: '/',
        exclude: ['d', '!d/x'],
      });
      assert.deepEqual(lines(entries), ['directory 711 0:0 d', 'file 644 0:0 d/x']);
    });
  });

  describe('--parents', () => {
    const from = [
      { ...directory('x'), mode: 0o711, uid: 9 },
      file('x/a.txt'),
      directory('x/y'),
      file('x/y/b.txt'),
      file('x/y/c.md'),
      directory('z'),
      file('z/b.txt'),
    ];
    const cases: readonly (readonly [source: string, copied: readonly string[]])[] = [
      ['x/y/b.txt', ['to', 'to/x', 'to/x/y', 'to/x/y/b.txt']],
      ['/x/a.txt', ['to', 'to/x', 'to/x/a.txt']],
      ['x/y', ['to', 'to/x', 'to/x/y', 'to/x/y/b.txt', 'to/x/y/c.md']],
      ['*/b.txt', ['to', 'to/z', 'to/z/b.txt']],
      ['**/b.txt', ['to', 'to/x', 'to/x/y', 'to/x/y/b.txt', 'to/z', 'to/z/b.txt']],
      ['x/./y/b.txt', ['to', 'to/y', 'to/y/b.txt']],
      ['x/./y', ['to', 'to/y', 'to/y/b.txt', 'to/y/c.md']],
      ['*/./*.txt', ['to', 'to/a.txt', 'to/b.txt']],
      ['no*/at', ['to']],
    ];
    for (const [source, copied] of cases) {
      it(`copies ${copied.at(-1)} for ${source} (CP-16)`, () => {
        const { entries } = copy({ from, sources: [source], to: '/to/', kind: 'parents' });
        assert.deepEqual(paths(entries), copied);
      });
    }

    it('gives parents the metadata of the source (CP-16)', () => {
      const { entries } = copy({ from, sources: ['x/a.txt'], to: '/to/', kind: 'parents' });
      assert.equal(lines(entries)[1], 'directory 711 9:0 to/x');
    });

    it('rejects a path that is missing (CP-16)', () => {
      assert.throws(
        () => copy({ from, sources: ['x/none'], to: '/to/', kind: 'parents' }),
        (error) => hasCode(error, 'ERR_SOURCE_MISSING') && error.details.path === 'x/none',
      );
    });

    it('goes with --exclude', () => {
      const { entries } = copy({
        from,
        sources: ['**/*.txt'],
        to: '/to/',
        kind: 'parents',
        exclude: ['x/y'],
      });
      assert.deepEqual(paths(entries), ['to', 'to/x', 'to/x/a.txt', 'to/z', 'to/z/b.txt']);
    });
  });
});
