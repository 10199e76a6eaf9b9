/** The rules of COPY as a table: a source tree, a parent tree, and the layer that comes of them. */

import assert from 'node:assert/strict';
import { inlineOrigin } from '../../src/solve/origins.ts';
import type { Entry } from '../../src/tree/entry.ts';
import { directory, file, hardlink, symlink } from '../tree/entries.ts';
import { type Copying, copy, copyFrom, lines, NOW, unpack } from './copying.ts';

const EPOCH = 1_600_000_000;

interface Rule {
  readonly rule: string;
  readonly copying: Copying;
  readonly layer?: readonly string[];
  readonly error?: string;
}

const FILE = [file('f')];
const octal = (mode: number) => ({ kind: 'octal', mode }) as const;
const moded = (entry: Entry, mode: number): Entry => ({ ...entry, mode });

const DESTINATIONS: readonly Rule[] = [
  {
    rule: 'goes through a chain of symlinks, absolute and relative (CP-10)',
    copying: {
      from: FILE,
      sources: ['f'],
      to: '/one/f',
      onto: [symlink('one', '/two'), symlink('two', './three'), directory('three')],
    },
    layer: ['directory 755 0:0 three', 'file 644 0:0 three/f'],
  },
  {
    rule: 'stays in the root whatever a symlink says (CP-10)',
    copying: { from: FILE, sources: ['f'], to: '/l/f', onto: [symlink('l', '../../../../tmp')] },
    layer: ['directory 755 0:0 tmp', 'file 644 0:0 tmp/f'],
  },
  {
    rule: 'writes through a symlink to a file, and leaves the link (CP-10)',
    copying: { from: FILE, sources: ['f'], to: '/l', onto: [symlink('l', 'x'), file('x', 'old')] },
    layer: ['file 644 0:0 x'],
  },
  {
    rule: 'refuses symlinks that lead to themselves (CP-10)',
    copying: {
      from: FILE,
      sources: ['f'],
      to: '/a',
      onto: [symlink('a', '/b'), symlink('b', 'a')],
    },
    error: 'Cannot copy: too many symlinks at "/a"',
  },
  {
    rule: 'refuses a file in the middle of the destination (CP-9)',
    copying: { from: FILE, sources: ['f'], to: '/x/f', onto: [file('x')] },
    error: 'Cannot copy: "/x" is not a directory',
  },
  {
    rule: 'refuses a file where a trailing slash says directory (CP-7, CP-9)',
    copying: { from: FILE, sources: ['f'], to: '/x/', onto: [file('x')] },
    error: 'Cannot copy: "/x" is not a directory',
  },
  {
    rule: 'refuses a directory onto a file (CP-9)',
    copying: { from: [directory('d')], sources: ['d'], to: '/x', onto: [file('x')] },
    error: 'Cannot copy: cannot copy to non-directory: /x',
  },
  {
    rule: 'refuses a directory onto a symlink below the destination (CP-9)',
    copying: {
      from: [directory('d'), directory('d/l')],
      sources: ['d'],
      to: '/',
      onto: [symlink('l', 'x'), directory('x')],
    },
    error: 'Cannot copy: cannot copy to non-directory: /l',
  },
  {
    rule: 'refuses a symlink onto a directory (CP-9)',
    copying: {
      from: [directory('d'), symlink('d/l', 'x')],
      sources: ['d'],
      to: '/',
      onto: [directory('l')],
    },
    error: 'Cannot copy: cannot replace to directory /l with file',
  },
  {
    rule: 'replaces a FIFO, a device and a link by what is copied (CP-9)',
    copying: {
      from: [directory('d'), file('d/a'), file('d/b'), file('d/c')],
      sources: ['d'],
      to: '/',
      onto: [
        { ...file('a'), type: 'fifo' },
        { ...file('b'), type: 'character', major: 1, minor: 3 },
        symlink('c', '/etc/passwd'),
      ],
    },
    layer: ['file 644 0:0 a', 'file 644 0:0 b', 'file 644 0:0 c'],
  },
  {
    rule: 'keeps an empty directory, with its own mode and owner (CP-6, CP-12)',
    copying: {
      from: [directory('d'), { ...directory('d/empty'), mode: 0o2770, uid: 3, gid: 4 }],
      sources: ['d'],
      to: '/to/',
    },
    layer: ['directory 755 0:0 to', 'directory 2770 3:4 to/empty'],
  },
  {
    rule: 'gives a new destination 0755, whatever the source directory has (CP-8)',
    copying: {
      from: [{ ...directory('d'), mode: 0o700, uid: 7 }, file('d/f')],
      sources: ['d'],
      to: '/to',
    },
    layer: ['directory 755 0:0 to', 'file 644 0:0 to/f'],
  },
];

const MODES: readonly Rule[] = [
  {
    rule: 'gives new parents the permissions of an octal --chmod, and no set-id or sticky bits (CP-8, CP-14)',
    copying: { from: FILE, sources: ['f'], to: '/a/b/', chmod: octal(0o6751) },
    layer: ['directory 751 0:0 a', 'directory 751 0:0 a/b', 'file 6751 0:0 a/b/f'],
  },
  {
    rule: 'changes the modes of directories, too, and never a symlink’s (CP-14)',
    copying: {
      from: [directory('d'), directory('d/e'), file('d/e/f'), symlink('d/l', 'e')],
      sources: ['d'],
      to: '/',
      chmod: octal(0o1700),
    },
    layer: ['directory 1700 0:0 e', 'file 1700 0:0 e/f', 'symlink 777 0:0 l -> e'],
  },
  {
    rule: 'leaves a destination that is there to itself, --chmod and --chown or not (CP-9, CP-13, CP-14)',
    copying: {
      from: [directory('d'), file('d/f')],
      sources: ['d'],
      to: '/to/',
      onto: [moded(directory('to'), 0o711)],
      chmod: octal(0o640),
      chown: { uid: 8, gid: 9 },
    },
    layer: ['directory 711 0:0 to', 'file 640 8:9 to/f'],
  },
  {
    rule: 'gives X to what is executable already, and to directories (CP-14)',
    copying: {
      from: [
        directory('d'),
        moded(directory('d/e'), 0o600),
        moded(file('d/f'), 0o700),
        file('d/g'),
      ],
      sources: ['d'],
      to: '/',
      chmod: { kind: 'symbolic', text: 'a=rX' },
    },
    layer: ['directory 555 0:0 e', 'file 555 0:0 f', 'file 444 0:0 g'],
  },
];

const SOURCES: readonly Rule[] = [
  {
    rule: 'follows a symlink that is a source inside the context, absolute or escaping (CP-11)',
    copying: {
      from: [symlink('abs', '/d/f'), symlink('out', '../../d/f'), directory('d'), file('d/f')],
      sources: ['abs', 'out'],
      to: '/to/',
    },
    layer: ['directory 755 0:0 to', 'file 644 0:0 to/abs', 'file 644 0:0 to/out'],
  },
  {
    rule: 'follows a symlink in the middle of a source (CP-11)',
    copying: { from: [symlink('l', 'd'), directory('d'), file('d/f')], sources: ['l/f'], to: '/' },
    layer: ['file 644 0:0 f'],
  },
  {
    rule: 'refuses a source that is a symlink to nothing (CP-11)',
    copying: { from: [symlink('l', 'none')], sources: ['l'], to: '/' },
    error: 'Cannot copy "l": not found',
  },
  {
    rule: 'refuses a wildcard in a directory that is not there (CP-5)',
    copying: { from: FILE, sources: ['dist/*.js'], to: '/' },
    error: 'Cannot copy "dist/*.js": not found',
  },
  {
    rule: 'takes a file that a wildcard names, --exclude or not: it is for what is below (CP-17)',
    copying: { from: [file('a.txt'), file('b.md')], sources: ['*'], to: '/', exclude: ['*.md'] },
    layer: ['file 644 0:0 a.txt', 'file 644 0:0 b.md'],
  },
  {
    rule: 'takes --exclude relative to each directory that a wildcard names (CP-17)',
    copying: {
      from: [directory('d1'), file('d1/x.md'), file('d1/y'), directory('d2'), file('d2/z.md')],
      sources: ['d?'],
      to: '/to',
      exclude: ['*.md'],
    },
    layer: ['directory 755 0:0 to', 'file 644 0:0 to/y'],
  },
  {
    rule: 'lets several --exclude and a "!" decide in order (CP-17)',
    copying: {
      from: [directory('d'), file('d/a.md'), file('d/b.md'), file('d/c.txt'), file('d/e')],
      sources: ['d'],
      to: '/',
      exclude: ['*.md', '!b.*', '*.txt'],
    },
    layer: ['file 644 0:0 b.md', 'file 644 0:0 e'],
  },
  {
    rule: 'makes two files of a hard link whose names are two sources (CP-19)',
    copying: { from: [file('a'), hardlink('b', 'a')], sources: ['a', 'b'], to: '/to/' },
    layer: ['directory 755 0:0 to', 'file 644 0:0 to/a', 'file 644 0:0 to/b'],
  },
  {
    rule: 'makes two files of a hard link whose names a wildcard finds (CP-19)',
    copying: { from: [file('a'), hardlink('b', 'a')], sources: ['?'], to: '/to/' },
    layer: ['directory 755 0:0 to', 'file 644 0:0 to/a', 'file 644 0:0 to/b'],
  },
  {
    rule: 'keeps a hard link across directories of one source (CP-19)',
    copying: {
      from: [directory('d'), file('d/a'), directory('e'), hardlink('e/b', 'd/a')],
      sources: ['.'],
      to: '/',
    },
    layer: [
      'directory 755 0:0 d',
      'file 644 0:0 d/a',
      'directory 755 0:0 e',
      'hardlink 644 0:0 e/b -> d/a',
    ],
  },
];

const PARENTS: readonly Rule[] = [
  {
    rule: 'gives a parent that is there the source’s mode, and leaves it its owner (CP-16)',
    copying: {
      kind: 'parents',
      from: [{ ...directory('x'), mode: 0o711, uid: 9 }, file('x/f')],
      sources: ['x/f'],
      to: '/',
      onto: [{ ...directory('x'), mode: 0o755, uid: 5, gid: 6 }],
    },
    layer: ['directory 711 5:6 x', 'file 644 0:0 x/f'],
  },
  {
    rule: 'gives a parent that it makes the --chown and --chmod (CP-16)',
    copying: {
      kind: 'parents',
      from: [directory('x'), file('x/f'), file('x/g')],
      sources: ['x/*'],
      to: '/to',
      chown: { uid: 1, gid: 2 },
      chmod: octal(0o700),
    },
    layer: [
      'directory 700 1:2 to',
      'directory 700 1:2 to/x',
      'file 700 1:2 to/x/f',
      'file 700 1:2 to/x/g',
    ],
  },
  {
    rule: 'makes the destination for a pattern without a match (CP-16)',
    copying: { kind: 'parents', from: FILE, sources: ['**/*.none'], to: '/to' },
    layer: ['directory 755 0:0 to'],
  },
  {
    rule: 'accepts a path that is there but excluded (CP-16, CP-17)',
    copying: { kind: 'parents', from: FILE, sources: ['f'], to: '/to', exclude: ['f'] },
    layer: ['directory 755 0:0 to'],
  },
  {
    rule: 'copies all files for a pattern in front of the pivot, too (CP-16)',
    copying: {
      kind: 'parents',
      from: [directory('p1'), directory('p1/s'), file('p1/s/a'), directory('p2'), file('p2/b')],
      sources: ['p*/./**'],
      to: '/',
    },
    layer: ['file 644 0:0 b', 'directory 755 0:0 s', 'file 644 0:0 s/a'],
  },
];

for (const [title, rules] of Object.entries({ DESTINATIONS, MODES, SOURCES, PARENTS })) {
  describe(`COPY: ${title.toLowerCase()}`, () => {
    for (const { rule, copying, layer, error } of rules) {
      it(rule, () => {
        const run = () => lines(copy(copying).entries);
        if (error === undefined) assert.deepEqual(run(), layer);
        else assert.throws(run, { message: error });
      });
    }
  });
}

describe('COPY: heredocs', () => {
  const heredoc = (name: string) => {
    const origin = inlineOrigin(name, 'text\n', NOW);
    const found = origin.tree.lookup(name);
    const matches = [{ named: name, path: name, found }];
    return { origin, selection: { kind: 'matches', matches } } as const;
  };

  it('are 0644 root’s files named after their delimiter, in a directory or as a file (CP-18, HD-8)', () => {
    const into = copyFrom({ selected: [heredoc('EOF'), heredoc('TWO')], to: '/to/' });
    assert.deepEqual(lines(into.entries), [
      'directory 755 0:0 to',
      'file 644 0:0 to/EOF',
      'file 644 0:0 to/TWO',
    ]);
    assert.deepEqual(lines(copyFrom({ selected: [heredoc('EOF')], to: '/x' }).entries), [
      'file 644 0:0 x',
    ]);
  });

  it('take --chmod and --chown (CP-18)', () => {
    const { entries } = copyFrom({
      selected: [heredoc('EOF')],
      to: '/bin/run',
      chmod: octal(0o755),
      chown: { uid: 5, gid: 6 },
    });
    assert.deepEqual(lines(entries), ['directory 755 5:6 bin', 'file 755 5:6 bin/run']);
  });
});

describe('COPY: times', () => {
  const times = (entries: readonly Entry[]) =>
    entries.map(({ path, mtime, mtimeNsec }) => `${path} ${mtime}.${mtimeNsec}`);
  const from = [directory('d'), directory('d/e'), file('d/e/f')];

  it('are those of the sources, to the nanosecond; new parents have the time of the build (CP-19)', () => {
    const { entries } = copy({ from, sources: ['d'], to: '/to' });
    assert.deepEqual(times(entries), [`to ${NOW}.0`, 'to/e 1700000000.5', 'to/e/f 1700000000.5']);
  });

  it('are the epoch’s with SOURCE_DATE_EPOCH, but not of what was there before (CP-20)', () => {
    const onto = [directory('to')];
    const { entries } = copy({ from, sources: ['d'], to: '/to', onto, epoch: EPOCH });
    assert.deepEqual(times(entries), ['to 1700000000.5', `to/e ${EPOCH}.0`, `to/e/f ${EPOCH}.0`]);
  });

  it('of an archive’s members stay theirs (CP-20, CP-21)', () => {
    const { entries } = unpack([[file('f')]], { to: '/', epoch: EPOCH });
    assert.deepEqual(times(entries), ['f 1700000000.5']);
  });
});
