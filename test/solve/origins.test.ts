import assert from 'node:assert/strict';
import { parseLayerID } from '../../cache/index.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { fileOrigin, identityOf, inlineOrigin } from '../../src/solve/origins.ts';
import { Places } from '../../src/solve/places.ts';
import { file, layerOf } from '../tree/entries.ts';
import { lines, NOW } from './copying.ts';

describe('inlineOrigin()', () => {
  it('is a tree of one file, 0644 root’s (CP-18)', async () => {
    const origin = inlineOrigin('f\u00e9', 'text', NOW);
    const found = [...origin.tree.below('')].map(({ entry }) => entry);
    assert.deepEqual(lines(found), ['file 644 0:0 f\u00c3\u00a9']);
    assert.equal(found[0]?.mtime, NOW);
    const places = new Places();
    const locate = await origin.open(0, places);
    assert.deepEqual(locate(file('any')), { kind: 'bytes', bytes: Buffer.from('text') });
    assert.deepEqual([places.roots, places.files], [[], []]);
  });

  it('has an identity of its name and content, not of its time', () => {
    const { identity } = inlineOrigin('f', 'text', NOW);
    assert.equal(inlineOrigin('f', 'text', 1).identity, identity);
    assert.notEqual(inlineOrigin('g', 'text', NOW).identity, identity);
    assert.notEqual(inlineOrigin('f', 'other', NOW).identity, identity);
  });
});

describe('fileOrigin()', () => {
  it('says where in its file the bytes are', async () => {
    const source = { kind: 'range', file: 0, offset: 512 } as const;
    const entry = { ...file('a'), source };
    const origin = fileOrigin(layerOf(entry), 'identity', '/archive');
    const places = new Places();
    places.file('/other');
    const locate = await origin.open(0, places);
    assert.deepEqual(locate(file('a')), { kind: 'range', file: 1, offset: 512 });
    assert.deepEqual(places.files, ['/other', '/archive']);
  });
});

describe('identityOf()', () => {
  it('depends on the layers and their order', () => {
    const [a, b] = ['a', 'b'].map((text) => ({
      id: parseLayerID(digestOf(text)),
      pulled: undefined,
    }));
    assert.ok(a !== undefined && b !== undefined);
    assert.equal(identityOf([]), '');
    assert.notEqual(identityOf([a, b]), identityOf([b, a]));
  });
});

describe('Places', () => {
  it('counts each path once', () => {
    const places = new Places();
    const numbers = [places.root('/a'), places.root('/b'), places.root('/a'), places.file('/a')];
    assert.deepEqual(numbers, [0, 1, 0, 0]);
  });
});
