import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { join } from 'node:path';
import { openStore } from '../../cache/index.ts';
import { fetchFile, type FetchedFile } from '../../src/context/fetch-file.ts';
import type { Digest } from '../../src/oci/digest.ts';
import { type HttpServer, withHttp } from '../support/http-server.ts';
import { withDirectory } from '../support/temporary.ts';

const { signal } = new AbortController();

interface Fixture {
  readonly server: HttpServer;
  readonly directory: string;
  /** Fetches, as another build would. */
  readonly fetch: (url: string, checksum?: string) => Promise<FetchedFile>;
}

async function withStore(
  answer: (request: IncomingMessage, response: ServerResponse) => void,
  use: (fixture: Fixture) => Promise<void>,
): Promise<void> {
  await withHttp(answer, async (server) => {
    await withDirectory(async (directory) => {
      let count = 0;
      await use({
        server,
        directory,
        fetch: async (url, checksum) =>
          await fetchFile(url, {
            memory: await openStore(join(directory, 'store'), { signal }),
            temporary: () => join(directory, `file-${count++}`),
            secrets: new Map(),
            signal,
            delays: [],
            checksum,
          }),
      });
    });
  });
}

describe('fetchFile()', () => {
  const DATE = 'Tue, 14 Nov 2023 22:13:20 GMT';
  const kinds = [
    ['ETag', { etag: '"1"' }, 'if-none-match', '"1"'],
    ['Last-Modified', { 'last-modified': DATE }, 'if-modified-since', DATE],
  ] as const;
  for (const [name, headers, asked, value] of kinds) {
    it(`asks with the ${name} of what it has, and is content with 304 (CP-23)`, async () => {
      await withStore(
        (request, response) => {
          const isKnown = request.headers[asked] === value;
          response.writeHead(isKnown ? 304 : 200, headers).end(isKnown ? undefined : 'content');
        },
        async ({ server, directory, fetch }) => {
          const first = await fetch(`${server.url}/x`);
          const second = await fetch(`${server.url}/x`);
          assert.deepEqual(second, first);
          assert.equal(first.mtime, name === 'ETag' ? 0 : 1_700_000_000);
          assert.equal(await readFile(second.path, 'utf8'), 'content');
          assert.equal(server.requests[1]?.headers[asked], value);
          assert.deepEqual(await readdir(directory), ['store']);
        },
      );
    });
  }

  it('asks with no time that a change may have left as it was', async () => {
    const DATES = { date: 'Tue, 14 Nov 2023 22:14:19 GMT', 'last-modified': DATE };
    await withStore(
      (request, response) => {
        const isKnown = 'if-modified-since' in request.headers;
        response.writeHead(isKnown ? 304 : 200, DATES).end(isKnown ? undefined : 'content');
      },
      async ({ server, fetch }) => {
        await fetch(server.url);
        await fetch(server.url);
        assert.equal(server.requests[1]?.headers['if-modified-since'], undefined);
      },
    );
  });

  it('asks with the ETag alone where there is one', async () => {
    await withStore(
      (_, response) => response.writeHead(200, { etag: '"1"', 'last-modified': DATE }).end('x'),
      async ({ server, fetch }) => {
        await fetch(server.url);
        await fetch(server.url);
        const headers = server.requests[1]?.headers;
        assert.equal(headers?.['if-none-match'], '"1"');
        assert.equal(headers['if-modified-since'], undefined);
      },
    );
  });

  it('asks no server for a checksum that is at hand (CS-3)', async () => {
    const sha256 = createHash('sha256').update('content').digest('hex');
    await withStore(
      (_, response) => response.end('content'),
      async ({ server, fetch }) => {
        const first = await fetch(server.url, `sha256:${sha256}`);
        assert.deepEqual(await fetch(server.url, `sha256:${sha256}`), first);
        assert.equal(server.requests.length, 1);
        await fetch(server.url, `sha256:${'0'.repeat(64)}`);
        assert.equal(server.requests.length, 2);
      },
    );
  });

  it('takes what the server has now when that is another file', async () => {
    let version = 0;
    await withStore(
      (_, response) => {
        version++;
        response.writeHead(200, { etag: `"${version}"` }).end(`version ${version}`);
      },
      async ({ server, fetch }) => {
        await fetch(server.url);
        assert.equal(await readFile((await fetch(server.url)).path, 'utf8'), 'version 2');
        await fetch(server.url);
        assert.equal(server.requests[2]?.headers['if-none-match'], '"2"');
      },
    );
  });

  it('keeps nothing that it could not ask about', async () => {
    await withStore(
      (_, response) => response.end('content'),
      async ({ server, directory, fetch }) => {
        const { path } = await fetch(server.url);
        assert.equal(await readFile(path, 'utf8'), 'content');
        assert.deepEqual(await readdir(join(directory, 'store/v1/blobs/sha256')), []);
        assert.equal((await fetch(server.url)).size, 7);
        assert.equal(server.requests[1]?.headers['if-none-match'], undefined);
      },
    );
  });

  it('fetches anew what is damaged in the store, and hands out no wrong byte', async () => {
    await withStore(
      (request, response) => {
        const isKnown = request.headers['if-none-match'] === '"1"';
        response
          .writeHead(isKnown ? 304 : 200, { etag: '"1"' })
          .end(isKnown ? undefined : 'content');
      },
      async ({ server, fetch }) => {
        const { path } = await fetch(server.url);
        await writeFile(path, 'CONTENT');
        assert.equal(await readFile((await fetch(server.url)).path, 'utf8'), 'content');
      },
    );
  });

  it('stops reading what is in the store when told to', async () => {
    await withStore(
      (_, response) => response.writeHead(200, { etag: '"1"' }).end('content'),
      async ({ server, directory, fetch }) => {
        await fetch(server.url);
        const store = await openStore(join(directory, 'store'), { signal });
        const stop = new AbortController();
        const memory = {
          getDownload: store.getDownload,
          putDownload: store.putDownload,
          blobPath: (digest: Digest): string => {
            stop.abort(new Error('stop'));
            return store.blobPath(digest);
          },
        };
        const temporary = (): string => assert.fail('it goes on to the server');
        const options = { memory, temporary, secrets: new Map(), signal: stop.signal };
        await assert.rejects(
          fetchFile(server.url, options),
          (error) => error === stop.signal.reason,
        );
      },
    );
  });

  it('fetches anew what is not in the store any more', async () => {
    await withStore(
      (_, response) => response.writeHead(200, { etag: '"1"' }).end('content'),
      async ({ server, fetch }) => {
        const { path } = await fetch(server.url);
        await rm(path);
        assert.equal(await readFile((await fetch(server.url)).path, 'utf8'), 'content');
        assert.equal(server.requests[1]?.headers['if-none-match'], undefined);
      },
    );
  });

  it('remembers no user and no password (CP-26)', async () => {
    await withStore(
      (request, response) => {
        const isAllowed = request.headers.authorization !== undefined;
        response.writeHead(isAllowed ? 200 : 401, { etag: '"1"' }).end('content');
      },
      async ({ server, directory, fetch }) => {
        await fetch(server.url.replace('//', '//user:hunter2@'));
        const files = await readdir(join(directory, 'store'), {
          recursive: true,
          withFileTypes: true,
        });
        for (const file of files.filter((each) => each.isFile())) {
          const text = await readFile(join(file.parentPath, file.name), 'latin1');
          assert.doesNotMatch(text, /hunter2/, file.name);
        }
        // Whoever has no password gets nothing, whatever is in the store.
        await assert.rejects(fetch(server.url), { code: 'ERR_DOWNLOAD_FAILED' });
      },
    );
  });
});
