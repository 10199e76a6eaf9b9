import assert from 'node:assert/strict';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { hasCode, TsbuildError } from '../../src/errors.ts';
import { parseOutput, writeOutput } from '../../src/export/index.ts';
import { blobsOf, makeExport } from '../support/export-image.ts';
import { readTarTree } from '../support/layout-files.ts';
import { withDirectory } from '../support/temporary.ts';

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

/** What docker's engine answers; `path` is its socket. */
async function withEngine(
  answer: Answer,
  use: (address: string, folder: string) => Promise<void>,
  port?: number,
): Promise<void> {
  await withDirectory(async (folder) => {
    const server: Server = createServer(answer);
    const socket = join(folder, 'engine.sock');
    if (port === undefined) server.listen(socket);
    else server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    const { port: found } = server.address() as AddressInfo;
    try {
      await use(port === undefined ? `unix://${socket}` : `tcp://127.0.0.1:${found}`, folder);
    } finally {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    }
  });
}

const output = parseOutput('type=docker,name=app:v2');

async function load(
  address: string | undefined,
  folder: string,
  { signal = new AbortController().signal, layerSize = 1000 } = {},
): Promise<void> {
  assert.equal(output.kind, 'docker');
  const engine = { address, certificates: undefined };
  const image = await makeExport(folder, { names: ['app:v1'], layerSize });
  await writeOutput(output, image, { signal, stdout: undefined, engine });
}

/** Whether it says why, and where. */
function failsWith(message: RegExp) {
  return (error: unknown): boolean =>
    hasCode(error, 'ERR_OUTPUT_FAILED') && message.test(error.message);
}

describe('loading into an engine', () => {
  for (const [kind, port] of [
    ['a socket', undefined],
    ['tcp', 0],
  ] as const) {
    it(`sends an archive with all names over ${kind} (TAR-1, OUT-3)`, async () => {
      const got: { bytes?: Buffer; url?: string | undefined } = {};
      const answer: Answer = (request, response) => {
        void buffer(request).then((bytes) => {
          Object.assign(got, { bytes, url: `${request.method} ${request.url}` });
          response.end('{"stream":"Loaded image: app:v1\\n"}\n');
        });
      };
      await withEngine(answer, load, port);
      assert.equal(got.url, 'POST /images/load?quiet=1');
      assert.ok(got.bytes);
      const names = Object.keys(await readTarTree(got.bytes));
      assert.ok(names.includes('manifest.json') && names.includes('index.json'));
      assert.match(got.bytes.toString('latin1'), /"RepoTags":\["app:v1","app:v2"\]/);
    });
  }

  for (const [what, status, body, message] of [
    ['its stream', 200, '{"error":"no space left"}\n', /: no space left$/],
    ['its status', 500, '{"message":"out of order"}\n', /: out of order$/],
    ['its status alone', 404, 'not here', /: It answered 404$/],
  ] as const) {
    it(`rejects with what an engine says in ${what}, even before it has read the image`, async () => {
      const answer: Answer = (request, response) => {
        response.writeHead(status);
        response.end(body);
        // As Go's servers do, for a while: who is cut off while it writes may not hear the answer.
        request.resume();
      };
      await withEngine(answer, async (address, folder) => {
        await assert.rejects(load(address, folder, { layerSize: 3_000_000 }), failsWith(message));
      });
    });
  }

  it('rejects when the engine hangs up', async () => {
    const answer: Answer = (request) => void request.once('data', () => request.socket.destroy());
    await withEngine(answer, async (address, folder) => {
      await assert.rejects(load(address, folder), failsWith(/^Cannot load the image into "unix:/));
    });
  });

  it('rejects when no engine is there, and says how to find one', async () => {
    await withDirectory(async (folder) => {
      await assert.rejects(load(`unix://${folder}/none`, folder), (error) => {
        assert.ok(failsWith(/no such file or directory$/)(error));
        return error instanceof TsbuildError && /DOCKER_HOST/.test(error.hint ?? '');
      });
    });
  });

  it('refuses an address of another kind', async () => {
    await withDirectory(async (folder) => {
      await assert.rejects(load('ssh://host', folder), (error) =>
        hasCode(error, 'ERR_UNSUPPORTED'),
      );
    });
  });

  it('rejects with the reason of an abort, and lets go of the engine', async () => {
    const stop = new AbortController();
    let closed: Promise<unknown> | undefined;
    const answer: Answer = (request) => {
      closed = new Promise((resolve) => request.socket.once('close', resolve));
      request.once('data', () => stop.abort(new Error('enough')));
    };
    await withEngine(answer, async (address, folder) => {
      await assert.rejects(
        load(address, folder, { signal: stop.signal, layerSize: 3_000_000 }),
        /^Error: enough$/,
      );
      await closed;
    });
  });

  it('rejects a layer that is cut short in the store', async () => {
    const answer: Answer = (request) => void request.resume();
    await withEngine(answer, async (address, folder) => {
      const image = await makeExport(folder, { names: ['app:v1'] });
      await writeFile(blobsOf(image)[0]?.path ?? '', 'x');
      assert.equal(output.kind, 'docker');
      const engine = { address, certificates: undefined };
      const { signal } = new AbortController();
      await assert.rejects(
        writeOutput(output, image, { signal, stdout: undefined, engine }),
        failsWith(/has not the size/),
      );
    });
  });
});
