import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { getEventListeners } from 'node:events';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { hasCode, TsbuildError } from '../../src/errors.ts';
import { openTransport } from '../../src/http/transport.ts';
import { download, withServer } from '../support/downloads.ts';
import { withHttp } from '../support/http-server.ts';
import { startProxy } from '../support/proxy.ts';
import { withDirectory } from '../support/temporary.ts';

const { signal } = new AbortController();

describe('download()', () => {
  it('writes the file, and tells its digest, size and time (CP-23)', async () => {
    const bytes = Buffer.alloc(300_000, 'tsbuild ');
    const date = 'Tue, 14 Nov 2023 22:13:20 GMT';
    await withServer(
      (_, response) => response.writeHead(200, { 'last-modified': date }).end(bytes),
      async (url, directory) => {
        assert.deepEqual(await download(url, join(directory, 'f'), { signal }), {
          sha256: createHash('sha256').update(bytes).digest('hex'),
          size: bytes.length,
          mtime: 1_700_000_000,
          validators: { lastModified: date },
        });
        assert.deepEqual(await readFile(join(directory, 'f')), bytes);
      },
    );
    assert.equal(getEventListeners(signal, 'abort').length, 0);
  });

  for (const date of [undefined, 'yesterday']) {
    it(`dates a file 1970 when its server says ${date ?? 'nothing'} (CP-23)`, async () => {
      await withServer(
        (_, response) =>
          response.writeHead(200, date === undefined ? {} : { 'last-modified': date }).end(),
        async (url, directory) => {
          const { mtime, size } = await download(url, join(directory, 'f'), { signal });
          assert.deepEqual({ mtime, size }, { mtime: 0, size: 0 });
          assert.equal((await readFile(join(directory, 'f'))).length, 0);
        },
      );
    });
  }

  it('follows redirects (CP-23)', async () => {
    await withServer(
      (request, response) =>
        request.url === '/file'
          ? response.writeHead(302, { location: '/there' }).end()
          : response.end(request.url),
      async (url, directory) => {
        await download(url, join(directory, 'f'), { signal });
        assert.equal(await readFile(join(directory, 'f'), 'utf8'), '/there');
      },
    );
  });

  it('takes a file that is compressed on the way, as BuildKit does', async () => {
    await withServer(
      (request, response) => {
        assert.equal(request.headers['accept-encoding'], 'gzip');
        response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync('content'));
      },
      async (url, directory) => {
        const { size } = await download(url, join(directory, 'f'), { signal });
        assert.equal(size, 'content'.length);
        assert.equal(await readFile(join(directory, 'f'), 'utf8'), 'content');
      },
    );
  });

  it('sends the user and password of an address', async () => {
    await withServer(
      (request, response) => response.end(request.headers.authorization),
      async (url, directory) => {
        const address = url.replace('//', '//us%40er:pass@');
        await download(address, join(directory, 'f'), { signal });
        const expected = `Basic ${Buffer.from('us@er:pass').toString('base64')}`;
        assert.equal(await readFile(join(directory, 'f'), 'utf8'), expected);
      },
    );
  });

  // Not modified since when? There is nothing at hand.
  for (const status of [304, 404, 403, 500]) {
    it(`rejects the answer ${status}, and leaves no file`, async () => {
      await withServer(
        (_, response) => response.writeHead(status).end(status === 304 ? undefined : 'a page'),
        async (url, directory) => {
          await assert.rejects(download(url, join(directory, 'f'), { signal }), {
            code: 'ERR_DOWNLOAD_FAILED',
            message: `Cannot download "${url}": the server answered ${status}`,
            details: { url, status },
          });
          assert.deepEqual(await readdir(directory), []);
        },
      );
    });
  }

  it('rejects a connection that is cut, and leaves no file', async () => {
    await withServer(
      (_, response) => {
        response.writeHead(200, { 'content-length': 10 });
        response.write('half', () => response.socket?.destroy());
      },
      async (url, directory) => {
        await assert.rejects(
          download(url, join(directory, 'f'), { signal }),
          (error) =>
            hasCode(error, 'ERR_DOWNLOAD_FAILED') &&
            error.details.status === undefined &&
            error.cause instanceof Error,
        );
        assert.deepEqual(await readdir(directory), []);
      },
    );
  });

  it('keeps a password out of its message', async () => {
    await withDirectory(async (directory) => {
      const url = 'http://user:secret@127.0.0.1:1/x';
      await assert.rejects(download(url, join(directory, 'f'), { signal }), (error) => {
        assert.ok(hasCode(error, 'ERR_DOWNLOAD_FAILED'));
        assert.doesNotMatch(`${error.message} ${error.details.url}`, /secret/);
        return true;
      });
      assert.deepEqual(await readdir(directory), []);
    });
  });

  it('rejects with the signal’s reason, and leaves neither file nor connection', async () => {
    const closed = Promise.withResolvers<void>();
    const controller = new AbortController();
    const reason = new Error('enough');
    await withServer(
      (_, response) => {
        response.socket?.once('close', () => closed.resolve());
        response.write('half', () => controller.abort(reason));
      },
      async (url, directory) => {
        const downloading = download(url, join(directory, 'f'), { signal: controller.signal });
        await assert.rejects(downloading, (error) => error === reason);
        assert.deepEqual(await readdir(directory), []);
        await Promise.race([closed.promise, setTimeout(5000, undefined, { ref: false })]);
        assert.equal(getEventListeners(controller.signal, 'abort').length, 0);
      },
    );
  });

  it('does not touch a file that is there', async () => {
    await withServer(
      (_, response) => response.end('new'),
      async (url, directory) => {
        await writeFile(join(directory, 'f'), 'old');
        await assert.rejects(download(url, join(directory, 'f'), { signal }), { code: 'EEXIST' });
        assert.equal(await readFile(join(directory, 'f'), 'utf8'), 'old');
      },
    );
  });

  const secrets = (id: string, text: string) => new Map([[id, Buffer.from(text)]]);
  const authorizations = [
    ['HTTP_AUTH_TOKEN_127.0.0.1', 'abc\n', 'Bearer abc'],
    ['HTTP_AUTH_HEADER_127.0.0.1', 'Basic xyz', 'Basic xyz'],
    ['HTTP_AUTH_TOKEN_example.com', 'abc', ''],
  ] as const;
  for (const [id, text, expected] of authorizations) {
    it(`asks ${expected === '' ? 'without credentials' : 'with credentials'} when there is the secret ${id} (CP-26)`, async () => {
      await withServer(
        (request, response) => response.end(request.headers.authorization ?? ''),
        async (url, directory) => {
          await download(url, join(directory, 'f'), { signal, secrets: secrets(id, text) });
          assert.equal(await readFile(join(directory, 'f'), 'utf8'), expected);
        },
      );
    });
  }

  const sources = [
    [
      'the secret',
      '',
      secrets('HTTP_AUTH_TOKEN_127.0.0.1', 'hunter2'),
      /"HTTP_AUTH_TOKEN_127\.0\.0\.1"\.$/,
    ],
    ['the address', 'user:hunter2@', new Map(), /^The credentials were those in the address\.$/],
    ['nothing', '', new Map(), /^No credentials were sent: .* "HTTP_AUTH_HEADER_127\.0\.0\.1:\d+"/],
  ] as const;
  for (const [from, user, held, hint] of sources) {
    it(`says that it tried with ${from}, and shows no password (CP-26)`, async () => {
      await withServer(
        (_, response) => response.writeHead(401).end(),
        async (url, directory) => {
          const options = { signal, secrets: held };
          await assert.rejects(
            download(url.replace('//', `//${user}`), join(directory, 'f'), options),
            (error) =>
              error instanceof TsbuildError &&
              hint.test(error.hint ?? '') &&
              !/hunter2/.test(String(error)),
          );
        },
      );
    });
  }

  it('sends no credentials to where a redirect leads on another machine (CP-26)', async () => {
    await withHttp(
      (request, response) => response.end(request.headers.authorization ?? 'none'),
      async (other) => {
        await withServer(
          (_, response) => response.writeHead(302, { location: `${other.url}/x` }).end(),
          async (url, directory) => {
            const options = { signal, secrets: secrets('HTTP_AUTH_TOKEN_127.0.0.1', 'abc') };
            await download(url, join(directory, 'f'), options);
            assert.equal(await readFile(join(directory, 'f'), 'utf8'), 'none');
          },
        );
      },
    );
  });

  it('goes through the proxy that the environment names, and tells nobody its password', async () => {
    await withServer(
      (request, response) => response.end(request.headers['proxy-authorization'] ?? 'none'),
      async (url, directory) => {
        const proxy = await startProxy(Number(new URL(url).port));
        const environment = { HTTP_PROXY: proxy.url };
        const transport = openTransport({ connections: 1, environment });
        try {
          await download('http://files.test/a', join(directory, 'f'), { signal, transport });
          assert.equal(await readFile(join(directory, 'f'), 'utf8'), 'none');
          assert.deepEqual(proxy.log, ['GET files.test/a']);
        } finally {
          await transport.close();
          await proxy.close();
        }
      },
    );
  });

  it('names what an address without sense is', async () => {
    await withDirectory(async (directory) => {
      await assert.rejects(download('http://', join(directory, 'f'), { signal }), {
        code: 'ERR_DOWNLOAD_FAILED',
        message: 'Cannot download "http://": it is no valid address',
      });
    });
  });
});
