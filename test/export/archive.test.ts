import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { getEventListeners } from 'node:events';
import { createReadStream } from 'node:fs';
import { mkdir, readdir, readFile, readlink, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PassThrough, Writable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import { extract, type Header } from 'tar-stream';
import { hasCode } from '../../src/errors.ts';
import { type ExportResult, writeArchive } from '../../src/export/index.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { checkLayout } from '../support/check.ts';
import { blobsOf, makeExport } from '../support/export-image.ts';
import { itUnless, missing } from '../support/missing.ts';
import { withDirectory } from '../support/temporary.ts';

const run = promisify(execFile);
const signal = new AbortController().signal;

async function withImage(
  use: (directory: string, image: ExportResult) => Promise<void>,
  layerSize = 1000,
): Promise<void> {
  await withDirectory(async (directory) => {
    await mkdir(join(directory, 'store'));
    const names = ['user/app:v1'];
    await use(directory, await makeExport(join(directory, 'store'), { names, layerSize }));
  });
}

async function headersOf(path: string): Promise<readonly Header[]> {
  const headers: Header[] = [];
  const unpack = extract();
  unpack.on('entry', (header, stream, next) => {
    headers.push(header);
    stream.on('end', () => next());
    stream.resume();
  });
  await pipeline(createReadStream(path), unpack);
  return headers;
}

describe('writeArchive()', () => {
  it('writes a sorted tar without times and owners, that unpacks to a valid layout (TAR-4)', () =>
    withImage(async (directory, image) => {
      const path = join(directory, 'new/image.tar');
      await writeArchive(path, image, { signal });
      assert.deepEqual(await readdir(join(directory, 'new')), ['image.tar']);
      const headers = await headersOf(path);
      const names = headers.map((header) => header.name);
      assert.deepEqual(names, [...names].sort());
      assert.deepEqual(names.slice(-2), ['index.json', 'oci-layout']);
      for (const { type, mode, uid, gid, uname, mtime } of headers) {
        const expected = { mode: type === 'directory' ? 0o755 : 0o644, uid: 0, gid: 0, uname: '' };
        assert.deepEqual({ mode, uid, gid, uname }, expected);
        assert.equal(mtime?.getTime(), 0);
      }
      await mkdir(join(directory, 'out'));
      await run('tar', ['-xf', path, '-C', join(directory, 'out')]);
      const [entry] = await checkLayout(join(directory, 'out'));
      assert.equal(entry?.digest, image.descriptor.digest);
    }));

  it('writes the same bytes each time, to a file and to a stream', () =>
    withImage(async (directory, image) => {
      const created = new Date('2001-02-03T04:05:06Z');
      const paths = ['a.tar', 'b.tar'].map((name) => join(directory, name));
      for (const path of paths) await writeArchive(path, image, { created, signal });
      const stream = new PassThrough();
      const reading = buffer(stream);
      await writeArchive(stream, image, { created, signal });
      assert.equal(stream.writableEnded, false);
      stream.end();
      const [a, b] = await Promise.all(paths.map((path) => readFile(path)));
      assert.ok(a && b && a.equals(b) && a.equals(await reading));
      const [header] = await headersOf(paths[0] ?? '');
      assert.deepEqual(header?.mtime, created);
    }));

  for (const created of ['1969-01-01T00:00:00Z', '2040-01-01T00:00:00Z', '2400-01-01T00:00:00Z']) {
    it(`holds the time ${created}, which a plain header cannot`, () =>
      withImage(async (directory, image) => {
        const path = join(directory, 'image.tar');
        await writeArchive(path, image, { created: new Date(created), signal });
        const { stdout } = await run('tar', ['--utc', '--full-time', '-tvf', path]);
        for (const line of stdout.trim().split('\n'))
          assert.ok(line.includes(created.slice(0, 10)), line);
      }));
  }

  it('replaces an older file, also behind a link', () =>
    withImage(async (directory, image) => {
      await writeFile(join(directory, 'old.tar'), 'old');
      await symlink('old.tar', join(directory, 'link.tar'));
      await writeArchive(join(directory, 'link.tar'), image, { signal });
      assert.equal(await readlink(join(directory, 'link.tar')), 'old.tar');
      assert.ok((await headersOf(join(directory, 'old.tar'))).length > 4);
    }));

  it('writes into a pipe, and leaves it there', () =>
    withImage(async (directory, image) => {
      const path = join(directory, 'pipe');
      await run('mkfifo', [path]);
      const [{ stdout }] = await Promise.all([
        run('sh', ['-c', `tar -t < ${path}`]),
        writeArchive(path, image, { signal }),
      ]);
      assert.match(stdout, /oci-layout\n$/);
      assert.deepEqual(await readdir(directory), ['pipe', 'store']);
    }));

  it('leaves an older file as it was when a blob is missing, cut short or too long', () =>
    withImage(async (directory, image) => {
      const path = join(directory, 'image.tar');
      await writeFile(path, 'old');
      const [blob] = blobsOf(image);
      assert.ok(blob);
      const whole = await readFile(blob.path);
      for (const bytes of [whole.subarray(1), Buffer.concat([whole, whole]), undefined]) {
        if (bytes === undefined) await run('rm', [blob.path]);
        else await writeFile(blob.path, bytes);
        await assert.rejects(writeArchive(path, image, { signal }), (error) => {
          assert.ok(hasCode(error, 'ERR_OUTPUT_FAILED'), String(error));
          assert.equal(error.details.path, path);
          return true;
        });
        assert.deepEqual(await readdir(directory), ['image.tar', 'store']);
        assert.equal(await readFile(path, 'utf8'), 'old');
      }
    }));

  it('leaves no file, no new directory and no listener when aborted', () =>
    withImage(async (directory, image) => {
      const reason = new Error('enough');
      for (const wait of [0, 1, 3]) {
        const controller = new AbortController();
        const path = join(directory, 'a/b/image.tar');
        const writing = writeArchive(path, image, { signal: controller.signal });
        setTimeout(() => controller.abort(reason), wait);
        await assert.rejects(writing, (error) => error === reason);
        assert.deepEqual(await readdir(directory), ['store']);
        assert.equal(getEventListeners(controller.signal, 'abort').length, 0);
      }
    }, 20_000_000));

  it('fails with ERR_OUTPUT_FAILED when the stream is closed, or the path is a directory', () =>
    withImage(async (directory, image) => {
      const closed = new Writable({
        write(_chunk, _encoding, done): void {
          done(Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }));
        },
      });
      const failed = (error: unknown): boolean => hasCode(error, 'ERR_OUTPUT_FAILED');
      await assert.rejects(writeArchive(closed, image, { signal }), failed);
      await assert.rejects(writeArchive(directory, image, { signal }), failed);
      await assert.rejects(writeArchive('/dev/full', image, { signal }), failed);
      assert.deepEqual(await readdir(directory), ['store']);
    }));

  it('refuses to write to a terminal (OUT-3)', () =>
    withImage(async (_directory, image) => {
      const terminal = Object.assign(new PassThrough(), { isTTY: true });
      await assert.rejects(writeArchive(terminal, image, { signal }), (error) =>
        hasCode(error, 'ERR_USAGE'),
      );
    }));

  itUnless(missing('skopeo'))('is accepted by skopeo', async () => {
    await withImage(async (directory, image) => {
      const path = join(directory, 'image.tar');
      await writeArchive(path, image, { signal });
      const { stdout } = await run('skopeo', ['inspect', '--raw', `oci-archive:${path}:v1`]);
      assert.equal(digestOf(stdout), image.descriptor.digest);
      const to = `oci:${directory}/copy:v1`;
      await run('skopeo', ['copy', '--insecure-policy', `oci-archive:${path}:v1`, to]);
      await checkLayout(join(directory, 'copy'));
    });
  }).timeout(120_000);
});
