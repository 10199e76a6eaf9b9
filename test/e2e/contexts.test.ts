/** Builds whose context is a tar, an address or standard input. */

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { symlink, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { hasCode } from '../../src/errors.ts';
import type { BuildEvent } from '../../src/index.ts';
import { withAccount, whyNoAccount } from '../support/accounts.ts';
import { busyboxBase } from '../support/busybox-base.ts';
import { withPlace } from '../support/context-builds.ts';
import { withHttp } from '../support/http-server.ts';
import { readLayers } from '../support/layer-entries.ts';
import { itUnless, missing } from '../support/missing.ts';
import { HELPER } from '../support/sandbox.ts';
import { tar } from '../support/tar.ts';
import { withDirectory } from '../support/temporary.ts';

const CLI = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));
const COPY_ALL = 'FROM scratch\nCOPY . /\n';

/** `tsbuild …` with something on standard input. */
async function tsbuild(
  args: readonly string[],
  { store, input }: { readonly store: string; readonly input: Uint8Array | string },
): Promise<{ readonly code: number | null; readonly stderr: string }> {
  const child = spawn(process.execPath, [CLI, ...args], {
    env: { ...process.env, TSBUILD_STORE: store, TSBUILD_HELPER: HELPER },
    stdio: ['pipe', 'ignore', 'pipe'],
  });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  // A build that fails early does not read it.
  child.stdin.on('error', () => undefined).end(input);
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  return { code, stderr };
}

describe('a context from standard input', function () {
  this.timeout(120_000);

  const members = [
    { name: 'Dockerfile', content: COPY_ALL },
    { name: 'sub/Other', content: 'FROM scratch\nCOPY a /other\n' },
    { name: 'a', content: 'a' },
    { name: 'b', content: 'b' },
    { name: '.dockerignore', content: 'b\n*Dockerfile*\nsub\n.dockerignore\n' },
  ];

  async function run(
    args: readonly string[],
    input: Uint8Array | string,
    files: Readonly<Record<string, string>> = {},
  ): Promise<{ code: number | null; stderr: string; names: readonly string[] }> {
    return await withDirectory(async (base) => {
      for (const [name, text] of Object.entries(files)) await writeFile(join(base, name), text);
      const output = join(base, 'image');
      const all = args.map((arg) => arg.replace('{base}', base));
      const flags = ['-o', `type=oci,tar=false,dest=${output}`, ...all];
      const outcome = await tsbuild(flags, { store: join(base, 'store'), input });
      const layers = outcome.code === 0 ? (await readLayers(output)).layers : [];
      return { ...outcome, names: (layers.at(-1) ?? []).map(({ name }) => name) };
    });
  }

  it('is a tar: "tsbuild -" (CTX-1, IGN-7)', async () => {
    const { names, stderr } = await run(['-'], gzipSync(tar(members)));
    assert.deepEqual(names, ['a'], stderr);
  });

  it('has the Dockerfile that -f names in it (CTX-1)', async () => {
    const { names, stderr } = await run(['-f', 'sub/Other', '-'], tar(members));
    assert.deepEqual(names, ['other'], stderr);
  });

  it('is a Dockerfile, which has no files then (CTX-1)', async () => {
    const { code, stderr } = await run(['-'], 'FROM scratch\nENV A=1\n');
    assert.equal(code, 0, stderr);
    const missing = await run(['-'], 'FROM scratch\nCOPY a /\n');
    assert.match(missing.stderr, /ERR_SOURCE_MISSING/);
    assert.match(missing.stderr, /^hint: The build context has no files/m);
  });

  it('is the Dockerfile of a directory: "tsbuild -f - DIR" (CTX-1)', async () => {
    const files = { file: '', '.dockerignore': '.dockerignore\nstore\nimage\n' };
    const { names, stderr } = await run(['-f', '-', '{base}'], COPY_ALL, files);
    assert.deepEqual(names, ['file'], stderr);
  });

  it('is one of the two, not both (CTX-1)', async () => {
    const { code, stderr } = await run(['-f', '-', '-'], '');
    assert.equal(code, 2);
    assert.match(stderr, /Cannot read both the Dockerfile and the build context/);
  });

  itUnless(whyNoAccount('root') ?? missing('busybox'))(
    'is bound by RUN --mount like any other',
    async () => {
      await withAccount('root', async (account) => {
        await busyboxBase(account);
        const dockerfile =
          'FROM base\nRUN --mount=target=/ctx ls /ctx > /list && cat /ctx/a >> /list\n';
        const context = join(account.home, 'context.tar');
        await writeFile(
          context,
          tar([...members.slice(1), { name: 'Dockerfile', content: dockerfile }]),
        );
        const { code, stderr } = await account.run('sh', [
          '-c',
          `exec "$0" "$1" --progress=plain --build-context base=oci-layout://${account.home}/busybox - < ${context}`,
          process.execPath,
          CLI,
        ]);
        assert.equal(code, 0, stderr);
      });
    },
  );
});

describe('a context by address', function () {
  this.timeout(120_000);

  const archive = tar([
    { name: 'Dockerfile', content: COPY_ALL },
    { name: 'a', content: 'a', mtime: 1_600_000_000 },
  ]);

  it('is fetched, and not fetched again while the server has the same (CTX-5, CP-23)', async () => {
    let sent = 0;
    await withHttp(
      (request, response) => {
        const isKnown = request.headers['if-none-match'] === '"1"';
        if (!isKnown) sent++;
        response.writeHead(isKnown ? 304 : 200, { etag: '"1"' }).end(isKnown ? undefined : archive);
      },
      async ({ url }) => {
        await withPlace(async (place) => {
          const first = await place.build({ context: `${url}/context.tar` });
          assert.deepEqual(first.names, ['Dockerfile', 'a']);
          const second = await place.build({ context: `${url}/context.tar` });
          assert.ok(!second.ran.some((name) => name.includes('COPY')), second.ran.join());
          assert.equal(sent, 1);
        });
      },
    );
  });

  it('is a Dockerfile (CTX-5)', async () => {
    await withHttp(
      (_, response) => response.end('FROM scratch\nCOPY <<x /\ntext\nx\n'),
      async ({ url }) => {
        await withPlace(async (place) => {
          assert.deepEqual((await place.build({ context: `${url}/Dockerfile` })).names, ['x']);
        });
      },
    );
  });

  it('gives a directory its Dockerfile, which has no ignore file then (CTX-1)', async () => {
    await withHttp(
      (_, response) => response.end(COPY_ALL),
      async ({ url }) => {
        await withPlace(async (place) => {
          await place.write({ 'context/a': '', 'context/Dockerfile.dockerignore': 'a' });
          const context = join(place.base, 'context');
          const { names } = await place.build({ context, dockerfile: `${url}/Dockerfile` });
          assert.deepEqual(names, ['Dockerfile.dockerignore', 'a']);
        });
      },
    );
  });

  for (const [what, headers, expected] of [
    ['Last-Modified', { 'last-modified': 'Tue, 14 Nov 2023 22:13:20 GMT' }, 1_700_000_000],
    ['the newest member', {}, 1_600_000_000],
  ] as const) {
    it(`dates the image by ${what} for SOURCE_DATE_EPOCH=context (ARG-9)`, async () => {
      await withHttp(
        (_, response) => response.writeHead(200, headers).end(archive),
        async ({ url }) => {
          await withPlace(async (place) => {
            const buildArgs = { SOURCE_DATE_EPOCH: 'context' };
            const { created } = await place.build({ context: url, buildArgs });
            assert.equal(Date.parse(created ?? ''), expected * 1000);
          });
        },
      );
    });
  }

  it('dates the image by a named context, or by a stage that is one download (ARG-9)', async () => {
    const asked: string[] = [];
    await withHttp(
      ({ url: path = '' }, response) => {
        asked.push(path);
        const headers =
          path === '/dated' ? { 'last-modified': 'Tue, 14 Nov 2023 22:13:20 GMT' } : {};
        response.writeHead(200, headers).end(path === '/dated' ? 'file' : archive);
      },
      async ({ url }) => {
        await withPlace(async (place) => {
          const text = [
            `ARG SOURCE_DATE_EPOCH=Source\nFROM scratch AS source\nADD ${url}/dated /\n`,
            `FROM scratch\nCOPY --from=source / /\n`,
          ].join('');
          const dated = async (epoch: string | undefined, named: string) =>
            await place.build({
              ...{ context: place.base, dockerfile: Buffer.from(text) },
              ...(epoch !== undefined && { buildArgs: { SOURCE_DATE_EPOCH: epoch } }),
              buildContexts: { Files: named },
            });
          const byStage = await dated(undefined, `${url}/tar`);
          assert.equal(Date.parse(byStage.created ?? ''), 1_700_000_000_000);
          assert.deepEqual(asked, ['/dated', '/dated'], 'the second time whether it is current');
          const byContext = await dated('files', `${url}/tar`);
          assert.equal(Date.parse(byContext.created ?? ''), 1_600_000_000_000);
          const now = await dated('files', place.base);
          assert.ok(Date.parse(now.created ?? '') > 1_700_000_000_000, 'a directory has no time');
          await assert.rejects(dated('nobody', place.base), (error) => hasCode(error, 'ERR_USAGE'));
        });
      },
    );
  });

  it('says which step it is, and shows no password', async () => {
    await withHttp(
      (_, response) => response.writeHead(404).end(),
      async ({ url }) => {
        await withPlace(async (place) => {
          const events: BuildEvent[] = [];
          const context = url.replace('//', '//user:secret@');
          await assert.rejects(
            place.build({ context, onEvent: (event) => events.push(event) }),
            (error) => hasCode(error, 'ERR_DOWNLOAD_FAILED') && error.details.status === 404,
          );
          assert.match(JSON.stringify(events), /load build context from http:/);
          assert.doesNotMatch(JSON.stringify(events), /secret/);
        });
      },
    );
  });
});

describe('a tar as context', () => {
  it('has archives for ADD, hard links, and a hint for what is ignored (CP-21)', async () => {
    await withPlace(async (place) => {
      const inner = gzipSync(tar([{ name: 'unpacked', content: 'x' }]));
      const members = [
        { name: 'inner.tgz', content: inner },
        { name: 'link.tgz', type: '1', link: 'inner.tgz' },
        { name: 'hidden', content: '' },
        { name: '.dockerignore', content: 'hidden' },
      ];
      const context = (dockerfile: string) =>
        tar([...members, { name: 'Dockerfile', content: dockerfile }]);
      const added = await place.build({ context: context('FROM scratch\nADD link.tgz /\n') });
      assert.deepEqual(added.names, ['unpacked']);
      const copied = await place.build({ context: context('FROM scratch\nCOPY *.tgz /\n') });
      assert.deepEqual(copied.names, ['inner.tgz', 'link.tgz']);
      await assert.rejects(
        place.build({ context: context('FROM scratch\nCOPY hidden /\n') }),
        (error) => hasCode(error, 'ERR_SOURCE_MISSING') && /ignore file/.test(error.hint ?? ''),
      );
    });
  });

  it('is not waited for when the build is aborted, and leaves no file', async () => {
    await withPlace(async (place) => {
      const controller = new AbortController();
      const reason = new Error('enough');
      // Like a pipe whose other end is quiet: more is asked for when the first bytes were taken.
      const context = new Readable({
        highWaterMark: 1,
        read: () => setImmediate(() => controller.abort(reason)),
      });
      context.push(tar([{ name: 'a', content: 'a' }]));
      const building = place.build({ context, signal: controller.signal });
      await assert.rejects(building, (error) => error === reason);
      assert.ok(context.destroyed);
    });
  });

  for (const what of ['context', 'dockerfile'] as const) {
    it(`is not waited for as a ${what} that never answers, and is told to end`, async () => {
      await withPlace(async (place) => {
        const controller = new AbortController();
        const reason = new Error('enough');
        let isTold = false;
        const silent: AsyncIterable<Uint8Array> = {
          [Symbol.asyncIterator]: () => ({
            next: () => {
              setImmediate(() => controller.abort(reason));
              return new Promise(() => undefined);
            },
            return: () => {
              isTold = true;
              return new Promise(() => undefined);
            },
          }),
        };
        const given = { context: place.base, [what]: silent };
        const building = place.build({ ...given, signal: controller.signal });
        await assert.rejects(building, (error) => error === reason);
        assert.ok(isTold);
      });
    });
  }

  it('hits the cache when only its times have changed', async () => {
    await withPlace(async (place) => {
      const context = (mtime: number) =>
        tar([
          { name: 'Dockerfile', content: COPY_ALL, mtime },
          { name: 'a', content: 'a', mtime },
        ]);
      await place.build({ context: context(1) });
      const { ran } = await place.build({ context: context(2) });
      assert.ok(!ran.some((name) => name.includes('COPY')), ran.join());
    });
  });
});

describe('a Dockerfile outside of the context', () => {
  it('is read by its path, absolute, relative or through a symlink (CTX-1, CTX-2)', async () => {
    await withPlace(async (place) => {
      await place.write({ 'context/a': '', 'other/D': COPY_ALL, 'other/D.dockerignore': 'ln' });
      const context = join(place.base, 'context');
      await symlink('../other/D', join(context, 'ln'));
      const path = join(place.base, 'other/D');
      for (const dockerfile of [path, relative(process.cwd(), path)]) {
        assert.deepEqual((await place.build({ context, dockerfile })).names, ['a']);
      }
      // Its ignore file is the one beside the name that was given.
      const { names } = await place.build({ context, dockerfile: join(context, 'ln') });
      assert.deepEqual(names, ['a', 'ln']);
    });
  });

  it('may be given as bytes', async () => {
    await withPlace(async (place) => {
      await place.write({ 'context/a': '' });
      const dockerfile = Buffer.from(COPY_ALL);
      const { names } = await place.build({ context: join(place.base, 'context'), dockerfile });
      assert.deepEqual(names, ['a']);
    });
  });

  it('goes with the ignore file that is named (IGN-9)', async () => {
    await withPlace(async (place) => {
      await place.write({
        'c/a': '',
        'c/b': '',
        'c/Dockerfile': COPY_ALL,
        'c/.dockerignore': 'a',
        mine: '*\n!a',
      });
      const ignoreFile = join(place.base, 'mine');
      const { names } = await place.build({ context: join(place.base, 'c'), ignoreFile });
      assert.deepEqual(names, ['a']);
    });
  });

  it('goes with .containerignore where there is no .dockerignore (IGN-9)', async () => {
    await withPlace(async (place) => {
      await place.write({
        'c/a': '',
        'c/Containerfile': COPY_ALL,
        'c/.containerignore': 'C*\n.c*',
      });
      assert.deepEqual((await place.build({ context: join(place.base, 'c') })).names, ['a']);
    });
  });
});
