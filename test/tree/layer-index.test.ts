import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import type { Entry } from '../../src/tree/entry.ts';
import { encodeIndex, identityOfEntries } from '../../src/tree/index-codec.ts';
import { indexFromBytes } from '../../src/tree/layer-index.ts';
import { comparePaths, isWithin } from '../../src/tree/path.ts';
import { goldenBytes, goldenEntries } from '../support/golden-index.ts';
import { directory, file, hardlink, symlink, whiteout } from './entries.ts';

const names = fc.string({
  unit: fc.integer({ min: 1, max: 255 }).map((code) => String.fromCharCode(code)),
  minLength: 1,
  maxLength: 12,
});
const uint32 = fc.nat({ max: 0xffff_ffff });
const metadata = fc.record({
  mode: fc.nat({ max: 0o7777 }),
  uid: uint32,
  gid: uint32,
  mtime: fc.integer({ min: -(2 ** 40), max: 2 ** 40 }),
  mtimeNsec: fc.nat({ max: 999_999_999 }),
});
const xattrs = fc.option(
  fc
    .uniqueArray(fc.tuple(names, names), { selector: ([name]) => name, minLength: 1, maxLength: 3 })
    .map((list) => list.toSorted(([a], [b]) => (a < b ? -1 : 1))),
  { nil: undefined },
);
const shapes = fc.oneof(
  fc.record({
    type: fc.constant('file' as const),
    size: fc.maxSafeNat(),
    sha256: fc
      .uint8Array({ minLength: 32, maxLength: 32 })
      .map((b) => Buffer.from(b).toString('hex')),
  }),
  fc.record({
    type: fc.constant('file' as const),
    size: uint32,
    source: fc.oneof(
      fc.record({ kind: fc.constant('path' as const), root: fc.nat(), path: names }),
      fc.record({ kind: fc.constant('bytes' as const), bytes: fc.uint8Array() }),
      fc.record({ kind: fc.constant('range' as const), file: fc.nat(), offset: fc.maxSafeNat() }),
      fc.record({
        kind: fc.constant('sparse' as const),
        file: fc.nat(),
        offset: fc.maxSafeNat(),
        parts: fc.array(fc.tuple(fc.maxSafeNat(), fc.maxSafeNat())).map((pairs) => pairs.flat()),
      }),
    ),
  }),
  fc.record({ type: fc.constantFrom('symlink' as const, 'hardlink' as const), target: names }),
  fc.record({
    type: fc.constantFrom('character' as const, 'block' as const),
    major: uint32,
    minor: uint32,
  }),
  fc.constantFrom<Pick<Entry, 'type'>>(
    { type: 'fifo' },
    { type: 'whiteout' },
    { type: 'directory' },
  ),
  fc.constantFrom({ type: 'directory', opaque: true }, { type: 'directory', implied: true }),
);

const entries: fc.Arbitrary<Entry[]> = fc
  .uniqueArray(fc.tuple(names, metadata, xattrs, shapes), {
    selector: ([path]) => path,
    maxLength: 400,
    size: 'max',
  })
  .map((list) =>
    list
      .map(
        ([path, meta, pairs, shape]) =>
          ({ path, ...meta, ...(pairs && { xattrs: pairs }), ...shape }) as Entry,
      )
      .toSorted((a, b) => comparePaths(a.path, b.path)),
  );

/** fast-check makes objects without a prototype, the codec makes Buffers: the same in other clothes. */
function comparable(list: Iterable<Entry>): unknown[] {
  return Array.from(list, (entry) => {
    const source = entry.type === 'file' ? entry.source : undefined;
    if (source === undefined) return entry;
    const bytes = source.kind === 'bytes' ? { bytes: [...source.bytes] } : {};
    return { ...entry, source: { ...source, ...bytes } };
  });
}

describe('encodeIndex()', () => {
  it('loses nothing of any entry, whatever bytes its name has', () => {
    fc.assert(
      fc.property(entries, (list) => {
        const { bytes, entries: count, identity } = encodeIndex(list);
        const index = indexFromBytes(bytes);
        assert.equal(index.length, list.length);
        assert.equal(count, list.length);
        assert.equal(identity, identityOfEntries(list));
        assert.deepEqual(comparable(index.within('')), comparable(list));
        for (const entry of list) assert.equal(index.get(entry.path)?.path, entry.path);
      }),
      { numRuns: 40 },
    );
  }).timeout(120_000);

  it('rejects entries out of order, and a path given twice', () => {
    assert.throws(() => encodeIndex([file('b'), file('a')]), TypeError);
    assert.throws(() => encodeIndex([file('a'), file('a')]), TypeError);
  });

  it('identifies what is in a layer, and not when it was made', () => {
    const identity = (entry: Entry) => identityOfEntries([entry]);
    const one = file('a');
    assert.equal(identity(one), identity({ ...one, mtime: 0, mtimeNsec: 0 }));
    assert.equal(
      identity(one),
      identity({ ...one, source: { kind: 'range', file: 0, offset: 1 } }),
    );
    const others: Entry[] = [
      { ...one, mode: 0o600 },
      { ...one, uid: 1 },
      { ...one, gid: 1 },
      { ...one, xattrs: [['user.a', 'b']] },
      file('a', 'other'),
      file('b', 'a'),
      symlink('a', 'a'),
      hardlink('a', 'a'),
      whiteout('a'),
      directory('a'),
      directory('a', { opaque: true }),
    ];
    const identities = [one, ...others].map(identity);
    assert.equal(new Set(identities).size, identities.length);
    assert.equal(identity(directory('a', { implied: true })), identityOfEntries([]));
  });

  it('writes the golden index, which the helper reads and writes, too', () => {
    const { bytes } = encodeIndex(goldenEntries());
    assert.deepEqual(Buffer.from(bytes), goldenBytes());
  });

  it('reads back every type and every flag, over two blocks', () => {
    const entries = everyEntry();
    const index = indexFromBytes(encodeIndex(entries).bytes);
    assert.deepEqual([...index.within('')], entries);
  });
});

/** Every type and every flag once, names that are no UTF-8, numbers of every length, two blocks. */
function everyEntry(): Entry[] {
  const list: Entry[] = [
    directory('bin', { implied: true }),
    {
      ...file('bin/su', ''),
      mode: 0o4755,
      xattrs: [
        ['security.capability', '\x01\0\xff'],
        ['user.b', ''],
      ],
    },
    { ...symlink('bin/sh', '/usr/bin/d\xe4sh'), uid: 1000, gid: 4_294_967_294 },
    { ...hardlink('bin/sudo', 'bin/su'), mode: 0o4755 },
    { ...directory('dev', { opaque: true }), mtime: -1, mtimeNsec: 999_999_999 },
    { ...whiteout('gone'), type: 'character', path: 'dev/null', mode: 0o666, major: 1, minor: 3 },
    {
      ...whiteout('gone'),
      type: 'block',
      path: 'dev/sda',
      mode: 0o660,
      gid: 6,
      major: 8,
      minor: 1_048_575,
    },
    { ...whiteout('gone'), type: 'fifo', path: 'dev/tsbuild', mode: 0o600 },
    whiteout('gone'),
    { ...file('inline'), source: { kind: 'bytes', bytes: Buffer.from('inline') } },
    { ...file('path'), source: { kind: 'path', root: 1, path: 'a/\xff' } },
    { ...file('range'), size: 2 ** 40, source: { kind: 'range', file: 0, offset: 2 ** 33 + 512 } },
    ...Array.from({ length: 130 }, (_, i) => file(`z/${String(i).padStart(3, '0')}`)),
  ];
  return list.toSorted((a, b) => comparePaths(a.path, b.path));
}

describe('LayerIndex', () => {
  const many = Array.from({ length: 1000 }, (_, i) => file(`d/${String(i).padStart(4, '0')}`));
  const list = [directory('a'), file('a/x'), file('a-b'), directory('d'), ...many, file('e')];
  const index = indexFromBytes(encodeIndex(list).bytes);

  it('finds entries in every block, and nothing between them', () => {
    for (const entry of list) assert.deepEqual(index.get(entry.path), entry);
    for (const path of ['', '0', 'a/', 'a/w', 'a/xx', 'd/', 'd/00005', 'd/9', 'f']) {
      assert.equal(index.get(path), undefined);
    }
  });

  it('lists a directory with all that is below it, and nothing beside it', () => {
    for (const path of ['', 'a', 'd', 'd/0500', 'e', 'zzz', 'a/x']) {
      const expected = list.filter((entry) => isWithin(entry.path, path));
      assert.deepEqual([...index.within(path)], expected);
    }
  });

  it('is empty for an index of nothing', () => {
    const empty = indexFromBytes(encodeIndex([]).bytes);
    assert.equal(empty.get('a'), undefined);
    assert.deepEqual([...empty.within('')], []);
  });

  for (const length of [0, 10, 28, 1000]) {
    it(`rejects an index cut off after ${length} bytes`, () => {
      const { bytes } = encodeIndex(list);
      assert.throws(() => indexFromBytes(bytes.subarray(0, length)), { code: 'ERR_INDEX_INVALID' });
    });
  }
});
