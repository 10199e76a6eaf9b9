import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile, utimes, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { buffer, text } from 'node:stream/consumers';
import { withDirectory } from '../support/temporary.ts';

interface Ended {
  readonly code: number | null;
  readonly stdout: Buffer;
  readonly stderr: string;
}

/** The command as a process, with a store of its own below `folder`. */
function start(
  folder: string,
  argv: readonly string[],
  env: Readonly<Record<string, string>> = {},
) {
  const child = spawn(process.execPath, ['src/cli/entry.ts', ...argv], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      PATH: process.env['PATH'],
      HOME: folder,
      TSBUILD_STORE: join(folder, 'store'),
      XDG_CACHE_HOME: join(folder, 'cache'),
      ...env,
    },
  });
  const ended = Promise.all([buffer(child.stdout), text(child.stderr), once(child, 'close')]).then(
    ([stdout, stderr]): Ended => ({ code: child.exitCode, stdout, stderr }),
  );
  return { child, ended };
}

/** A context with these files. */
async function createContext(folder: string, files: Readonly<Record<string, string>>) {
  const context = join(folder, 'context');
  await mkdir(context);
  for (const [name, content] of Object.entries(files)) {
    await writeFile(join(context, name), content);
    await utimes(join(context, name), 1, 1); // times of files are part of a layer
  }
  return context;
}

async function run(
  files: Readonly<Record<string, string>>,
  argv: readonly string[] = [],
  env: Readonly<Record<string, string>> = {},
): Promise<Ended> {
  return withDirectory(async (folder) => {
    const context = await createContext(folder, files);
    return start(folder, [...argv, context], env).ended;
  });
}

const COPY = { Dockerfile: 'FROM scratch\nCOPY a /b\n', a: 'text' };

describe('tsbuild', () => {
  it('prints its version on stdout', async () => {
    const { version } = JSON.parse(await readFile('package.json', 'utf8')) as { version: string };
    const { code, stdout, stderr } = await withDirectory((f) => start(f, ['--version']).ended);
    assert.deepEqual([code, stdout.toString(), stderr], [0, `tsbuild ${version}\n`, '']);
  });

  it('builds, with progress on stderr and nothing on stdout', async () => {
    const { code, stdout, stderr } = await run(COPY, ['--builder=x']);
    assert.equal(code, 0, stderr);
    assert.equal(stdout.length, 0);
    assert.match(stderr, /^WARNING: The flag "--builder" has no effect here$/m);
    assert.match(stderr, /^#1 \[1\/1\] COPY a \/b\n#1 DONE \d+\.\ds$/m);
  });

  it('prints the digest alone with --quiet, the same for the same input', async () => {
    const env = { SOURCE_DATE_EPOCH: '0' };
    const results = [await run(COPY, ['-q'], env), await run(COPY, ['--progress=quiet'], env)];
    for (const { code, stdout, stderr } of results) {
      assert.deepEqual([code, stderr], [0, '']);
      assert.match(stdout.toString(), /^sha256:[0-9a-f]{64}\n$/);
    }
    assert.deepEqual(results[0]?.stdout, results[1]?.stdout);
  });

  it('writes an archive to stdout, and nothing else', async () => {
    const { code, stdout, stderr } = await run(COPY, ['-o', 'type=oci,dest=-']);
    assert.equal(code, 0, stderr);
    assert.equal(stdout.toString('latin1', 257, 262), 'ustar');
    assert.equal(stdout.length % 512, 0);
  });

  const failures: readonly {
    readonly what: string;
    readonly files: Readonly<Record<string, string>>;
    readonly argv?: readonly string[];
    readonly code: number;
    readonly says: RegExp;
  }[] = [
    {
      what: 'an unknown flag',
      files: COPY,
      argv: ['--quite'],
      code: 2,
      says: /the flag "--quite" \[ERR_USAGE\]\nhint: Did you mean "--quiet"\?\n$/,
    },
    { what: 'a missing Dockerfile', files: {}, code: 2, says: /\[ERR_DOCKERFILE_MISSING\]/ },
    {
      what: 'a flag that is not here yet',
      files: COPY,
      argv: ['--squash'],
      code: 2,
      says: /"--squash".*\[ERR_UNSUPPORTED\]\nhint: /,
    },
    {
      what: 'an unknown instruction',
      files: { Dockerfile: 'FROM scratch\nCOPPY a b\n' },
      code: 1,
      says: /^Dockerfile:2\n-+\n {3}1 \| {5}FROM scratch\n {3}2 \| >>> COPPY a b\n[^]*COPY/m,
    },
    {
      what: 'a missing source',
      files: { Dockerfile: 'FROM scratch\nCOPY none /\n' },
      code: 1,
      says: /^ {3}2 \| >>> COPY none \/\n[^]*\[ERR_SOURCE_MISSING\]/m,
    },
    {
      what: 'an unknown stage',
      files: COPY,
      argv: ['--target=none'],
      code: 2,
      says: /\[ERR_STAGE_UNKNOWN\]/,
    },
    {
      what: 'a registry that does not answer',
      files: { Dockerfile: 'FROM 127.0.0.1:1/none\nCOPY Dockerfile /\n' },
      code: 3,
      says: /^ {3}1 \| >>> FROM 127\.0\.0\.1:1\/none\n[^]*\[ERR_REGISTRY_UNREACHABLE\]/m,
    },
    {
      what: 'an output that cannot be written',
      files: COPY,
      argv: ['-o', 'type=oci,dest=/dev/null/image.tar'],
      code: 4,
      says: /\[ERR_OUTPUT_FAILED\]/,
    },
  ];
  for (const { what, files, argv, code, says } of failures) {
    it(`ends with ${code} for ${what}, and says so on stderr alone`, async () => {
      const ended = await run(files, argv);
      assert.equal(ended.code, code, ended.stderr);
      assert.equal(ended.stdout.length, 0);
      assert.match(ended.stderr, says);
    });
  }

  it('ends with 2 for a context that is not there', async () => {
    const { code, stderr } = await withDirectory((f) => start(f, [join(f, 'none')]).ended);
    assert.equal(code, 2, stderr);
    assert.match(stderr, /\[ERR_CONTEXT_MISSING\]/);
  });

  it('ends with 4 for a store that cannot be used', async () => {
    const { code, stderr } = await run(COPY, [], { TSBUILD_STORE: '/dev/null/store' });
    assert.equal(code, 4, stderr);
    assert.match(stderr, /\[ERR_STORE_UNUSABLE\]/);
  });

  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    it(`ends with 130 after ${signal}, when it has cleaned up`, async () => {
      await withDirectory(async (folder) => {
        // A registry that never answers holds the build.
        const server = createServer(() => undefined).listen(0, '127.0.0.1');
        await once(server, 'listening');
        const { port } = server.address() as AddressInfo;
        const Dockerfile = `FROM 127.0.0.1:${port}/x\nCOPY Dockerfile /\n`;
        const context = await createContext(folder, { Dockerfile });
        const { child, ended } = start(folder, [context]);
        await once(server, 'request');
        child.kill(signal);
        const { code, stderr } = await ended;
        server.closeAllConnections();
        server.close();
        assert.equal(code, 130, stderr);
        assert.doesNotMatch(stderr, /ERROR/);
      });
    });
  }
});
