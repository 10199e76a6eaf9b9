import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { hasCode } from '../../src/errors.ts';
import type { Entry } from '../../src/tree/entry.ts';
import { encodeIndex } from '../../src/tree/index-codec.ts';
import { indexFromBytes } from '../../src/tree/layer-index.ts';
import { inlineFile, metadata, signal, withHelper, writeList } from '../support/data-plane.ts';
import { goldenBytes, goldenEntries } from '../support/golden-index.ts';

/** What compose keeps of an entry: no source. */
function withoutSource(entry: Entry): Entry {
  if (entry.type !== 'file') return entry;
  const { source: _, ...rest } = entry;
  return rest;
}

describe('the index format', () => {
  it('is encoded by TypeScript as in the golden file', () => {
    assert.equal(
      Buffer.from(encodeIndex(goldenEntries()).bytes).toString('hex'),
      goldenBytes().toString('hex'),
    );
  });

  it('is decoded by TypeScript as in the golden file', () => {
    const plain = (entries: Iterable<Entry>) =>
      [...entries].map((entry) => JSON.parse(JSON.stringify(entry)) as unknown);
    assert.deepEqual(plain(indexFromBytes(goldenBytes()).within('')), plain(goldenEntries()));
  });

  it('comes out of the helper as TypeScript encodes it, with the same identity', async () => {
    await withHelper(async (helper, directory) => {
      // What compose can have the bytes of.
      const entries = goldenEntries().filter(
        (entry) => entry.type !== 'file' || entry.source?.kind === 'bytes' || entry.size === 0,
      );
      const list = await writeList(join(directory, 'list'), entries);
      const index = join(directory, 'index');
      const reply = await helper.compose({ list, roots: [], files: [], index }, { signal });
      const expected = encodeIndex(entries.map(withoutSource));
      assert.deepEqual(await readFile(index), Buffer.from(expected.bytes));
      assert.equal(reply.index.identity, expected.identity);
      assert.deepEqual([reply.index.entries, reply.index.size], [entries.length, 6]);
    });
  });

  it('has blocks: a list of many entries comes out as TypeScript encodes it', async () => {
    await withHelper(async (helper, directory) => {
      const names = Array.from(
        { length: 1000 },
        (_, i) => `directory/file-${String(i).padStart(5, '0')}`,
      );
      const empty = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';
      const entries: Entry[] = names.map((path) => ({
        ...metadata(path),
        type: 'file',
        size: 0,
        sha256: empty,
      }));
      const list = await writeList(join(directory, 'list'), entries);
      const index = join(directory, 'index');
      await helper.compose({ list, roots: [], files: [], index }, { signal });
      assert.deepEqual(await readFile(index), await readFile(list));
    });
  });

  it('is refused when it is cut off, by ERR_INDEX_INVALID', async () => {
    await withHelper(async (helper, directory) => {
      const list = await writeList(join(directory, 'list'), [inlineFile('a', 'text')]);
      const bytes = await readFile(list);
      for (const length of [0, 10, bytes.length - 1]) {
        await writeFile(list, bytes.subarray(0, length));
        await assert.rejects(helper.compose({ list, roots: [], files: [] }, { signal }), (error) =>
          hasCode(error, 'ERR_INDEX_INVALID'),
        );
      }
    });
  });
});
