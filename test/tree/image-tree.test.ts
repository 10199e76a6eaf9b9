import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import type { Entry } from '../../src/tree/entry.ts';
import { ImageTree } from '../../src/tree/image-tree.ts';
import { comparePaths, isWithin, parentOf } from '../../src/tree/path.ts';
import { directory, file, hardlink, layerOf, symlink, whiteout } from './entries.ts';
import { PATHS, randomLayer } from './random-layers.ts';

describe('lookup()', () => {
  it('answers from the topmost layer that has the path', () => {
    const tree = new ImageTree([
      layerOf(directory('a'), file('a/b', 'old'), file('a/c')),
      layerOf(directory('a', { uid: 7 }), file('a/b', 'new')),
    ]);
    assert.deepEqual(tree.lookup('a/b'), { entry: file('a/b', 'new'), layer: 1 });
    assert.deepEqual(tree.lookup('a/c'), { entry: file('a/c'), layer: 0 });
    assert.equal(tree.lookup('a')?.entry.uid, 7);
    assert.equal(tree.lookup('a/d'), undefined);
    assert.equal(tree.lookup('')?.entry.type, 'directory');
  });

  it('finds nothing at or below a whiteout, but what upper layers put there again', () => {
    const tree = new ImageTree([
      layerOf(directory('a'), directory('a/b'), file('a/b/c'), file('a/b/d')),
      layerOf(directory('a'), whiteout('a/b')),
      layerOf(directory('a'), directory('a/b'), file('a/b/d', 'new')),
    ]);
    assert.equal(tree.lookup('a/b/c'), undefined);
    assert.deepEqual(tree.lookup('a/b/d'), { entry: file('a/b/d', 'new'), layer: 2 });
  });

  it('finds nothing of lower layers in an opaque directory', () => {
    const tree = new ImageTree([
      layerOf(directory('a'), file('a/b')),
      layerOf(directory('a', { opaque: true }), file('a/c')),
    ]);
    assert.equal(tree.lookup('a/b'), undefined);
    assert.equal(tree.lookup('a/c')?.layer, 1);
    assert.deepEqual(
      [...tree.list('a')].map(({ entry }) => entry.path),
      ['a/c'],
    );
  });

  it('finds nothing of layers below one whose root is opaque', () => {
    const tree = new ImageTree([
      layerOf(directory('a'), file('a/b'), file('low')),
      layerOf(directory('', { opaque: true, implied: true }), directory('a', { implied: true })),
      layerOf(file('top')),
    ]);
    assert.equal(tree.lookup('low'), undefined);
    assert.equal(tree.lookup('a/b'), undefined);
    assert.deepEqual(
      [...tree.below('')].map(({ entry, layer }) => [entry.path, layer]),
      [
        ['a', 1],
        ['top', 2],
      ],
    );
    const last = new ImageTree(tree.layers.slice(0, 2));
    assert.deepEqual(
      [...last.list('')].map(({ entry, layer }) => [entry.path, layer]),
      [['a', 1]],
    );
  });

  it('finds nothing below a file that took a directory’s place', () => {
    const tree = new ImageTree([layerOf(directory('a'), file('a/b')), layerOf(file('a'))]);
    assert.equal(tree.lookup('a/b'), undefined);
    assert.deepEqual([...tree.below('a')], []);
  });

  it('takes the metadata of an implied directory from below', () => {
    const tree = new ImageTree([
      layerOf(directory('a', { uid: 5, mode: 0o700 })),
      layerOf(directory('a', { implied: true }), file('a/b')),
    ]);
    assert.equal(tree.lookup('a')?.entry.uid, 5);
    const alone = new ImageTree([layerOf(directory('a', { implied: true }), file('a/b'))]);
    assert.equal(alone.lookup('a')?.layer, 0);
  });

  it('takes a hard link to what is no file for the thing itself', () => {
    const tree = new ImageTree([layerOf(symlink('a', 'x'), hardlink('b', 'a'), file('x'))]);
    assert.deepEqual(tree.lookup('b')?.entry, symlink('b', 'x'));
    assert.equal(tree.resolve('b', { followLast: true }), 'x');
  });
});

describe('fileAt()', () => {
  it('follows hardlinks within their layer', () => {
    const tree = new ImageTree([
      layerOf(file('a', 'old'), hardlink('b', 'a'), symlink('s', 'a')),
      layerOf(file('a', 'new')),
    ]);
    assert.deepEqual(tree.fileAt('b'), { entry: file('a', 'old'), layer: 0 });
    assert.deepEqual(tree.fileAt('a'), { entry: file('a', 'new'), layer: 1 });
    assert.equal(tree.fileAt('s'), undefined);
    assert.equal(tree.fileAt('missing'), undefined);
  });
});

describe('resolve()', () => {
  const tree = new ImageTree([
    layerOf(
      directory('usr'),
      directory('usr/bin'),
      file('usr/bin/sh'),
      symlink('bin', 'usr/bin'),
      symlink('usr/up', '../../../bin'),
      symlink('usr/root', '/'),
      symlink('loop', 'loop'),
      symlink('gone', '/nowhere/x'),
      symlink('usr/dot', './bin/.'),
    ),
  ]);
  const cases: readonly (readonly [path: string, resolved: string | undefined])[] = [
    ['bin/sh', 'usr/bin/sh'],
    ['usr/up/sh', 'usr/bin/sh'],
    ['usr/root/usr/root/bin', 'usr/bin'],
    ['gone', 'nowhere/x'],
    ['gone/more', 'nowhere/x/more'],
    ['usr/dot/../up', 'usr/bin'],
    ['missing/../bin', 'usr/bin'],
    ['', ''],
    ['loop', undefined],
    ['loop/x', undefined],
  ];
  for (const [path, resolved] of cases) {
    it(`leads from "${path}" to ${resolved === undefined ? 'nowhere' : `"${resolved}"`} (CH-7)`, () => {
      assert.equal(tree.resolve(path, { followLast: true }), resolved);
    });
  }

  it('leaves the last symlink alone when asked to', () => {
    assert.equal(tree.resolve('bin', { followLast: false }), 'bin');
    assert.equal(tree.resolve('usr/up', { followLast: false }), 'usr/up');
    assert.equal(tree.resolve('bin/sh', { followLast: false }), 'usr/bin/sh');
  });
});

/** What overlayfs would show: layers applied one after the other to a map. */
function applyLayers(layers: readonly (readonly Entry[])[]): Map<string, Entry> {
  const seen = new Map<string, Entry>();
  const removeWithin = (path: string, self: boolean): void => {
    for (const known of seen.keys()) {
      if (isWithin(known, path) && (self || known !== path)) seen.delete(known);
    }
  };
  for (const layer of layers) {
    for (const entry of layer) {
      if (entry.type !== 'directory') removeWithin(entry.path, true);
      else if (seen.get(entry.path)?.type !== 'directory') removeWithin(entry.path, true);
      else if (entry.opaque) removeWithin(entry.path, false);
    }
    for (const entry of layer) {
      const kept = entry.type === 'directory' && entry.implied && seen.has(entry.path);
      if (entry.type !== 'whiteout' && !kept) seen.set(entry.path, entry);
    }
  }
  return seen;
}

describe('ImageTree', () => {
  it('shows what overlayfs would show', () => {
    fc.assert(
      fc.property(fc.array(randomLayer, { maxLength: 4 }), (stack) => {
        const expected = applyLayers(stack);
        const tree = new ImageTree(stack.map((layer) => layerOf(...layer)));
        const sorted = [...expected.values()].toSorted((a, b) => comparePaths(a.path, b.path));
        assert.deepEqual(
          [...tree.below('')].map(({ entry }) => entry),
          sorted,
        );
        for (const path of PATHS) {
          assert.deepEqual(tree.lookup(path)?.entry, expected.get(path));
          const inside = sorted.filter((entry) => parentOf(entry.path) === path);
          assert.deepEqual(
            [...tree.list(path)].map(({ entry }) => entry),
            inside,
          );
        }
      }),
      { numRuns: 300 },
    );
  }).timeout(120_000);
});
