import assert from 'node:assert/strict';
import { directory, file, hardlink, symlink } from '../tree/entries.ts';
import { entryAt, lines, NOW, paths, unpack } from './copying.ts';

describe('copyEntries() of archives', () => {
  it('puts the members into the destination, with their owners (CP-21)', () => {
    const members = [
      { ...directory('d'), uid: 3, mode: 0o700 },
      { ...file('d/f'), gid: 4 },
    ];
    const { entries, origins } = unpack([members], { to: '/to' });
    assert.deepEqual(lines(entries), [
      'directory 755 0:0 to',
      'directory 700 3:0 to/d',
      'file 644 0:4 to/d/f',
    ]);
    assert.equal(entries[0]?.mtime, NOW);
    assert.equal(origins.get('to/d/f')?.entry.path, 'd/f');
  });

  it('gives all of them to the owner of --chown, and leaves their modes to them (CP-21, CP-22)', () => {
    const { entries } = unpack([[directory('d'), { ...file('d/f'), uid: 9 }]], {
      to: '/to/',
      chown: { uid: 1, gid: 2 },
      chmod: { kind: 'octal', mode: 0o600 },
    });
    assert.deepEqual(lines(entries), [
      'directory 755 1:2 to',
      'directory 755 1:2 to/d',
      'file 644 1:2 to/d/f',
    ]);
  });

  it('makes implied directories 0755, and leaves those that are there (CP-21)', () => {
    const members = [
      directory('new', { implied: true, mode: 0o700 }),
      file('new/f'),
      directory('old', { implied: true }),
      file('old/f'),
    ];
    const onto = [{ ...directory('old'), mode: 0o711, uid: 6 }];
    const { entries } = unpack([members], { to: '/', onto });
    assert.deepEqual(lines(entries), [
      'directory 755 0:0 new',
      'file 644 0:0 new/f',
      'directory 711 6:0 old',
      'file 644 0:0 old/f',
    ]);
    assert.equal('implied' in (entryAt(entries, 'new') ?? {}), false);
  });

  it('joins directories, and takes the archive’s metadata (CP-21)', () => {
    const onto = [{ ...directory('d'), mode: 0o700 }, file('d/stays'), file('d/f', 'old')];
    const { entries } = unpack([[{ ...directory('d'), mode: 0o750 }, file('d/f', 'new')]], {
      to: '/',
      onto,
    });
    assert.deepEqual(lines(entries), ['directory 750 0:0 d', 'file 644 0:0 d/f']);
    assert.deepEqual(entryAt(entries, 'd/f'), file('d/f', 'new'));
  });

  it('replaces a directory by a file, and a file by a directory (CP-21)', () => {
    const onto = [directory('a'), file('a/x'), file('b')];
    const { entries } = unpack([[file('a'), directory('b'), file('b/y')]], { to: '/', onto });
    assert.deepEqual(lines(entries), ['file 644 0:0 a', 'directory 755 0:0 b', 'file 644 0:0 b/y']);
  });

  it('lets the last archive win, whatever the types (CP-21)', () => {
    const first = [directory('a'), file('a/x'), hardlink('a/z', 'a/x')];
    const { entries, origins } = unpack([first, [file('a')]], { to: '/' });
    assert.deepEqual(paths(entries), ['a']);
    assert.equal(origins.get('a')?.entry.path, 'a');
    const back = unpack([[file('a')], first], { to: '/' });
    assert.deepEqual(paths(back.entries), ['a', 'a/x', 'a/z']);
  });

  for (const created of [true, false]) {
    it(`goes through an absolute symlink inside the root, its target ${created ? 'there' : 'missing'} (CP-21)`, () => {
      const onto = [directory('var'), symlink('var/run', '/run')];
      if (created) onto.push(directory('run'));
      const members = [
        directory('var', { implied: true }),
        directory('var/run', { implied: true }),
        directory('var/run/new', { implied: true }),
        file('var/run/new/f'),
      ];
      const { entries } = unpack([members], { to: '/', onto });
      assert.deepEqual(paths(entries), ['run', 'run/new', 'run/new/f']);
    });
  }

  it('goes through symlinks of the archive before it, never out of the destination (CP-21)', () => {
    const { entries } = unpack(
      [
        [directory('d'), symlink('l', '../../d')],
        [directory('l', { implied: true }), file('l/f')],
      ],
      {
        to: '/to/',
      },
    );
    assert.deepEqual(paths(entries), ['to', 'to/d', 'to/d/f', 'to/l']);
  });

  it('keeps a symlink to a directory where the archive has a directory', () => {
    const onto = [directory('usr'), directory('usr/lib'), symlink('lib', 'usr/lib')];
    const { entries } = unpack([[directory('lib'), file('lib/f')]], { to: '/', onto });
    assert.deepEqual(paths(entries), ['usr', 'usr/lib', 'usr/lib/f']);
  });

  it('replaces a symlink by a file of its name', () => {
    const { entries } = unpack([[file('l')]], { to: '/', onto: [file('x'), symlink('l', 'x')] });
    assert.deepEqual(lines(entries), ['file 644 0:0 l']);
  });

  it('keeps hard links, also through a symlink (CP-19)', () => {
    const onto = [directory('var'), symlink('var/run', '/run')];
    const members = [
      directory('var', { implied: true }),
      directory('var/run', { implied: true }),
      hardlink('var/run/link', 'var/run/source'),
      file('var/run/source'),
    ];
    const { entries } = unpack([members], { to: '/', onto });
    assert.deepEqual(lines(entries), [
      'directory 755 0:0 run',
      'file 644 0:0 run/link',
      'hardlink 644 0:0 run/source -> run/link',
    ]);
  });

  it('takes ".wh." names for files (CP-21)', () => {
    const { entries } = unpack([[file('.wh.x')]], { to: '/', onto: [file('x')] });
    assert.deepEqual(paths(entries), ['.wh.x']);
  });

  it('gives directories that the archive only implies to root, also with --chown (CP-21)', () => {
    const members = [directory('new', { implied: true }), file('new/f')];
    const { entries } = unpack([members], { to: '/to/', chown: { uid: 1, gid: 2 } });
    assert.deepEqual(lines(entries), [
      'directory 755 1:2 to',
      'directory 755 0:0 to/new',
      'file 644 1:2 to/new/f',
    ]);
  });

  it('takes its destination for the root: an absolute symlink in it stays below (CP-21)', () => {
    const onto = [directory('to'), symlink('to/l', '/etc'), directory('etc')];
    const { entries } = unpack([[directory('l', { implied: true }), file('l/f')]], {
      to: '/to',
      onto,
    });
    assert.deepEqual(paths(entries), ['to', 'to/etc', 'to/etc/f']);
  });

  it('gives the directory that a symlink leads to the metadata of the archive’s directory (CP-21)', () => {
    const onto = [directory('usr'), directory('usr/lib'), symlink('lib', 'usr/lib')];
    const { entries } = unpack([[{ ...directory('lib'), mode: 0o700, uid: 3 }]], { to: '/', onto });
    assert.deepEqual(lines(entries), ['directory 755 0:0 usr', 'directory 700 3:0 usr/lib']);
  });

  it('refuses symlinks that lead to themselves (CP-21)', () => {
    const onto = [symlink('a', 'b'), symlink('b', 'a')];
    assert.throws(
      () => unpack([[directory('a', { implied: true }), file('a/f')]], { to: '/', onto }),
      {
        code: 'ERR_COPY_CONFLICT',
        details: { path: '/a' },
      },
    );
  });
});
