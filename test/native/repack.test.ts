import assert from 'node:assert/strict';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync, gzipSync, zstdDecompressSync } from 'node:zlib';
import type { Compression } from '../../native/index.ts';
import { hasCode } from '../../src/errors.ts';
import { digestOf, signal, withHelper } from '../support/data-plane.ts';

const TAR = Buffer.from('not even a tar: any bytes will do '.repeat(100_000));
const UNPACK: Readonly<Record<Compression, (bytes: Buffer) => Buffer>> = {
  none: (bytes) => bytes,
  gzip: gunzipSync,
  zstd: zstdDecompressSync,
};

describe('repack', () => {
  for (const [compression, level] of [
    ['none', undefined],
    ['gzip', undefined],
    ['gzip', 1],
    ['gzip', 9],
    ['zstd', undefined],
    ['zstd', 19],
  ] as const) {
    it(`keeps the tar in ${compression}, level ${level ?? 'as usual'}`, async () => {
      await withHelper(async (helper, directory) => {
        const source = join(directory, 'blob.gz');
        await writeFile(source, gzipSync(TAR));
        const path = join(directory, 'packed');
        const diffID = digestOf(TAR);
        const { blob } = await helper.repack(
          { source, diffID, blob: { path, compression, level } },
          { signal },
        );
        const bytes = await readFile(path);
        assert.deepEqual(blob, { digest: digestOf(bytes), diffID, size: bytes.length });
        assert.equal(digestOf(UNPACK[compression](bytes)), diffID);
      });
    });
  }

  it('makes other bytes of another level, and fewer of a higher one', async () => {
    await withHelper(async (helper, directory) => {
      const source = join(directory, 'blob');
      const text = Buffer.from(Array.from({ length: 40_000 }, (_, i) => `${i * i},`).join(''));
      await writeFile(source, text);
      const sizeAt = async (level: number): Promise<number> => {
        const target = {
          path: join(directory, `at-${level}`),
          compression: 'gzip',
          level,
        } as const;
        const request = { source, diffID: digestOf(text), blob: target };
        return (await helper.repack(request, { signal })).blob.size;
      };
      const [stored, fast, best] = [await sizeAt(0), await sizeAt(1), await sizeAt(9)];
      assert.ok(stored > fast && fast > best, `${stored} ${fast} ${best}`);
    });
  });

  for (const [what, bytes, code] of [
    ['is another than expected', gzipSync('other'), 'ERR_DIGEST_MISMATCH'],
    ['is cut short', gzipSync(TAR).subarray(0, 200), 'ERR_LAYER_INVALID'],
  ] as const) {
    it(`rejects a blob that ${what}, and leaves no file`, async () => {
      await withHelper(async (helper, directory) => {
        const source = join(directory, 'blob');
        await writeFile(source, bytes);
        const blob = { path: join(directory, 'packed'), compression: 'zstd' } as const;
        await assert.rejects(
          helper.repack({ source, diffID: digestOf(TAR), blob }, { signal }),
          (error) => hasCode(error, code),
        );
        assert.deepEqual(await readdir(directory), ['blob']);
      });
    });
  }
});
