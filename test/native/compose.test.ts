import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmod, lstat, mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import { openHelper } from '../../native/index.ts';
import { hasCode } from '../../src/errors.ts';
import type { Entry } from '../../src/tree/entry.ts';
import {
  itAsRoot,
  digestOf,
  inlineFile,
  metadata,
  signal,
  withHelper,
  writeList,
} from '../support/data-plane.ts';
import { HELPER } from '../support/sandbox.ts';

const EMPTY_LAYER = 'sha256:5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef';

/** What python's tarfile, an independent reader, makes of an archive. */
const LIST = `
import json, sys, tarfile
out = []
for m in tarfile.open(sys.argv[1], encoding='latin1'):
    text = m.isfile() and tarfile.open(sys.argv[1]).extractfile(m.name).read(64).decode('latin1')
    out.append([m.name, m.type.decode(), m.mode, m.uid, m.mtime, m.linkname, m.pax_headers, text or ''])
print(json.dumps(out))`;

type Listed = [
  name: string,
  type: string,
  mode: number,
  uid: number,
  mtime: number,
  link: string,
  pax: Record<string, string>,
  text: string,
];

function listTar(path: string): Listed[] {
  return JSON.parse(execFileSync('python3', ['-c', LIST, path], { encoding: 'utf8' })) as Listed[];
}

/** Something for several compressed blocks, that compresses neither well nor badly. */
function noise(length: number): Buffer {
  const bytes = Buffer.alloc(length);
  let state = 1;
  for (let i = 0; i < length; i++) {
    state = (state * 1_103_515_245 + 12_345) & 0x7fffffff;
    bytes[i] = (state >> 16) & 0x1f;
  }
  return bytes;
}

describe('compose', () => {
  it('makes the empty layer of 1024 zeros from an empty list', async () => {
    await withHelper(async (helper, directory) => {
      const list = await writeList(join(directory, 'list'), []);
      const blob = { path: join(directory, 'blob'), compression: 'none' } as const;
      const reply = await helper.compose({ list, roots: [], files: [], blob }, { signal });
      assert.deepEqual(reply.blob, { digest: EMPTY_LAYER, diffID: EMPTY_LAYER, size: 1024 });
      assert.deepEqual(await readFile(blob.path), Buffer.alloc(1024));
    });
  });

  it('writes a tar that python reads, every kind of entry as it was listed', async () => {
    await withHelper(async (helper, directory) => {
      const deep = `${'d'.repeat(90)}/${'e'.repeat(90)}`;
      const long = 'l'.repeat(150);
      const entries: Entry[] = [
        { ...metadata('a', 0o755), type: 'directory', opaque: true },
        inlineFile('a/file', 'text', 0o4755),
        { ...metadata('a/hard', 0o4755), type: 'hardlink', target: 'a/file' },
        { ...metadata('a/gone', 0), mtime: 0, type: 'whiteout' },
        { ...metadata('c'), type: 'character', major: 1, minor: 3 },
        { ...metadata(deep), type: 'symlink', target: 't'.repeat(120) },
        { ...inlineFile('ids', ''), uid: 3_000_000 },
        { ...inlineFile(long, 'x'), mtime: -2, mtimeNsec: 500_000_000 },
        { ...inlineFile('xattr', ''), xattrs: [['user.a', '\u0001\u0000=\n\u00ff']] },
      ];
      entries.sort((x, y) => Buffer.compare(sortKey(x.path), sortKey(y.path)));
      const list = await writeList(join(directory, 'list'), entries);
      const blob = { path: join(directory, 'blob'), compression: 'none' } as const;
      await helper.compose({ list, roots: [], files: [], blob }, { signal });
      const listed = listTar(blob.path);
      const time = 1_700_000_000;
      const expected: Listed[] = [
        ['a', '5', 0o755, 0, time, '', {}, ''],
        ['a/.wh..wh..opq', '0', 0, 0, 0, '', {}, ''],
        ['a/file', '0', 0o4755, 0, time, '', {}, 'text'],
        ['a/.wh.gone', '0', 0, 0, 0, '', {}, ''],
        ['a/hard', '1', 0o4755, 0, time, 'a/file', {}, ''],
        ['c', '3', 0o644, 0, time, '', {}, ''],
        [deep, '2', 0o644, 0, time, 't'.repeat(120), { linkpath: 't'.repeat(120) }, ''],
        ['ids', '0', 0o644, 3_000_000, time, '', { uid: '3000000' }, ''],
        [long, '0', 0o644, 0, -1.5, '', { path: long, mtime: '-1.5' }, 'x'],
      ];
      assert.deepEqual(
        listed.filter(([name]) => name !== 'xattr'),
        expected,
      );
      const raw = await readFile(blob.path);
      assert.ok(raw.includes(Buffer.from('SCHILY.xattr.user.a=\u0001\u0000=\n\u00ff\n', 'latin1')));
    });
  });

  it('makes the same bytes on one core as on all, for every compression', async () => {
    await withHelper(async (helper, directory) => {
      const wrapper = join(directory, 'one-core');
      await writeFile(wrapper, `#!/bin/sh\nexec taskset -c 0 "${HELPER}" "$@"\n`);
      await chmod(wrapper, 0o755);
      await writeFile(join(directory, 'big'), noise(9 << 20));
      const source = { kind: 'path', root: 0, path: 'big' } as const;
      const list = await writeList(join(directory, 'list'), [
        { ...metadata('big'), type: 'file', size: 9 << 20, source },
      ]);
      const request = (name: string, compression: 'gzip' | 'zstd') => ({
        list,
        roots: [directory],
        files: [],
        blob: { path: join(directory, name), compression },
      });
      const slow = await openHelper({ mode: 'plain', binary: wrapper });
      try {
        for (const compression of ['gzip', 'zstd'] as const) {
          const one = await slow.compose(request('one', compression), { signal });
          const all = await helper.compose(request('all', compression), { signal });
          assert.deepEqual(one, all);
          const bytes = await readFile(join(directory, 'all'));
          const plain = compression === 'gzip' ? gunzipSync(bytes) : zstdDecompressSync(bytes);
          assert.deepEqual(
            [digestOf(bytes), digestOf(plain), bytes.length],
            [all.blob?.digest, all.blob?.diffID, all.blob?.size],
          );
        }
      } finally {
        await slow.close();
      }
    });
  });

  it('takes bytes from files below a root and from ranges of files', async () => {
    await withHelper(async (helper, directory) => {
      await mkdir(join(directory, 'root/sub'), { recursive: true });
      await writeFile(join(directory, 'root/sub/file'), 'from a root');
      await writeFile(join(directory, 'archive'), 'xxfrom a rangexx');
      const list = await writeList(join(directory, 'list'), [
        {
          ...metadata('path'),
          type: 'file',
          size: 11,
          source: { kind: 'path', root: 0, path: 'sub/file' },
        },
        {
          ...metadata('range'),
          type: 'file',
          size: 12,
          source: { kind: 'range', file: 0, offset: 2 },
        },
      ]);
      const layer = join(directory, 'layer');
      const places = { roots: [join(directory, 'root')], files: [join(directory, 'archive')] };
      await helper.compose({ list, ...places, directory: layer }, { signal });
      assert.equal(await readFile(join(layer, 'path'), 'utf8'), 'from a root');
      assert.equal(await readFile(join(layer, 'range'), 'utf8'), 'from a range');
    });
  });

  for (const [what, change] of [
    ['grew', (path: string) => writeFile(path, 'longer than before')],
    ['has other bytes', (path: string) => writeFile(path, 'othe')],
    ['became a symlink', (path: string) => rmAndLink(path)],
  ] as const) {
    it(`rejects with ERR_CONTEXT_CHANGED when a file ${what}, and leaves nothing`, async () => {
      await withHelper(async (helper, directory) => {
        const root = join(directory, 'root');
        await mkdir(root);
        await writeFile(join(root, 'file'), 'text');
        const source = { kind: 'path', root: 0, path: 'file' } as const;
        const sha256 = digestOf(Buffer.from('text')).slice(7);
        const list = await writeList(join(directory, 'list'), [
          { ...metadata('file'), type: 'file', size: 4, sha256, source },
        ]);
        await change(join(root, 'file'));
        const out = join(directory, 'out');
        await mkdir(out);
        await assert.rejects(
          helper.compose(
            {
              list,
              roots: [root],
              files: [],
              index: join(out, 'index'),
              directory: join(out, 'layer'),
              blob: { path: join(out, 'blob'), compression: 'gzip' },
            },
            { signal },
          ),
          (error) => hasCode(error, 'ERR_CONTEXT_CHANGED'),
        );
        assert.deepEqual(await readdir(out), []);
      });
    });
  }

  it('refuses a list whose paths lead out of the root, and leaves nothing', async () => {
    await withHelper(async (helper, directory) => {
      for (const path of ['../escaped', 'a/../../escaped', '/escaped', './a', 'a//b']) {
        const list = await writeList(join(directory, 'list'), [inlineFile(path, 'x')]);
        const composing = helper.compose(
          { list, roots: [], files: [], directory: join(directory, 'layer') },
          { signal },
        );
        await assert.rejects(composing, (error) => hasCode(error, 'ERR_INDEX_INVALID'));
        assert.deepEqual(await readdir(directory), ['list']);
      }
    });
  });

  it('ends when it is aborted, with the reason, and leaves nothing', async () => {
    await withHelper(async (helper, directory) => {
      await writeFile(join(directory, 'big'), Buffer.alloc(64 << 20, 'tsbuild'));
      const entries = Array.from({ length: 20 }, (_, i): Entry => {
        const source = { kind: 'path', root: 0, path: 'big' } as const;
        return {
          ...metadata(`file-${String(i).padStart(2, '0')}`),
          type: 'file',
          size: 64 << 20,
          source,
        };
      });
      const list = await writeList(join(directory, 'list'), entries);
      const out = join(directory, 'out');
      await mkdir(out);
      const controller = new AbortController();
      const reason = new Error('enough');
      const composing = helper.compose(
        {
          list,
          roots: [directory],
          files: [],
          index: join(out, 'index'),
          directory: join(out, 'layer'),
          blob: { path: join(out, 'blob'), compression: 'gzip' },
        },
        { signal: controller.signal },
      );
      setTimeout(() => controller.abort(reason), 30);
      await assert.rejects(composing, (error) => error === reason);
      assert.deepEqual(await readdir(out), []);
    });
  });

  itAsRoot(
    'fills a directory: modes after owners, times of directories too, whiteouts and opaque marks',
    async () => {
      await withHelper(async (helper, directory) => {
        const list = await writeList(join(directory, 'list'), [
          { ...metadata('d', 0o2555), uid: 5, type: 'directory', opaque: true },
          { ...metadata('d/gone', 0), mtime: 0, type: 'whiteout' },
          { ...inlineFile('d/suid', 'x', 0o4711), uid: 7, gid: 8, mtimeNsec: 123_456_789 },
        ]);
        const layer = join(directory, 'layer');
        await helper.compose({ list, roots: [], files: [], directory: layer }, { signal });
        const d = await lstat(join(layer, 'd'));
        const suid = await lstat(join(layer, 'd/suid'), { bigint: true });
        const gone = await lstat(join(layer, 'd/gone'));
        assert.deepEqual([d.mode & 0o7777, d.uid, d.mtimeMs], [0o2555, 5, 1_700_000_000_000]);
        assert.deepEqual([suid.mode & 0o7777n, suid.uid, suid.gid], [0o4711n, 7n, 8n]);
        assert.equal(suid.mtimeNs, 1_700_000_000_123_456_789n);
        assert.deepEqual([gone.isCharacterDevice(), gone.rdev], [true, 0]);
        assert.equal(attribute(join(layer, 'd'), 'user.overlay.opaque'), 'y');
      });
    },
  );
});

/** What the order of an index compares: `/` is lower than any other byte. */
function sortKey(path: string): Buffer {
  return Buffer.from(path.replaceAll('/', '\u0000'), 'latin1');
}

async function rmAndLink(path: string): Promise<void> {
  await writeFile(`${path}.target`, 'text');
  execFileSync('rm', [path]);
  await symlink(`${path}.target`, path);
}

function attribute(path: string, name: string): string {
  return execFileSync('getfattr', ['--only-values', '-n', name, path], { encoding: 'utf8' });
}
