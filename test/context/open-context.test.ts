import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { type Helper, openHelper } from '../../native/index.ts';
import { download } from '../../src/context/download.ts';
import { readIgnoreFile } from '../../src/context/ignore-file.ts';
import {
  type ContextTools,
  type OpenContext,
  openContext,
  preferDirectory,
} from '../../src/context/open-context.ts';
import { type Given, parseContext } from '../../src/context/source.ts';
import { hasCode } from '../../src/errors.ts';
import type { Entry } from '../../src/tree/entry.ts';
import { indexFromBytes } from '../../src/tree/layer-index.ts';
import { withHttp } from '../support/http-server.ts';
import { itUnless, missing } from '../support/missing.ts';
import { HELPER } from '../support/sandbox.ts';
import { tar, type TarMember } from '../support/tar.ts';
import { withDirectory } from '../support/temporary.ts';

describe('openContext()', () => {
  let helper: Helper;
  before(async () => {
    helper = await openHelper({ mode: 'plain', binary: HELPER });
  });
  after(async () => {
    await helper.close();
  });

  async function withOpen(
    use: (open: (given: Given, single?: 'file') => Promise<OpenContext>) => Promise<void>,
    git?: ContextTools['fetchGit'],
  ): Promise<void> {
    await withDirectory(async (base) => {
      let count = 0;
      const temporary = async (what: string) => join(base, `${what}-${count++}`);
      const { signal } = new AbortController();
      const tools: ContextTools = {
        helper: async () => helper,
        temporary,
        statCache: () => temporary('stat'),
        fetchFile: async (url) => {
          const path = await temporary('download');
          const result = await download(url, path, { signal, delays: [] });
          assert.ok(result !== undefined);
          return { path, ...result };
        },
        fetchGit: git ?? (() => Promise.reject(new Error('no git'))),
        signal,
      };
      await use(async (given, single) => {
        const source = await preferDirectory(parseContext(given));
        return await openContext(source, { tools, single: single ?? 'dockerfile' });
      });
    });
  }

  async function entries(context: OpenContext): Promise<readonly Entry[]> {
    const ignore = await readIgnoreFile({ files: context.files });
    const { index } = await context.scan(ignore);
    return [...indexFromBytes(await readFile(index)).within('')];
  }

  async function paths(context: OpenContext): Promise<readonly string[]> {
    return (await entries(context)).map(({ path }) => path);
  }

  const MEMBERS: readonly TarMember[] = [
    { name: './', type: '5', mode: 0o755 },
    { name: './Dockerfile', content: 'FROM scratch\n', mtime: 5 },
    { name: './a', content: 'aaa', uid: 7, mode: 0o640, mtime: 9 },
  ];
  const plain = tar(MEMBERS);
  const compressed: Readonly<Record<string, () => Buffer>> = {
    'no program': () => plain,
    gzip: () => gzipSync(plain),
    zstd: () => zstdCompressSync(plain),
    bzip2: () => execFileSync('bzip2', ['-c'], { input: plain }),
    xz: () => execFileSync('xz', ['-c'], { input: plain }),
  };
  for (const [program, compress] of Object.entries(compressed)) {
    const needs = ['bzip2', 'xz'].includes(program) ? missing(program) : undefined;
    itUnless(needs)(`lists a tar that was compressed by ${program} (CTX-1, CTX-5)`, async () => {
      await withOpen(async (open) => {
        const context = await open(compress());
        assert.equal(context.dockerfile, undefined);
        assert.equal(await context.files.readText('Dockerfile'), 'FROM scratch\n');
        assert.deepEqual(await paths(context), ['Dockerfile', 'a']);
      });
    });
  }

  it('keeps modes, times and owners of a tar (CTX-10, CP-12)', async () => {
    await withOpen(async (open) => {
      const [, a] = await entries(await open(plain));
      assert.deepEqual([a?.mode, a?.uid, a?.mtime], [0o640, 7, 9]);
    });
  });

  it('takes a stream, in whatever pieces it comes', async () => {
    await withOpen(async (open) => {
      const pieces = Array.from({ length: 64 }, (_, i) =>
        plain.subarray((i * plain.length) / 64, ((i + 1) * plain.length) / 64),
      );
      assert.deepEqual(await paths(await open(Readable.from(pieces))), ['Dockerfile', 'a']);
    });
  });

  it('takes a text for a Dockerfile that needs no files (CTX-1, CTX-5)', async () => {
    await withOpen(async (open) => {
      const context = await open(Buffer.from('FROM scratch\n'));
      assert.equal(context.dockerfile, 'FROM scratch\n');
      assert.deepEqual(await paths(context), []);
    });
  });

  for (const [what, bytes] of [
    ['what is neither', Buffer.from([1, 2, 0, 3])],
    ['a compressed text', gzipSync('FROM scratch\n')],
    ['a tar without a member', Buffer.alloc(1024)],
  ] as const) {
    it(`rejects ${what} (CTX-5)`, async () => {
      await withOpen(async (open) => {
        await assert.rejects(open(bytes), {
          code: 'ERR_CONTEXT_UNSUPPORTED',
          message:
            'Cannot use standard input as the build context: it is neither an archive nor a Dockerfile',
        });
      });
    });
  }

  it('applies a tar’s own ignore file, and lists it no less (IGN-6, IGN-7)', async () => {
    await withOpen(async (open) => {
      const context = await open(
        tar([
          ...MEMBERS,
          { name: '.dockerignore', content: 'Dockerfile\nx/*\n!x/keep\n' },
          { name: 'x/', type: '5', mode: 0o755 },
          { name: 'x/drop', content: '' },
          { name: 'x/keep', content: '' },
        ]),
      );
      assert.deepEqual(await paths(context), ['.dockerignore', 'a', 'x', 'x/keep']);
      assert.equal(await context.files.readText('Dockerfile'), 'FROM scratch\n');
    });
  });

  it('knows what was left out, for the message of a COPY', async () => {
    await withOpen(async (open) => {
      const context = await open(tar([...MEMBERS, { name: '.dockerignore', content: 'a\n' }]));
      const scanned = await context.scan(await readIgnoreFile({ files: context.files }));
      assert.ok(scanned.kind === 'archive');
      assert.deepEqual(['a', 'b', 'Dockerfile'].map(scanned.isIgnored), [true, false, false]);
    });
  });

  it('gives equal tars one identity, whatever their times', async () => {
    await withOpen(async (open) => {
      const identity = async (members: readonly TarMember[]) =>
        (await (await open(tar(members))).scan(undefined)).identity;
      const later = MEMBERS.map((member) => ({ ...member, mtime: 77 }));
      assert.equal(await identity(later), await identity(MEMBERS));
      assert.notEqual(await identity([{ name: 'a', content: 'b' }]), await identity(MEMBERS));
    });
  });

  it('follows a Dockerfile that is a symlink in a tar, and none that leads out (CTX-2, CTX-9)', async () => {
    await withOpen(async (open) => {
      const { files } = await open(
        tar([
          { name: 'docker/file', content: 'inside' },
          { name: 'Dockerfile', type: '2', link: 'docker/../docker/file' },
          { name: 'dockerfile', type: '2', link: '/docker/file' },
          { name: 'out', type: '2', link: '../../../../../../etc/passwd' },
        ]),
      );
      assert.equal(await files.readText('Dockerfile'), 'inside');
      assert.equal(await files.readText('dockerfile'), 'inside');
      assert.equal(await files.readText('out'), undefined);
      await assert.rejects(files.readText('docker'), { message: 'it is a directory' });
    });
  });

  const hostile: readonly (readonly [string, readonly TarMember[]])[] = [
    ['a name that leads out', [{ name: '../x', content: '' }]],
    ['a name that leads out in the middle', [{ name: 'a/../../x', content: '' }]],
    ['a hard link to what is outside', [{ name: 'x', type: '1', link: '../etc/passwd' }]],
    ['a hard link to what it does not have', [{ name: 'x', type: '1', link: 'etc/passwd' }]],
    [
      'a file below a symlink',
      [
        { name: 'x', type: '2', link: '/etc' },
        { name: 'x/y', content: '' },
      ],
    ],
  ];
  for (const [what, members] of hostile) {
    it(`rejects a tar with ${what} (CTX-9)`, async () => {
      await withOpen(async (open) => {
        await assert.rejects(
          open(tar([...MEMBERS, ...members])),
          (error) => hasCode(error, 'ERR_LAYER_UNSAFE_PATH') || hasCode(error, 'ERR_LAYER_INVALID'),
        );
      });
    });
  }

  it('takes an absolute name for one below the root, and lists symlinks and devices as what they are (CTX-9)', async () => {
    await withOpen(async (open) => {
      const listed = await entries(
        await open(
          tar([
            { name: '/etc/x', content: '' },
            { name: 'link', type: '2', link: '/etc/shadow' },
            { name: 'null', type: '3', device: [1, 3] },
          ]),
        ),
      );
      const kinds = listed.map(({ path, type }) => `${path} ${type}`);
      assert.deepEqual(kinds, ['etc directory', 'etc/x file', 'link symlink', 'null character']);
    });
  });

  it('dates a tar by its newest member, and a download by its server (ARG-9)', async () => {
    const date = 'Tue, 14 Nov 2023 22:13:20 GMT';
    await withOpen(async (open) => {
      assert.equal((await open(plain)).epoch, 9);
      await withHttp(
        (request, response) =>
          response
            .writeHead(200, request.url === '/dated' ? { 'last-modified': date } : {})
            .end(plain),
        async ({ url }) => {
          assert.equal((await open(`${url}/dated`)).epoch, 1_700_000_000);
          assert.equal((await open(`${url}/x`)).epoch, 9);
        },
      );
      await withDirectory(async (directory) => {
        assert.equal((await open(directory)).epoch, undefined);
      });
    });
  });

  it('fetches an address: a tar, or a Dockerfile (CTX-5)', async () => {
    await withHttp(
      (request, response) =>
        response.end(request.url === '/tar' ? gzipSync(plain) : 'FROM scratch'),
      async ({ url }) => {
        await withOpen(async (open) => {
          assert.deepEqual(await paths(await open(`${url}/tar`)), ['Dockerfile', 'a']);
          assert.equal((await open(`${url}/Dockerfile`)).dockerfile, 'FROM scratch');
        });
      },
    );
  });

  it('names an address that is no context, without the password (CTX-5)', async () => {
    await withHttp(
      (_, response) => response.end('a\0b'),
      async ({ url }) => {
        await withOpen(async (open) => {
          await assert.rejects(open(url.replace('//', '//user:secret@')), {
            code: 'ERR_CONTEXT_UNSUPPORTED',
            message: `Cannot use "${url}" as the build context: it is neither an archive nor a Dockerfile`,
          });
        });
      },
    );
  });

  it('takes the file of an address for a named context of one file, called "context" (CTX-6)', async () => {
    await withHttp(
      (_, response) => response.end('content'),
      async ({ url }) => {
        await withOpen(async (open) => {
          const [entry, ...more] = await entries(await open(`${url}/name`, 'file'));
          assert.deepEqual([entry?.path, entry?.mode, more], ['context', 0o600, []]);
        });
      },
    );
  });

  it('lists the checkout of a repository, and reads no file outside of it (CTX-3, CTX-9)', async () => {
    await withDirectory(async (directory) => {
      const tree = join(directory, 'tree');
      await mkdir(tree);
      await writeFile(join(directory, 'outside'), 'secret');
      await writeFile(join(tree, 'file'), 'FROM scratch');
      await writeFile(join(tree, 'ignored'), '');
      await writeFile(join(tree, '.dockerignore'), 'ignored');
      await symlink('file', join(tree, 'Dockerfile'));
      await symlink('../outside', join(tree, 'out'));
      const revision = { commit: 'abc', tag: undefined, refName: undefined };
      const checkout = { ...revision, directory: tree, committed: 42, datedBy: undefined };
      await withOpen(
        async (open) => {
          const context = await open('https://example.com/x.git');
          assert.equal(await context.files.readText('Dockerfile'), 'FROM scratch');
          assert.equal(await context.files.readText('out'), undefined);
          assert.equal(context.epoch, 42);
          assert.deepEqual(await paths(context), ['.dockerignore', 'Dockerfile', 'file', 'out']);
        },
        async () => checkout,
      );
    });
  });

  it('prefers a directory to the repository of that name, as docker does (CTX-1)', async () => {
    await withDirectory(async (directory) => {
      const before = process.cwd();
      await mkdir(join(directory, 'github.com/x/y'), { recursive: true });
      process.chdir(directory);
      try {
        const source = await preferDirectory(parseContext('github.com/x/y'));
        assert.deepEqual(source, { kind: 'directory', directory: 'github.com/x/y' });
      } finally {
        process.chdir(before);
      }
    });
  });

  it('rejects a stream that fails', async () => {
    await withOpen(async (open) => {
      const failing = new Readable({ read() {} });
      failing.destroy(new Error('the pipe broke'));
      await assert.rejects(open(failing), {
        code: 'ERR_CONTEXT_MISSING',
        message: 'Cannot read the build context from standard input: the pipe broke',
      });
    });
  });
});
