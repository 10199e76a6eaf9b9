import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { changedFields } from '../../src/diff/file-facts.ts';
import {
  isSelfContained,
  layerChanges,
  type TreeSide,
  treeChanges,
} from '../../src/diff/tree-changes.ts';
import type { Entry } from '../../src/tree/entry.ts';
import { ImageTree } from '../../src/tree/image-tree.ts';
import type { LayerIndex } from '../../src/tree/layer-index.ts';
import { directory, file, hardlink, layerOf, whiteout } from '../tree/entries.ts';
import { randomLayer } from '../tree/random-layers.ts';

function sideOf(base: readonly LayerIndex[], uppers: readonly LayerIndex[], offset = 0): TreeSide {
  return { tree: new ImageTree([...base, ...uppers]), uppers, offset };
}

/** Path and fields of each difference. */
function changesOf(a: TreeSide, b: TreeSide, base: readonly LayerIndex[]) {
  return [...treeChanges(a, b, new ImageTree(base))].map(({ path, fields, a: x, b: y }) => [
    path,
    x === undefined ? 'added' : y === undefined ? 'removed' : fields.join(),
  ]);
}

/** The same by walking all of both. */
function bruteForce(a: ImageTree, b: ImageTree) {
  const all = [...a.below(''), ...b.below('')].map(({ entry }) => entry.path);
  const placed = (tree: ImageTree, path: string) => {
    const found = tree.lookup(path);
    return found && { ...found, content: tree.contentOf(found)?.entry };
  };
  return [...new Set(all)].flatMap((path) => {
    const [x, y] = [placed(a, path), placed(b, path)];
    if (x === undefined || y === undefined) return [[path, x === undefined ? 'added' : 'removed']];
    const fields = changedFields(x, y);
    return fields.length === 0 ? [] : [[path, fields.join()]];
  });
}

const sorted = (changes: readonly (readonly (string | undefined)[])[]) =>
  changes.map((change) => change.join(' ')).toSorted();

describe('treeChanges()', () => {
  it('finds what walking all of both trees finds, with the layers in common and without them', () => {
    const stack = fc.array(randomLayer, { maxLength: 3 });
    fc.assert(
      fc.property(stack, stack, stack, (common, one, two) => {
        const [base, a, b] = [common, one, two].map((layers) =>
          layers.map((entries) => layerOf(...entries)),
        );
        assert.ok(base && a && b);
        const [sideA, sideB] = [sideOf(base, a), sideOf(base, b)];
        const expected = sorted(bruteForce(sideA.tree, sideB.tree));
        assert.deepEqual(sorted(changesOf(sideA, sideB, base)), expected);
        if (!isSelfContained(a, b)) return;
        const alone = changesOf(sideOf([], a, base.length), sideOf([], b, base.length), []);
        assert.deepEqual(sorted(alone), expected);
      }),
      { numRuns: 500 },
    );
  }).timeout(60_000);

  it('needs no layer in common for layers of one shape, whatever they hide', () => {
    const stack = fc.array(randomLayer, { maxLength: 3 });
    fc.assert(
      fc.property(stack, stack, fc.nat({ max: 3 }), (common, one, uid) => {
        const base = common.map((entries) => layerOf(...entries));
        const a = one.map((entries) => layerOf(...entries));
        const b = one.map((entries) =>
          layerOf(...entries.map((entry) => ({ ...entry, uid: entry.uid % (uid + 1) }))),
        );
        assert.ok(isSelfContained(a, b));
        const alone = changesOf(sideOf([], a, base.length), sideOf([], b, base.length), []);
        const whole = bruteForce(sideOf(base, a).tree, sideOf(base, b).tree);
        assert.deepEqual(sorted(alone), sorted(whole));
      }),
      { numRuns: 300 },
    );
  }).timeout(60_000);

  it('needs no layer in common when both name the same paths', () => {
    const layer = (...entries: readonly Entry[]) => layerOf(directory('a'), ...entries);
    const one = layer(file('a/b', 'one'), whiteout('a/c'));
    const two = layer(file('a/b', 'two'), whiteout('a/c'));
    assert.ok(isSelfContained([one], [two]));
    assert.deepEqual(changesOf(sideOf([], [one]), sideOf([], [two]), []), [['a/b', 'content']]);
    assert.ok(!isSelfContained([one], [layer(file('a/b'))]));
    assert.ok(!isSelfContained([one], [layer(file('a/b'), directory('a/c', { opaque: true }))]));
    assert.ok(!isSelfContained([one], []));
  });

  it('tells a hard link from a file of the same content, and says when it is another content', () => {
    const a = layerOf(file('x', 'same'), hardlink('y', 'x'), hardlink('z', 'x'));
    const b = layerOf(file('x', 'same'), file('y', 'same'), file('z', 'other'));
    const changes = changesOf(sideOf([], [a]), sideOf([], [b]), []);
    assert.deepEqual(changes, [
      ['y', 'hardlink'],
      ['z', 'content,hardlink'],
    ]);
  });
});

describe('layerChanges()', () => {
  it('tells what a layer hides, too', () => {
    const a = layerOf(directory('a', { opaque: true }), whiteout('b'));
    const b = layerOf(directory('a'), file('c'));
    const changes = [...layerChanges({ index: a, layer: 0 }, { index: b, layer: 0 })];
    assert.deepEqual(
      changes.map(({ path, fields, a: x, b: y }) => [path, fields, x?.entry.type, y?.entry.type]),
      [
        ['a', ['opaque'], 'directory', 'directory'],
        ['b', [], 'whiteout', undefined],
        ['c', [], undefined, 'file'],
      ],
    );
  });
});
