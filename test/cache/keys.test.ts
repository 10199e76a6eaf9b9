import assert from 'node:assert/strict';
import { cacheKey, canonicalJson, type JsonValue } from '../../cache/index.ts';

describe('canonicalJson()', () => {
  it('has one text for a value, however its members are ordered', () => {
    const value = { b: [1, 'x\n"é'], a: { z: null, ä: true, Z: -0.5 }, '': {} };
    const text = '{"":{},"a":{"Z":-0.5,"z":null,"ä":true},"b":[1,"x\\n\\"é"]}';
    assert.equal(canonicalJson(value), text);
    assert.equal(canonicalJson(JSON.parse(text) as JsonValue), text);
  });

  for (const value of [undefined, Number.NaN, Number.POSITIVE_INFINITY]) {
    it(`rejects ${String(value)}, at any depth`, () => {
      const hidden = { a: [value] } as unknown as JsonValue;
      assert.throws(() => canonicalJson(hidden), TypeError);
    });
  }
});

describe('cacheKey()', () => {
  it('is stable: other keys would make every store useless', () => {
    assert.equal(
      cacheKey('run', { argv: ['/bin/sh', '-c', 'true'], env: {}, parent: [] }),
      '187758846c74ee493c0ebb9bcf0b155e6cb7ae40e3b556d4839c2dc87838fad4',
    );
  });

  it('tells kinds, members and nesting apart', () => {
    const keys = [
      cacheKey('run', ['ab']),
      cacheKey('copy', ['ab']),
      cacheKey('run', ['a', 'b']),
      cacheKey('run', [['ab']]),
      cacheKey('run', { ab: null }),
      cacheKey('run', 'ab'),
    ];
    assert.equal(new Set(keys).size, keys.length);
  });
});
