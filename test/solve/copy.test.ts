import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { chown, link, lstat, mkdir, open, readFile, rm, symlink, utimes } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { hasCode } from '../../src/errors.ts';
import { copyRunner } from '../../src/solve/copy.ts';
import { itUnless } from '../support/missing.ts';
import { whyNot } from '../support/run-fixture.ts';
import { tar } from '../support/tar.ts';
import { withDirectory } from '../support/temporary.ts';
import { lines, NOW } from './copying.ts';
import {
  BLOB,
  copyStep,
  DIRECTORY,
  entriesOf,
  execute,
  PLAIN,
  textOf,
  withSteps,
} from './step-fixture.ts';

const itAsRoot = itUnless(whyNot('root'));

describe('copyRunner()', () => {
  it('copies files of the context, which belong to root whoever owns them (CP-12)', async () => {
    await withSteps(async ({ context, write }) => {
      await write({ 'a/x': 'one', 'a/y': 'two' });
      const { layer, cached } = await execute(context, copyStep(['a'], '/app'), {});
      assert.equal(cached, false);
      assert.deepEqual(lines(await entriesOf(context, layer)), [
        'directory 755 0:0 app',
        'file 644 0:0 app/x',
        'file 644 0:0 app/y',
      ]);
      assert.equal(await textOf(context, [layer], 'app/y'), 'two');
    });
  });

  it('composes equal content once, whatever its times', async () => {
    await withSteps(async ({ context, write }) => {
      await write({ one: 'same', two: 'same' });
      const first = await execute(context, copyStep(['one'], '/x'), {});
      const again = await execute(context, copyStep(['two'], '/x'), {});
      assert.equal(again.layer.id, first.layer.id);
      assert.deepEqual([first.cached, again.cached], [false, true]);
    });
  });

  it('dates new directories by the epoch, whatever the store has from a build without it', async () => {
    await withSteps(async ({ context, write }) => {
      await write({ x: 'text' });
      const step = copyStep(['x'], '/new/directory/');
      const before = await execute(context, step, {});
      const epoch = 1_600_000_000;
      const dated = { ...context, now: epoch, epoch };
      const { layer, cached } = await execute(dated, step, {});
      assert.equal(cached, false);
      assert.notEqual(layer.id, before.layer.id);
      const [directory] = await entriesOf(context, layer);
      assert.equal(directory?.mtime, epoch);
      assert.equal((await execute(dated, step, {})).layer.id, layer.id);
    });
  });

  it('has the times of an archive’s members when there is an epoch, whatever the store has (CP-21)', async () => {
    await withDirectory(async (store) => {
      for (const mtime of [5, 6]) {
        await withSteps(
          async ({ context, write }) => {
            await write({ x: tar([{ name: 'member', content: 'x', mtime }]) });
            const dated = { ...context, now: 9, epoch: 9 };
            const { layer } = await execute(dated, copyStep(['x'], '/', { add: true }), {});
            const [member] = await entriesOf(dated, layer);
            assert.equal(member?.mtime, mtime);
          },
          { store: join(store, 'store') },
        );
      }
    });
  });

  it('composes again what is no longer in the store', async () => {
    await withSteps(async ({ context, write }) => {
      await write({ one: 'content' });
      const step = copyStep(['one'], '/x');
      const first = await execute(context, step, {});
      await rm(join(context.store.path, 'blobs', 'sha256'), { recursive: true });
      await mkdir(join(context.store.path, 'blobs', 'sha256'));
      const again = await execute(context, step, {});
      assert.equal(again.cached, false);
      assert.equal(again.layer.id, first.layer.id);
    });
  });

  it('copies from a stage that is only a blob, and never unpacks it', async () => {
    await withSteps(async ({ context, session, stage, write }) => {
      await write({ 'a/x': 'content' });
      const lower = await execute(context, copyStep(['a'], '/s', { chown: '3:4' }), {
        wanted: BLOB,
      });
      const origin = stage([lower.layer]);
      const { layer } = await execute(context, copyStep(['/s/x'], '/y', { origin }), {});
      assert.deepEqual(lines(await entriesOf(context, layer)), ['file 644 3:4 y']);
      assert.equal(await textOf(context, [layer], 'y'), 'content');
      assert.equal(session.helpers.hasSandbox, false);
    });
  });

  itAsRoot('copies from a stage that is a directory', async () => {
    await withSteps(async ({ context, stage, write }) => {
      await write({ 'a/x': 'content' });
      const step = copyStep(['a'], '/s', { chown: '3:4' });
      const lower = await execute(context, step, { wanted: DIRECTORY });
      const origin = stage([lower.layer]);
      const { layer } = await execute(context, copyStep(['/s'], '/t', { origin }), {});
      assert.deepEqual(lines(await entriesOf(context, layer)), [
        'directory 755 0:0 t',
        'file 644 3:4 t/x',
      ]);
      assert.equal(await textOf(context, [layer], 't/x'), 'content');
    });
  });

  itAsRoot('makes a directory for a RUN, with owners, modes and times', async () => {
    await withSteps(async ({ context, write }) => {
      await write({ 'a/x': 'content' });
      const step = copyStep(['a'], '/s', {
        chown: '3:4',
        chmod: { kind: 'symbolic', text: 'u+s,go=' },
      });
      const { layer } = await execute(context, step, { wanted: DIRECTORY });
      const directory = await context.layers.directory(layer);
      const { uid, gid, mode } = await lstat(join(directory, 's/x'));
      assert.deepEqual([uid, gid, mode & 0o7777], [3, 4, 0o4600]);
      assert.equal((await lstat(join(directory, 's'))).mtimeMs, NOW * 1000);
    });
  });

  it('keeps hard links, and follows a source that is a symlink (CP-11, CP-19)', async () => {
    await withSteps(async ({ context, directory, write }) => {
      await write({ 'd/a': 'content' });
      await link(join(directory, 'd/a'), join(directory, 'd/b'));
      await symlink('d', join(directory, 'l'));
      const { layer } = await execute(context, copyStep(['l'], '/'), {});
      assert.deepEqual(lines(await entriesOf(context, layer)), [
        'file 644 0:0 a',
        'hardlink 644 0:0 b -> a',
      ]);
      assert.equal(await textOf(context, [layer], 'b'), 'content');
    });
  });

  it('looks names of --chown up in the parent (CP-13)', async () => {
    await withSteps(async ({ context, write }) => {
      await write({ passwd: 'app:x:11:22::/:\n', group: 'www:x:33:\n' });
      const { layer: base } = await execute(context, copyStep(['passwd', 'group'], '/etc/'), {});
      const chowned = async (owner: string) => {
        const step = copyStep(['passwd'], '/f', { chown: owner });
        const { layer } = await execute(context, step, { parent: [base] });
        return lines(await entriesOf(context, layer))[0];
      };
      assert.equal(await chowned('app'), 'file 644 11:22 f');
      assert.equal(await chowned('app:www'), 'file 644 11:33 f');
      assert.equal(await chowned('5'), 'file 644 5:5 f');
      await assert.rejects(chowned('nobody'), { code: 'ERR_OWNER_UNKNOWN' });
    });
  });

  it('does not look at the parent with --link, unless there is a --chmod (CP-10, CP-15)', async () => {
    await withSteps(async ({ context, directory, write }) => {
      await write({ f: 'x' });
      await mkdir(join(directory, 'base/real'), { recursive: true });
      await symlink('real', join(directory, 'base/link'));
      const { layer: base } = await execute(context, copyStep(['base'], '/'), {});
      const copied = async (changes: Parameters<typeof copyStep>[2]) => {
        const step = copyStep(['f'], '/link/', { link: true, ...changes });
        const { layer } = await execute(context, step, { parent: [base] });
        return (await entriesOf(context, layer)).map(({ path }) => path);
      };
      assert.deepEqual(await copied({}), ['link', 'link/f']);
      assert.deepEqual(await copied({ chmod: { kind: 'octal', mode: 0o644 } }), ['real', 'real/f']);
    });
  });

  it('writes inline files, 0644 root’s (CP-18)', async () => {
    await withSteps(async ({ context, write }) => {
      await write({ f: 'x' });
      const inline = { kind: 'inline', name: 'EOF', content: 'h\u00e9\n' } as const;
      const { layer } = await execute(context, copyStep(['f', inline], '/d/'), {});
      assert.deepEqual(lines(await entriesOf(context, layer)), [
        'directory 755 0:0 d',
        'file 644 0:0 d/EOF',
        'file 644 0:0 d/f',
      ]);
      assert.equal(await textOf(context, [layer], 'd/EOF'), 'h\u00e9\n');
    });
  });

  describe('ADD', () => {
    const ARCHIVE = tar([
      { name: 'd/', type: '5', mode: 0o700, uid: 5 },
      { name: 'd/f', content: 'member', uid: 6 },
    ]);

    for (const [name, bytes] of [
      ['plain', ARCHIVE],
      ['gzip', gzipSync(ARCHIVE)],
    ] as const) {
      it(`unpacks a ${name} archive by its content, and copies the rest (CP-21)`, async () => {
        await withSteps(async ({ context, write }) => {
          await write({ 'x.txt': bytes, 'y.tar.gz': 'no archive' });
          const step = copyStep(['x.txt', 'y.tar.gz'], '/to/', { add: true });
          const { layer } = await execute(context, step, {});
          assert.deepEqual(lines(await entriesOf(context, layer)), [
            'directory 755 0:0 to',
            'directory 700 5:0 to/d',
            'file 644 6:0 to/d/f',
            'file 644 0:0 to/y.tar.gz',
          ]);
          assert.equal(await textOf(context, [layer], 'to/d/f'), 'member');
        });
      });
    }

    it('unpacks every archive that a wildcard matches (CP-21)', async () => {
      await withSteps(async ({ context, write }) => {
        await write({ '1.tar': ARCHIVE, '2.tar': tar([{ name: 'e', content: '2' }]) });
        const { layer } = await execute(context, copyStep(['*.tar'], '/to', { add: true }), {});
        const paths = (await entriesOf(context, layer)).map(({ path }) => path);
        assert.deepEqual(paths, ['to', 'to/d', 'to/d/f', 'to/e']);
      });
    });

    it('unpacks sparse members, small and large (CP-21)', async () => {
      await withSteps(async ({ context, write }) => {
        await write({ 'x.tar': await sparseTar(5_000_000) });
        const { layer } = await execute(context, copyStep(['x.tar'], '/to/', { add: true }), {});
        assert.equal((await textOf(context, [layer], 'to/hole'))?.length, 5_000_000);
      });
    });

    it('leaves archives alone with --unpack=false, and in COPY (CP-22)', async () => {
      await withSteps(async ({ context, write }) => {
        await write({ 'x.tar': ARCHIVE });
        const { layer } = await execute(context, copyStep(['x.tar'], '/to/'), {});
        assert.deepEqual(lines(await entriesOf(context, layer)), [
          'directory 755 0:0 to',
          'file 644 0:0 to/x.tar',
        ]);
      });
    });

    it('fetches a URL once, 0600 and of the server’s time; a wrong checksum names both (CP-23, CP-24)', async () => {
      let requests = 0;
      const server = createServer((_, response) => {
        requests++;
        response.setHeader('last-modified', 'Tue, 14 Nov 2023 22:13:20 GMT');
        response.end('from afar');
      }).listen(0, '127.0.0.1');
      await once(server, 'listening');
      const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/f`;
      try {
        await withSteps(async ({ context }) => {
          const remote = { kind: 'url', url, name: 'f', unpack: false } as const;
          const sha512 = createHash('sha512').update('from afar').digest('hex');
          const source = { ...remote, checksum: `sha512:${sha512}` };
          const runner = copyRunner(copyStep([source], '/d/'), [], context);
          const inputs = await runner.inputs();
          assert.match(JSON.stringify(inputs['downloads']), /"mtime":1700000000/);
          const { layer } = await runner.execute(PLAIN);
          assert.equal(requests, 1);
          const entries = await entriesOf(context, layer);
          assert.deepEqual(lines(entries), ['directory 755 0:0 d', 'file 600 0:0 d/f']);
          assert.equal(entries[1]?.mtime, 1_700_000_000);
          assert.equal(await textOf(context, [layer], 'd/f'), 'from afar');
          const expected = `sha256:${'0'.repeat(64)}`;
          const wrong = copyStep([{ ...remote, checksum: expected }], '/d/');
          await assert.rejects(
            copyRunner(wrong, [], context).inputs(),
            (error) =>
              hasCode(error, 'ERR_CHECKSUM_MISMATCH') &&
              error.details.expected === expected &&
              error.details.found.startsWith('sha256:'),
          );
        });
      } finally {
        server.closeAllConnections();
        server.close();
      }
    });
  });

  describe('inputs()', () => {
    it('are the same for the same content, in another directory and at another time', async () => {
      const keyOf = async () => {
        let key = '';
        await withSteps(async ({ context, directory, write }) => {
          await write({ a: 'content' });
          await utimes(join(directory, 'a'), 7, 7);
          key = JSON.stringify(await copyRunner(copyStep(['a'], '/'), [], context).inputs());
        });
        return key;
      };
      assert.equal(await keyOf(), await keyOf());
    });

    it('do not ask for a context that is not needed', async () => {
      await withSteps(async ({ context, session }) => {
        const inline = { kind: 'inline', name: 'EOF', content: '' } as const;
        const { origin } = await copyRunner(copyStep([inline], '/'), [], context).inputs();
        assert.equal(origin, null);
        assert.equal(session.helpers.isOpen, false);
      });
    });
  });

  it('rejects a file that changes between scan and compose', async () => {
    await withSteps(async ({ context, write }) => {
      await write({ a: 'content' });
      const step = copyStep(['a'], '/');
      await copyRunner(step, [], context).inputs();
      await write({ a: 'changed' });
      await assert.rejects(execute(context, step, {}), { code: 'ERR_CONTEXT_CHANGED' });
    });
  });

  it('keeps a store usable for the next session', async () => {
    await withDirectory(async (store) => {
      for (const cached of [false, true]) {
        await withSteps(
          async ({ context, write }) => {
            await write({ a: 'content' });
            const done = await execute(context, copyStep(['a'], '/'), {});
            assert.equal(done.cached, cached);
            const { path } = await context.layers.blob(done.layer);
            assert.ok((await readFile(path)).length > 0);
          },
          { store },
        );
      }
    });
  });

  itAsRoot('gives root what belongs to others in the context (CP-12)', async () => {
    await withSteps(async ({ context, directory, write }) => {
      await write({ a: 'content' });
      await chown(join(directory, 'a'), 12, 34);
      const { layer } = await execute(context, copyStep(['a'], '/'), {});
      assert.deepEqual(lines(await entriesOf(context, layer)), ['file 644 0:0 a']);
    });
  });
});

/** GNU tar's archive of one file that is a hole of this size. */
async function sparseTar(size: number): Promise<Buffer> {
  return await withDirectory(async (directory) => {
    const file = await open(join(directory, 'hole'), 'w');
    await file.truncate(size);
    await file.close();
    await promisify(execFile)('tar', ['--sparse', '-cf', 'out.tar', 'hole'], { cwd: directory });
    return await readFile(join(directory, 'out.tar'));
  });
}
