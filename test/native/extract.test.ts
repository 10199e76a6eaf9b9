import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { lstat, mkdir, readdir, readFile, readlink, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { type ErrorCode, hasCode } from '../../src/errors.ts';
import {
  itAsRoot,
  blobOf,
  digestOf,
  entriesOf,
  extracted,
  signal,
  withHelper,
} from '../support/data-plane.ts';
import { encodeIndex } from '../../src/tree/index-codec.ts';
import { padding, paxRecord, tar, type TarMember, tarMember } from '../support/tar.ts';

/** Extracts a blob that must be refused; what is left of it. */
async function refused(
  plain: Buffer,
  code: ErrorCode,
  change: { readonly packed?: Buffer; readonly digest?: string; readonly diffID?: string } = {},
): Promise<readonly string[]> {
  return await withHelper(async (helper, directory) => {
    const { packed, ...digests } = change;
    const blob = await blobOf(directory, plain, packed);
    const out = join(directory, 'out');
    await mkdir(out);
    await assert.rejects(
      helper.extract(
        {
          ...blob,
          ...digests,
          index: join(out, 'index'),
          directory: join(out, 'layer'),
          tar: join(out, 'tar'),
        },
        { signal },
      ),
      (error) => hasCode(error, code) || assert.fail(String(error)),
    );
    return await readdir(out);
  });
}

describe('extract', () => {
  it('takes apart what GNU tar packed, so that the directory is the same', async () => {
    await withHelper(async (helper, directory) => {
      const source = join(directory, 'source');
      const long = join(source, 'n'.repeat(120), 'm'.repeat(120));
      await mkdir(long, { recursive: true });
      await writeFile(join(long, 'file'), 'deep');
      await writeFile(join(source, 'big'), Buffer.alloc(3_000_000, 'tsbuild '));
      await writeFile(join(source, 'empty'), '');
      await symlink('../outside', join(source, 'link'));
      execFileSync('ln', [join(source, 'big'), join(source, 'a-hardlink')]);
      execFileSync('truncate', ['-s', '5M', join(source, 'sparse')]);
      await writeFile(join(source, 'sparse'), 'end', { flag: 'a' });
      for (const format of ['gnu', 'posix']) {
        const packed = join(directory, `${format}.tar`);
        execFileSync('tar', ['-C', source, `--format=${format}`, '--sparse', '-cf', packed, '.']);
        const blob = await blobOf(directory, await readFile(packed));
        const layer = join(directory, format);
        await helper.extract({ ...blob, index: `${packed}.index`, directory: layer }, { signal });
        execFileSync('diff', ['-r', '--no-dereference', source, layer]);
        assert.equal((await lstat(join(layer, 'big'))).nlink, 2);
        const entries = await entriesOf(`${packed}.index`);
        const linked = entries.filter(({ path }) => path === 'a-hardlink' || path === 'big');
        assert.deepEqual(
          linked.map(({ type }) => type),
          ['file', 'hardlink'],
        );
        const stat = await lstat(join(layer, 'sparse'));
        assert.ok(stat.blocks < 1000, 'its hole stays a hole');
      }
    });
  });

  for (const [name, pack] of [
    ['in several gzip members', (b: Buffer) => members(b)],
    ['with zstd', (b: Buffer) => zstdCompressSync(b)],
    ['not at all', (b: Buffer) => b],
    ['with gzip, padded with zeros', (b: Buffer) => Buffer.concat([gzipSync(b), Buffer.alloc(9)])],
  ] as const) {
    it(`reads a layer that is compressed ${name}`, async () => {
      await withHelper(async (helper, directory) => {
        const plain = tar([{ name: 'file', content: 'x'.repeat(700_000) }]);
        const blob = await blobOf(directory, plain, pack(plain));
        const index = join(directory, 'index');
        const copy = join(directory, 'copy');
        await helper.extract({ ...blob, index, tar: copy }, { signal });
        assert.deepEqual(await readFile(copy), plain);
        const [entry] = await entriesOf(index);
        assert.deepEqual(entry?.type === 'file' && entry.source, {
          kind: 'range',
          file: 0,
          offset: 512,
        });
      });
    });
  }

  itAsRoot('applies whiteouts, opaque marks and duplicates in the way of overlayfs', async () => {
    await withHelper(async (helper, directory) => {
      const entries = await extracted(helper, directory, [
        { name: './', type: '5', mode: 0o700 },
        { name: 'dir/.wh..wh..opq' },
        { name: 'dir/kept', content: 'kept' },
        { name: '.wh.gone' },
        { name: '.wh..wh.aufs' },
        { name: '.wh.again' },
        { name: 'again/file', content: 'x' },
        { name: 'twice', content: 'first' },
        { name: 'twice', content: 'second' },
        { name: 'tree/below', content: 'x' },
        { name: 'tree', content: 'a file now' },
      ]);
      const layer = join(directory, 'layer');
      const summary = entries.map((entry) => [
        entry.path,
        entry.type,
        entry.type === 'directory' ? [entry.opaque === true, entry.implied === true] : [],
      ]);
      assert.deepEqual(summary, [
        ['again', 'directory', [true, true]],
        ['again/file', 'file', []],
        ['dir', 'directory', [true, true]],
        ['dir/kept', 'file', []],
        ['gone', 'whiteout', []],
        ['tree', 'file', []],
        ['twice', 'file', []],
      ]);
      assert.equal(await readFile(join(layer, 'twice'), 'utf8'), 'second');
      assert.equal(await readFile(join(layer, 'tree'), 'utf8'), 'a file now');
      assert.equal((await lstat(join(layer, 'gone'))).isCharacterDevice(), true);
      assert.deepEqual(
        ['again', 'dir'].map((name) =>
          execFileSync(
            'getfattr',
            ['--only-values', '-n', 'user.overlay.opaque', join(layer, name)],
            {
              encoding: 'utf8',
            },
          ),
        ),
        ['y', 'y'],
      );
    });
  });

  itAsRoot(
    'takes an opaque root for what it says of the layers below, and composes it again',
    async () => {
      await withHelper(async (helper, directory) => {
        const entries = await extracted(helper, directory, [
          { name: './', type: '5' },
          { name: 'dir/sub/file', content: 'kept' },
          { name: './.wh..wh..opq' },
        ]);
        const root = { path: '', type: 'directory', opaque: true, implied: true };
        const { path, type, opaque, implied } =
          entries[0]?.type === 'directory' ? entries[0] : root;
        assert.deepEqual({ path, type, opaque, implied }, root);
        assert.deepEqual(
          entries.map((entry) => entry.path),
          ['', 'dir', 'dir/sub', 'dir/sub/file'],
        );
        const layer = join(directory, 'layer');
        assert.equal(await readFile(join(layer, 'dir/sub/file'), 'utf8'), 'kept');
        assert.equal(
          execFileSync('getfattr', ['--only-values', '-n', 'user.overlay.opaque', layer], {
            encoding: 'utf8',
          }),
          'y',
        );
        const list = join(directory, 'list');
        await writeFile(list, encodeIndex(entries.filter((entry) => entry.type !== 'file')).bytes);
        const blob = { path: join(directory, 'composed'), compression: 'none' } as const;
        const copy = join(directory, 'copy');
        await helper.compose({ list, roots: [], files: [], blob, directory: copy }, { signal });
        const names = execFileSync('tar', ['--list', '--file', blob.path], { encoding: 'utf8' });
        assert.equal(names, '.wh..wh..opq\n');
      });
    },
  );

  itAsRoot('sets owners, suid bits, devices, attributes and times', async () => {
    await withHelper(async (helper, directory) => {
      const capability = '\u0001\u0000\u0000\u0002\u0000\u0020\u0000\u0000'.padEnd(20, '\u0000');
      const entries = await extracted(helper, directory, [
        { name: 'd/', type: '5', mode: 0o1777, mtime: 1_000_000 },
        { name: 'd/suid', content: 'x', mode: 0o4755, uid: 1234, mtime: 2_000_000 },
        { name: 'null', type: '3', device: [1, 3], mode: 0o666 },
        { name: 'fifo', type: '6' },
        {
          name: 'ping',
          content: 'x',
          mode: 0o755,
          pax: {
            'SCHILY.xattr.security.capability': capability,
            'SCHILY.xattr.user.binary': '\u0000\u00ff\n=',
            'SCHILY.xattr.user.overlay.opaque': 'y',
            'SCHILY.xattr.security.selinux': 'label',
            mtime: '3.25',
          },
        },
      ]);
      const layer = join(directory, 'layer');
      const suid = await lstat(join(layer, 'd/suid'));
      assert.deepEqual([suid.mode & 0o7777, suid.uid, suid.mtimeMs], [0o4755, 1234, 2e9]);
      const d = await lstat(join(layer, 'd'));
      assert.deepEqual([d.mode & 0o7777, d.mtimeMs], [0o1777, 1e9]);
      const device = await lstat(join(layer, 'null'));
      assert.deepEqual([device.isCharacterDevice(), device.rdev], [true, (1 << 8) | 3]);
      const dump = execFileSync('getfattr', ['-d', '-m', '-', '-e', 'hex', join(layer, 'ping')]);
      assert.match(dump.toString(), /user\.binary=0x00ff0a3d/);
      assert.match(dump.toString(), /security\.capability=0x0100000200200000/);
      assert.doesNotMatch(dump.toString(), /overlay|selinux/);
      const ping = entries.find(({ path }) => path === 'ping');
      assert.deepEqual([ping?.mtime, ping?.mtimeNsec], [3, 250_000_000]);
      assert.deepEqual(ping?.xattrs, [
        ['security.capability', capability],
        ['user.binary', '\u0000\u00ff\n='],
      ]);
    });
  });

  it('reads global PAX headers, base-256 numbers and names of any length', async () => {
    await withHelper(async (helper, directory) => {
      const name = `${'x'.repeat(200)}/${'y'.repeat(200)}`;
      const global = tarMember({ name: 'g', type: 'g', content: paxRecord('mtime', '77.5') });
      const long: TarMember = { name: 'short', content: 'x', pax: { path: name } };
      const numbered = tarMember({ name: 'numbered', content: '' });
      // uid 2^31 in the binary form.
      numbered.set([0x80, 0, 0, 0, 0x80, 0, 0, 0], 108);
      checksum(numbered);
      const plain = Buffer.concat([global, tarMember(long), numbered, Buffer.alloc(1024)]);
      const blob = await blobOf(directory, plain);
      const index = join(directory, 'index');
      await helper.extract({ ...blob, index }, { signal });
      const entries = await entriesOf(index);
      const found = entries.map(({ path, uid, mtime, mtimeNsec }) => [path, uid, mtime, mtimeNsec]);
      assert.deepEqual(found, [
        ['numbered', 2 ** 31, 77, 500_000_000],
        ['x'.repeat(200), 0, 0, 0],
        [name, 0, 77, 500_000_000],
      ]);
    });
  });

  it('makes absolute names relative', async () => {
    await withHelper(async (helper, directory) => {
      const entries = await extracted(helper, directory, [{ name: '/./a//b', content: 'x' }]);
      assert.deepEqual(
        entries.map(({ path }) => path),
        ['a', 'a/b'],
      );
      assert.equal(await readFile(join(directory, 'layer/a/b'), 'utf8'), 'x');
    });
  });

  const outside: Readonly<Record<string, readonly TarMember[]>> = {
    'a name with ".."': [{ name: 'a/../../b', content: 'x' }],
    'a hardlink with ".."': [{ name: 'a', type: '1', link: '../../etc/passwd' }],
    'a file through a symlink': [
      { name: 'link', type: '2', link: '/etc' },
      { name: 'link/tsbuild', content: 'x' },
    ],
    'a directory through a symlink': [
      { name: 'link', type: '2', link: '..' },
      { name: 'link/sub/', type: '5' },
    ],
    'a hardlink to something through a symlink': [
      { name: 'link', type: '2', link: '/etc' },
      { name: 'hard', type: '1', link: 'link/passwd' },
    ],
    'a whiteout of ".."': [{ name: 'a/.wh...' }],
    'a file below a file': [
      { name: 'file', content: 'x' },
      { name: 'file/below', content: 'x' },
    ],
  };
  for (const [what, members] of Object.entries(outside)) {
    it(`rejects ${what} with ERR_LAYER_UNSAFE_PATH, and leaves nothing`, async () => {
      assert.deepEqual(await refused(tar(members), 'ERR_LAYER_UNSAFE_PATH'), []);
    });
  }

  it('replaces a symlink of the layer instead of writing through it', async () => {
    await withHelper(async (helper, directory) => {
      const victim = join(directory, 'victim');
      await writeFile(victim, 'untouched');
      await extracted(helper, directory, [
        { name: 'a', type: '2', link: victim },
        { name: 'a', content: 'a file' },
        { name: 'b', type: '2', link: victim },
      ]);
      assert.equal(await readFile(victim, 'utf8'), 'untouched');
      assert.equal(await readFile(join(directory, 'layer/a'), 'utf8'), 'a file');
      assert.equal(await readlink(join(directory, 'layer/b')), victim);
    });
  });

  const good = tar([{ name: 'file', content: 'y'.repeat(300_000) }]);
  const damaged: Readonly<Record<string, readonly [Buffer, Buffer?]>> = {
    'a tar that is cut off': [good.subarray(0, 200_000)],
    'a wrong checksum': [Buffer.concat([Buffer.alloc(512, 'x'), good])],
    'a gzip that is cut off': [good, gzipSync(good).subarray(0, 100)],
    'garbage after the gzip': [good, Buffer.concat([gzipSync(good), Buffer.from('garbage')])],
    'a size that is negative': [tar([{ name: 'a', pax: { size: '-1' } }])],
    'a size beyond the end': [tar([{ name: 'a', content: 'x', pax: { size: '9000000000000' } }])],
    'a PAX header that is too long': [
      Buffer.concat([tarMember({ name: 'p', type: 'x', size: 2 ** 30 }), padding(1)]),
    ],
    'a hardlink to a directory': [
      tar([
        { name: 'd/', type: '5' },
        { name: 'a', type: '1', link: 'd' },
      ]),
    ],
    'a hardlink to nothing': [tar([{ name: 'a', type: '1', link: 'missing' }])],
  };
  for (const [what, [plain, packed]] of Object.entries(damaged)) {
    it(`rejects ${what}, and leaves nothing`, async () => {
      const change = packed === undefined ? {} : { packed };
      assert.deepEqual(await refused(plain, 'ERR_LAYER_INVALID', change), []);
    });
  }

  const other = digestOf(Buffer.from('other'));
  for (const [what, change] of [
    ['whose digest is another', { digest: other }],
    ['whose diffID is another', { diffID: other }],
    [
      'that is damaged and has another digest',
      { digest: other, packed: gzipSync(good).subarray(0, 99) },
    ],
  ] as const) {
    it(`rejects a blob ${what} with ERR_DIGEST_MISMATCH, and leaves nothing`, async () => {
      assert.deepEqual(await refused(good, 'ERR_DIGEST_MISMATCH', change), []);
    });
  }

  it('ends when it is aborted, with the reason, and leaves nothing', async () => {
    await withHelper(async (helper, directory) => {
      const members = Array.from({ length: 200 }, (_, i) => ({
        name: `f${i}`,
        content: Buffer.alloc(1 << 20, String(i)),
      }));
      const blob = await blobOf(directory, tar(members));
      const out = join(directory, 'out');
      await mkdir(out);
      const controller = new AbortController();
      const reason = new Error('enough');
      const request = { ...blob, index: join(out, 'index'), directory: join(out, 'layer') };
      const extracting = helper.extract(request, { signal: controller.signal });
      setTimeout(() => controller.abort(reason), 20);
      await assert.rejects(extracting, (error) => error === reason);
      assert.deepEqual(await readdir(out), []);
    });
  });
});

/** Cuts bytes into gzip members. */
function members(bytes: Buffer): Buffer {
  const half = bytes.length >> 1;
  return Buffer.concat([gzipSync(bytes.subarray(0, half)), gzipSync(bytes.subarray(half))]);
}

function checksum(block: Buffer): void {
  block.fill(' ', 148, 156);
  const sum = block.subarray(0, 512).reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\u0000`, 148, 'latin1');
}
