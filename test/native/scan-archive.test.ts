import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { entriesOf, signal, withHelper } from '../support/data-plane.ts';
import { tar } from '../support/tar.ts';

describe('scan of an archive', () => {
  const plain = tar([
    { name: './dir/file', content: 'first' },
    { name: 'dir/.wh.file', content: 'no whiteout' },
    { name: 'dir/file', content: 'second' },
    { name: 'a', type: '1', link: 'dir/file' },
  ]);
  const through = (command: string) => (bytes: Buffer) =>
    execFileSync(command, ['-c'], { input: bytes });
  const packers: Readonly<Record<string, (bytes: Buffer) => Buffer>> = {
    gzip: (bytes) => gzipSync(bytes),
    zstd: (bytes) => zstdCompressSync(bytes),
    bzip2: through('bzip2'),
    xz: through('xz'),
  };
  for (const [format, pack] of Object.entries(packers)) {
    it(`unpacks ${format}, so that its members can be composed (AD-2)`, async () => {
      await withHelper(async (helper, directory) => {
        const [path, index] = [join(directory, 'archive'), join(directory, 'index')];
        const unpacked = join(directory, 'tar');
        await writeFile(path, pack(plain));
        const source = { kind: 'archive', path, format: 'files', tar: unpacked } as const;
        const reply = await helper.scan({ source, index }, { signal });
        assert.deepEqual([reply.archive, reply.unpacked], [true, true]);
        assert.deepEqual(
          (await entriesOf(index)).map((entry) => entry.path),
          ['a', 'dir', 'dir/.wh.file', 'dir/file'],
        );
        const layer = join(directory, 'layer');
        const request = { list: index, roots: [], files: [unpacked], directory: layer };
        await helper.compose(request, { signal });
        assert.equal(await readFile(join(layer, 'a'), 'utf8'), 'second');
      });
    });
  }

  it('leaves a plain tar where it is', async () => {
    await withHelper(async (helper, directory) => {
      const [path, index] = [join(directory, 'archive'), join(directory, 'index')];
      await writeFile(path, plain);
      const source = {
        kind: 'archive',
        path,
        format: 'files',
        tar: join(directory, 'tar'),
      } as const;
      const reply = await helper.scan({ source, index }, { signal });
      assert.deepEqual([reply.archive, reply.unpacked], [true, false]);
      assert.deepEqual((await readdir(directory)).sort(), ['archive', 'index']);
    });
  });

  it('takes zeros for a layer without entries', async () => {
    await withHelper(async (helper, directory) => {
      const [path, index] = [join(directory, 'archive'), join(directory, 'index')];
      await writeFile(path, Buffer.alloc(1024));
      const source = { kind: 'archive', path, format: 'layer' } as const;
      const reply = await helper.scan({ source, index }, { signal });
      assert.equal(reply.archive, true);
      assert.deepEqual(await entriesOf(index), []);
    });
  });

  for (const [what, bytes] of [
    ['an empty file', Buffer.alloc(0)],
    ['a text', Buffer.from('text '.repeat(500))],
    ['a compressed text', gzipSync('text')],
    ['a damaged gzip', gzipSync(plain).subarray(0, 20)],
    ['zeros', Buffer.alloc(2048)],
  ] as const) {
    it(`says that ${what} is no archive, and writes nothing`, async () => {
      await withHelper(async (helper, directory) => {
        const path = join(directory, 'archive');
        await writeFile(path, bytes);
        const source = {
          kind: 'archive',
          path,
          format: 'files',
          tar: join(directory, 'tar'),
        } as const;
        const reply = await helper.scan({ source, index: join(directory, 'index') }, { signal });
        assert.equal(reply.archive, false);
        assert.deepEqual(await readdir(directory), ['archive']);
      });
    });
  }
});
