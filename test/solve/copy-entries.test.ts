import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { hasCode } from '../../src/errors.ts';
import type { Entry } from '../../src/tree/entry.ts';
import { ImageTree } from '../../src/tree/image-tree.ts';
import { ancestorsOf, comparePaths } from '../../src/tree/path.ts';
import { directory, file, layerOf, symlink, whiteout } from '../tree/entries.ts';
import { copy, entryAt, lines, NOW, paths, treeOf } from './copying.ts';

const TREE = [
  directory('app'),
  { ...directory('app/bin'), mode: 0o700 },
  { ...file('app/bin/run'), mode: 0o4755 },
  file('app/readme.md'),
  symlink('app/current', 'bin'),
  file('one.txt'),
  file('two.txt'),
  symlink('link', 'one.txt'),
  symlink('dir', '/app'),
];

const isConflict = (error: unknown): boolean => hasCode(error, 'ERR_COPY_CONFLICT');

describe('copyEntries()', () => {
  describe('what a source is', () => {
    for (const name of ['one.txt', '/one.txt', './one.txt', '../../one.txt', 'app/../one.txt']) {
      it(`takes "${name}" from the root of the source (CP-4)`, () => {
        const { entries } = copy({ from: TREE, sources: [name], to: '/' });
        assert.deepEqual(paths(entries), ['one.txt']);
      });
    }

    it('copies the contents of a directory, not the directory (CP-6)', () => {
      const { entries } = copy({ from: TREE, sources: ['app/'], to: '/' });
      assert.deepEqual(paths(entries), ['bin', 'bin/run', 'current', 'readme.md']);
    });

    it('copies everything for "."', () => {
      const { entries } = copy({ from: TREE, sources: ['.'], to: '/all/' });
      assert.equal(entries.length, TREE.length + 1);
    });

    it('copies the contents of directories that a wildcard matches (CP-6)', () => {
      const { entries } = copy({ from: TREE, sources: ['ap*'], to: '/to/' });
      assert.deepEqual(paths(entries), [
        'to',
        'to/bin',
        'to/bin/run',
        'to/current',
        'to/readme.md',
      ]);
    });

    it('does nothing for a wildcard without a match, not even make the directory (CP-5)', () => {
      for (const to of ['/to/', '/x']) {
        assert.deepEqual(paths(copy({ from: TREE, sources: ['*.none'], to }).entries), []);
      }
    });

    it('follows a source that is a symlink, and keeps its name (CP-11)', () => {
      const { entries } = copy({ from: TREE, sources: ['link'], to: '/to/' });
      assert.deepEqual(lines(entries), ['directory 755 0:0 to', 'file 644 0:0 to/link']);
      assert.deepEqual(paths(copy({ from: TREE, sources: ['dir'], to: '/' }).entries), [
        'bin',
        'bin/run',
        'current',
        'readme.md',
      ]);
    });

    it('copies symlinks below a source as links (CP-11)', () => {
      const { entries } = copy({ from: TREE, sources: ['app'], to: '/' });
      assert.equal(lines(entries)[2], 'symlink 777 0:0 current -> bin');
    });
  });

  describe('where it goes', () => {
    it('makes a file of the destination’s name (CP-7)', () => {
      const { entries } = copy({ from: TREE, sources: ['one.txt'], to: '/a/b' });
      assert.deepEqual(lines(entries), ['directory 755 0:0 a', 'file 644 0:0 a/b']);
    });

    it('puts a file into a destination that ends with a slash, or is a directory (CP-7)', () => {
      const into = copy({ from: TREE, sources: ['one.txt'], to: '/a/' });
      assert.deepEqual(paths(into.entries), ['a', 'a/one.txt']);
      const existing = copy({ from: TREE, sources: ['one.txt'], to: '/a', onto: [directory('a')] });
      assert.deepEqual(paths(existing.entries), ['a', 'a/one.txt']);
      assert.deepEqual(paths(copy({ from: TREE, sources: ['one.txt'], to: '/' }).entries), [
        'one.txt',
      ]);
    });

    it('puts a directory’s contents into the destination, whether it exists or not (CP-7)', () => {
      for (const to of ['/a', '/a/', '/a/.']) {
        const { entries } = copy({ from: TREE, sources: ['app/bin'], to });
        assert.deepEqual(paths(entries), ['a', 'a/run']);
      }
    });

    it('makes the parents that are missing, 0755 root’s and of now (CP-8)', () => {
      const { entries } = copy({ from: TREE, sources: ['one.txt'], to: '/a/b/c' });
      assert.deepEqual(lines(entries), [
        'directory 755 0:0 a',
        'directory 755 0:0 a/b',
        'file 644 0:0 a/b/c',
      ]);
      assert.equal(entries[0]?.mtime, NOW);
    });

    it('gives new parents the owner of --chown and an octal --chmod, not a symbolic one (CP-8)', () => {
      const octal = copy({
        from: TREE,
        sources: ['one.txt'],
        to: '/a/b',
        chown: { uid: 5, gid: 6 },
        chmod: { kind: 'octal', mode: 0o640 },
      });
      assert.deepEqual(lines(octal.entries), ['directory 640 5:6 a', 'file 640 5:6 a/b']);
      const symbolic = copy({
        from: TREE,
        sources: ['one.txt'],
        to: '/a/b',
        chmod: { kind: 'symbolic', text: 'go=' },
      });
      assert.deepEqual(lines(symbolic.entries), ['directory 755 0:0 a', 'file 600 0:0 a/b']);
    });

    it('lists the ancestors that exist with the metadata that they have', () => {
      const onto = [
        { ...directory('srv'), mode: 0o2775, uid: 7, gid: 8, mtime: 12 },
        { ...directory('srv/www'), mode: 0o711 },
      ];
      const { entries } = copy({ from: TREE, sources: ['one.txt'], to: '/srv/www/x', onto });
      assert.deepEqual(lines(entries), [
        'directory 2775 7:8 srv',
        'directory 711 0:0 srv/www',
        'file 644 0:0 srv/www/x',
      ]);
      assert.equal(entries[0]?.mtime, 12);
    });

    it('says of an ancestor neither that it is opaque nor that it was implied', () => {
      const parent = new ImageTree([
        layerOf(directory('a', { opaque: true }), directory('a/b', { implied: true })),
      ]);
      const { entries } = copy({ from: TREE, sources: ['one.txt'], to: '/a/b/', onto: parent });
      assert.deepEqual(entries.slice(0, 2), [directory('a'), directory('a/b')]);
    });

    it('leaves the destination’s own metadata, and replaces those below it (CP-9)', () => {
      const onto = [
        { ...directory('to'), mode: 0o500, uid: 3, mtime: 5 },
        { ...directory('to/bin'), mode: 0o777, uid: 4 },
        file('to/readme.md', 'old'),
        file('to/stays'),
      ];
      const { entries } = copy({ from: TREE, sources: ['app'], to: '/to', onto });
      assert.deepEqual(lines(entries), [
        'directory 500 3:0 to',
        'directory 700 0:0 to/bin',
        'file 4755 0:0 to/bin/run',
        'symlink 777 0:0 to/current -> bin',
        'file 644 0:0 to/readme.md',
      ]);
      assert.equal(entries[0]?.mtime, 5);
      assert.deepEqual(entryAt(entries, 'to/readme.md'), {
        ...file('app/readme.md'),
        path: 'to/readme.md',
      });
    });

    it('replaces a symlink that has a file’s name in a directory (CP-9)', () => {
      const onto = [directory('to'), symlink('to/one.txt', '/etc/passwd')];
      const { entries } = copy({ from: TREE, sources: ['one.txt'], to: '/to/', onto });
      assert.deepEqual(lines(entries), ['directory 755 0:0 to', 'file 644 0:0 to/one.txt']);
    });

    it('rejects a file onto a directory, and a directory onto a file (CP-9)', () => {
      const onto = [directory('to'), directory('to/one.txt'), file('to/bin')];
      assert.throws(() => copy({ from: TREE, sources: ['one.txt'], to: '/to/', onto }), {
        code: 'ERR_COPY_CONFLICT',
        message: 'Cannot copy: cannot replace to directory /to/one.txt with file',
        details: { path: '/to/one.txt' },
      });
      assert.throws(() => copy({ from: TREE, sources: ['app'], to: '/to/', onto }), {
        code: 'ERR_COPY_CONFLICT',
        message: 'Cannot copy: cannot copy to non-directory: /to/bin',
      });
      assert.throws(() => copy({ from: TREE, sources: ['app'], to: '/to/bin', onto }), isConflict);
      assert.throws(
        () => copy({ from: TREE, sources: ['one.txt'], to: '/to/bin/x', onto }),
        isConflict,
      );
    });

    it('puts a file where a whiteout was', () => {
      const parent = new ImageTree([
        layerOf(directory('to'), directory('to/one.txt')),
        layerOf(directory('to'), whiteout('to/one.txt')),
      ]);
      const { entries } = copy({ from: TREE, sources: ['one.txt'], to: '/to/', onto: parent });
      assert.deepEqual(paths(entries), ['to', 'to/one.txt']);
    });

    it('follows symlinks in the destination inside the root (CP-10)', () => {
      const onto = [
        directory('usr'),
        directory('usr/lib'),
        symlink('lib', 'usr/lib'),
        symlink('abs', '/usr/lib'),
        symlink('out', '../../../usr'),
        symlink('new', '/made/here'),
      ];
      const to = (path: string) =>
        paths(copy({ from: TREE, sources: ['one.txt'], to: path, onto }).entries);
      assert.deepEqual(to('/lib/'), ['usr', 'usr/lib', 'usr/lib/one.txt']);
      assert.deepEqual(to('/lib'), ['usr', 'usr/lib', 'usr/lib/one.txt']);
      assert.deepEqual(to('/abs/x/y'), ['usr', 'usr/lib', 'usr/lib/x', 'usr/lib/x/y']);
      assert.deepEqual(to('/out/z'), ['usr', 'usr/z']);
      assert.deepEqual(to('/new'), ['made', 'made/here']);
      assert.deepEqual(to('/new/'), ['made', 'made/here', 'made/here/one.txt']);
    });

    it('rejects a destination whose symlinks do not end', () => {
      const onto = [symlink('a', 'b'), symlink('b', 'a')];
      assert.throws(() => copy({ from: TREE, sources: ['one.txt'], to: '/a/x', onto }), isConflict);
    });
  });

  describe('several sources', () => {
    it('puts them all into a directory (CP-7)', () => {
      const sources = ['one.txt', 'two.txt', 'app/bin'];
      const { entries } = copy({ from: TREE, sources, to: '/to/' });
      assert.deepEqual(paths(entries), ['to', 'to/one.txt', 'to/run', 'to/two.txt']);
    });

    it('lets the last one win', () => {
      const from = [directory('a'), file('a/x', 'first'), directory('b'), file('b/x', 'last!')];
      const { entries, origins } = copy({ from, sources: ['a/x', 'b/x'], to: '/to/' });
      assert.deepEqual(entryAt(entries, 'to/x'), { ...file('b/x', 'last!'), path: 'to/x' });
      assert.equal(origins.get('to/x')?.entry.path, 'b/x');
    });

    for (const sources of [['one.txt', 'two.txt'], ['*.txt'], ['app', 'one.txt']]) {
      it(`rejects ${sources.join(' and ')} onto one file (CP-7)`, () => {
        assert.throws(() => copy({ from: TREE, sources, to: '/to' }), {
          code: 'ERR_COPY_CONFLICT',
          details: { path: '/to' },
        });
      });
    }

    it('accepts directories alone, and a directory that exists (CP-7)', () => {
      const both = copy({ from: TREE, sources: ['app/bin', 'app'], to: '/to' });
      assert.equal(paths(both.entries)[0], 'to');
      const onto = [directory('to')];
      const { entries } = copy({ from: TREE, sources: ['*.txt'], to: '/to', onto });
      assert.deepEqual(paths(entries), ['to', 'to/one.txt', 'to/two.txt']);
    });

    it('accepts a wildcard with one match', () => {
      const { entries } = copy({ from: TREE, sources: ['one.*', '*.none'], to: '/to' });
      assert.deepEqual(lines(entries), ['file 644 0:0 to']);
    });
  });

  describe('for random trees', () => {
    const names = fc.constantFrom('a', 'b', 'a.b', 'c-', '\u00e9', 'z');
    const kinds = fc.constantFrom('file', 'directory', 'symlink', 'hardlink');
    const trees = fc
      .array(fc.tuple(fc.array(names, { minLength: 1, maxLength: 4 }), kinds, fc.nat(0o7777)), {
        maxLength: 25,
      })
      .map((members) => {
        const made = new Map<string, Entry>();
        let first: string | undefined;
        for (const [parts, kind, mode] of members) {
          const path = parts.join('/');
          const above = ancestorsOf(path);
          if (
            made.has(path) ||
            above.some((each) => (made.get(each)?.type ?? 'directory') !== 'directory')
          )
            continue;
          for (const each of above) if (!made.has(each)) made.set(each, directory(each));
          if (kind === 'directory') made.set(path, { ...directory(path), mode });
          else if (kind === 'symlink') made.set(path, symlink(path, 'a/b'));
          else if (kind === 'hardlink' && first !== undefined)
            made.set(path, { ...file(path), mode: 0o644 });
          else made.set(path, { ...file(path, 'content'), mode });
          if (kind === 'file') first ??= path;
        }
        return [...made.values()];
      });

    it('gives the same tree in an empty one', () => {
      fc.assert(
        fc.property(trees, (from) => {
          const source = treeOf(from);
          const { entries } = copy({ from: source, sources: ['.'], to: '/' });
          const seen = (tree: ImageTree) => [...tree.below('')].map(({ entry }) => entry);
          assert.deepEqual(seen(treeOf(entries)), seen(source));
        }),
      );
    });

    it('gives the same whether entries are held or not', () => {
      fc.assert(
        fc.property(trees, trees, (from, onto) => {
          const to = (exclude: readonly string[]) =>
            copied(() => copy({ from, sources: ['.', '.'], to: '/a/', onto, exclude }).entries);
          // With a "!" entries are put one by one.
          assert.deepEqual(to(['b']), to(['b', '!none']));
        }),
      );
    });

    it('lists entries in an index’s order, each below its parents', () => {
      const destinations = fc.constantFrom('/', '/a', '/a/', '/a/b/', '/new/c-/x');
      fc.assert(
        fc.property(trees, trees, destinations, (from, onto, to) => {
          const entries = copied(() => copy({ from, sources: ['.'], to, onto }).entries);
          const before = new Set<string>();
          let previous: string | undefined;
          for (const { path } of entries) {
            if (previous !== undefined) assert.ok(comparePaths(previous, path) < 0);
            for (const each of ancestorsOf(path)) assert.ok(before.has(each), `${each} of ${path}`);
            before.add(path);
            previous = path;
          }
        }),
      );
    });
  });
});

/** Two random trees may not fit together, and then nothing is copied. */
function copied(make: () => readonly Entry[]): readonly Entry[] {
  try {
    return make();
  } catch (error) {
    assert.ok(isConflict(error), String(error));
    return [];
  }
}
