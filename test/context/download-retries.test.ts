import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import type { ServerResponse } from 'node:http';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { download, withServer } from '../support/downloads.ts';

const { signal } = new AbortController();

describe('download(), trying again', () => {
  it('after an answer that may change, and leaves nothing of the first one', async () => {
    let attempts = 0;
    await withServer(
      (_, response) => {
        if (attempts++ === 0) response.writeHead(503).end('a long page, not the file');
        else response.end('file');
      },
      async (url, directory, { requests }) => {
        const { size } = await download(url, join(directory, 'f'), { signal, delays: [0] });
        assert.equal(size, 4);
        assert.equal(await readFile(join(directory, 'f'), 'utf8'), 'file');
        assert.equal(requests.length, 2);
      },
    );
  });
  it('after a connection that is cut in the middle', async () => {
    let count = 0;
    await withServer(
      (_, response) => {
        if (count++ > 0) response.end('whole');
        else {
          response.writeHead(200, { 'content-length': 10 });
          response.write('half', () => response.socket?.destroy());
        }
      },
      async (url, directory) => {
        await download(url, join(directory, 'f'), { signal, delays: [0] });
        assert.equal(await readFile(join(directory, 'f'), 'utf8'), 'whole');
      },
    );
  });

  it('from where it was cut off, when the file is still the same', async () => {
    const bytes = Buffer.alloc(200_000, 'tsbuild ');
    const ranges: (string | undefined)[] = [];
    let file = '';
    // What has arrived and was not read yet is lost with the connection.
    const cutOnceWritten = async (response: ServerResponse, size: number): Promise<void> => {
      while ((await stat(file)).size < size) await setTimeout(1);
      response.socket?.destroy();
    };
    await withServer(
      (request, response) => {
        const { range, 'if-range': condition } = request.headers;
        ranges.push(range);
        const start = Number(/^bytes=(\d+)-$/.exec(range ?? '')?.[1] ?? 0);
        assert.equal(condition, start === 0 ? undefined : '"1"');
        const rest = bytes.subarray(start);
        const isPart = start > 0;
        response.writeHead(isPart ? 206 : 200, {
          ...{ etag: '"1"', 'content-length': rest.length },
          ...(isPart && { 'content-range': `bytes ${start}-199999/200000` }),
        });
        if (ranges.length === 3) response.end(rest);
        else {
          response.write(rest.subarray(0, 50_000));
          void cutOnceWritten(response, start + 50_000);
        }
      },
      async (url, directory) => {
        file = join(directory, 'f');
        const { sha256 } = await download(url, file, { signal, delays: [0, 0] });
        assert.equal(sha256, createHash('sha256').update(bytes).digest('hex'));
        assert.deepEqual(await readFile(join(directory, 'f')), bytes);
        assert.deepEqual(ranges, [undefined, 'bytes=50000-', 'bytes=100000-']);
      },
    );
  });

  it('from the beginning, when it is another file by now', async () => {
    let count = 0;
    await withServer(
      (_, response) => {
        response.writeHead(200, { etag: `"${++count}"`, 'content-length': 5 });
        if (count === 2) response.end('other');
        else response.write('fil', () => response.socket?.destroy());
      },
      async (url, directory) => {
        await download(url, join(directory, 'f'), { signal, delays: [0] });
        assert.equal(await readFile(join(directory, 'f'), 'utf8'), 'other');
      },
    );
  });

  it('not when the server wants a longer wait than anybody has', async () => {
    await withServer(
      (_, response) => response.writeHead(503, { 'retry-after': '86400' }).end(),
      async (url, directory, { requests }) => {
        await assert.rejects(download(url, join(directory, 'f'), { signal, delays: [0] }));
        assert.equal(requests.length, 1);
      },
    );
  });

  it('not for ever, and says how often', async () => {
    await withServer(
      (_, response) => response.writeHead(500).end(),
      async (url, directory, { requests }) => {
        await assert.rejects(download(url, join(directory, 'f'), { signal, delays: [0, 0] }), {
          code: 'ERR_DOWNLOAD_FAILED',
          message: `Cannot download "${url}": the server answered 500 (tried 3 times)`,
        });
        assert.equal(requests.length, 3);
        assert.deepEqual(await readdir(directory), []);
      },
    );
  });

  it('not after an answer that is meant', async () => {
    await withServer(
      (_, response) => response.writeHead(404).end(),
      async (url, directory, { requests }) => {
        await assert.rejects(download(url, join(directory, 'f'), { signal, delays: [0] }));
        assert.equal(requests.length, 1);
      },
    );
  });

  it('not when it is aborted while it waits', async () => {
    const controller = new AbortController();
    const reason = new Error('enough');
    await withServer(
      (_, response) =>
        response.writeHead(500).end(() => setImmediate(() => controller.abort(reason))),
      async (url, directory) => {
        const options = { signal: controller.signal, delays: [600_000] };
        const downloading = download(url, join(directory, 'f'), options);
        await assert.rejects(downloading, (error) => error === reason);
        assert.deepEqual(await readdir(directory), []);
      },
    );
  });
});
