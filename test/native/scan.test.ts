import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmod,
  copyFile,
  link,
  mkdir,
  readdir,
  readFile,
  rename,
  rm,
  symlink,
  truncate,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { type Helper, type IgnoreRule, openHelper } from '../../native/index.ts';
import { hasCode } from '../../src/errors.ts';
import type { Entry } from '../../src/tree/entry.ts';
import {
  itAsRoot,
  digestOf,
  entriesOf,
  extracted,
  signal,
  withHelper,
} from '../support/data-plane.ts';
import { descendants, HELPER } from '../support/sandbox.ts';
import { withDirectory } from '../support/temporary.ts';

const keep = (regex: string): IgnoreRule => ({ regex, negated: true });
const drop = (regex: string): IgnoreRule => ({ regex, negated: false });

/** Runs with a helper, an empty directory to scan, and a function that scans it. */
async function withContext(
  use: (context: string, scan: Scan, helper: Helper, directory: string) => Promise<void>,
): Promise<void> {
  await withHelper(async (helper, directory) => {
    const context = join(directory, 'context');
    await mkdir(context);
    const scan: Scan = async (options = {}) => {
      const { path = context, ignore = [], format = 'context', statCache } = options;
      const index = join(directory, 'index');
      const cache = statCache === undefined ? {} : { statCache };
      const source = { kind: 'directory', path, format, ignore, ...cache } as const;
      await helper.scan({ source, index }, { signal });
      return await entriesOf(index);
    };
    await use(context, scan, helper, directory);
  });
}

type Scan = (options?: {
  readonly path?: string;
  readonly ignore?: readonly IgnoreRule[];
  readonly format?: 'context' | 'layer';
  readonly statCache?: string;
}) => Promise<readonly Entry[]>;

/** Makes files, and the directories around them. */
async function files(directory: string, names: readonly string[]): Promise<void> {
  for (const name of names) {
    await mkdir(join(directory, name, '..'), { recursive: true });
    await writeFile(join(directory, name), name);
  }
}

const paths = (entries: readonly Entry[]) => entries.map(({ path }) => path);

describe('scan of a build context', () => {
  it('lists in the order of an index, with digests', async () => {
    await withContext(async (context, scan) => {
      await files(context, ['a.b', 'a/x', 'a-', 'b']);
      const entries = await scan();
      assert.deepEqual(paths(entries), ['a', 'a/x', 'a-', 'a.b', 'b']);
      const b = entries.at(-1);
      assert.equal(b?.type === 'file' && b.sha256, digestOf(Buffer.from('b')).slice(7));
    });
  });

  it('leaves out what the last matching rule of a path or its parents ignores (CX-2)', async () => {
    await withContext(async (context, scan) => {
      await files(context, ['a/b/keep', 'a/b/other', 'a/c', 'node_modules/x/y', 'z.log']);
      const ignored = async (...ignore: IgnoreRule[]) => paths(await scan({ ignore }));
      assert.deepEqual(await ignored(drop('node_modules'), drop('(.*/)?[^/]*\\.log')), [
        'a',
        'a/b',
        'a/b/keep',
        'a/b/other',
        'a/c',
      ]);
      // The directories around what is kept are there, and nothing else of them.
      assert.deepEqual(await ignored(drop('.*'), keep('a/b/keep')), ['a', 'a/b', 'a/b/keep']);
      assert.deepEqual(await ignored(drop('.*'), keep('a/b'), drop('a/b/other')), [
        'a',
        'a/b',
        'a/b/keep',
      ]);
      assert.deepEqual(await ignored(drop('.*'), keep('nothing')), []);
    });
  });

  it('takes names that are no UTF-8', async () => {
    await withContext(async (context, scan) => {
      execFileSync('sh', ['-c', `: > "$(printf '${context}/\\377x')"`]);
      assert.deepEqual(paths(await scan({ ignore: [drop('\\?x')] })), ['\u00ffx']);
      assert.deepEqual(paths(await scan({ ignore: [drop('[^/]x')] })), []);
    });
  });

  it('knows hardlinks of everything, symlinks and FIFOs, and leaves sockets out (CTX-10, LAY-1)', async () => {
    await withContext(async (context, scan, helper, directory) => {
      await files(context, ['b', 'ignored/x', 'sub/y']);
      await link(join(context, 'b'), join(context, 'c'));
      await link(join(context, 'ignored/x'), join(context, 'x'));
      await symlink('nowhere', join(context, 'd'));
      await link(join(context, 'd'), join(context, 'sub/d'));
      execFileSync('mkfifo', [join(context, 'e')]);
      await link(join(context, 'e'), join(context, 'sub/e'));
      const server = createServer().listen(join(context, 'sub/f'));
      await once(server, 'listening');
      const entries = await scan({ ignore: [drop('ignored')] });
      const source = { kind: 'directory', path: context, format: 'context', ignore: [] } as const;
      const reply = await helper.scan({ source, index: join(directory, 'index') }, { signal });
      await new Promise((resolve) => server.close(resolve));
      const found = entries.map((entry) => [
        entry.path,
        entry.type,
        'target' in entry ? entry.target : 'size' in entry ? entry.size : undefined,
      ]);
      assert.deepEqual(found, [
        ['b', 'file', 1],
        ['c', 'hardlink', 'b'],
        ['d', 'symlink', 'nowhere'],
        ['e', 'fifo', undefined],
        ['sub', 'directory', undefined],
        ['sub/d', 'hardlink', 'd'],
        ['sub/e', 'hardlink', 'e'],
        ['sub/y', 'file', 5],
        ['x', 'file', 9],
      ]);
      assert.deepEqual(reply.sockets, ['sub/f']);
    });
  });

  it('refuses a tree that is too deep to be walked, and goes on serving', async () => {
    await withContext(async (context, scan, helper) => {
      const deeper = 'i=0; while [ $i -lt 400 ]; do mkdir d && cd -P d || exit; i=$((i+1)); done';
      execFileSync('sh', ['-c', deeper], { cwd: context });
      await assert.rejects(scan(), /ENAMETOOLONG/);
      assert.deepEqual(paths(await scan({ ignore: [drop('^d$')] })), []);
      await helper.remove({ paths: [join(context, 'd')] }, { signal });
    });
  });

  it('follows the root when it is a symlink', async () => {
    await withContext(async (context, scan, _helper, directory) => {
      await files(context, ['a']);
      await symlink(context, join(directory, 'link'));
      assert.deepEqual(paths(await scan({ path: join(directory, 'link') })), ['a']);
    });
  });

  it('keeps the user’s attributes, and not those of the system', async () => {
    await withContext(async (context, scan) => {
      await files(context, ['a']);
      for (const name of ['user.note', 'user.overlay.opaque']) {
        execFileSync('setfattr', ['-n', name, '-v', 'y', join(context, 'a')]);
      }
      const [entry] = await scan();
      assert.deepEqual(entry?.xattrs, [['user.note', 'y']]);
    });
  });

  it('takes no attribute of a layer for an opaque mark but overlayfs’s own', async () => {
    await withContext(async (context, scan) => {
      await mkdir(join(context, 'd'));
      // What the kernel makes of a command that sets user.overlay.opaque.
      execFileSync('setfattr', [
        '-n',
        'user.overlay.overlay.opaque',
        '-v',
        'y',
        join(context, 'd'),
      ]);
      const [entry] = await scan({ format: 'layer' });
      assert.equal(entry?.type === 'directory' && entry.opaque, undefined);
    });
  });

  itAsRoot(
    'leaves out what it may not read, and names it unless it is ignored (CTX-8)',
    async () => {
      await withDirectory(async (directory) => {
        await files(directory, ['context/a', 'context/b', 'context/secret/x']);
        await chmod(join(directory, 'context/secret'), 0o700);
        await chmod(join(directory, 'context/b'), 0o600);
        await link(join(directory, 'context/b'), join(directory, 'context/c'));
        await copyFile(HELPER, join(directory, 'helper'));
        const user = `exec setpriv --reuid=4321 --regid=4321 --clear-groups "$0-as-root" "$@"`;
        await rename(join(directory, 'helper'), join(directory, 'user-as-root'));
        await writeFile(join(directory, 'user'), `#!/bin/sh\n${user}\n`, { mode: 0o755 });
        await mkdir(join(directory, 'out'), { mode: 0o777 });
        for (const name of ['', 'out']) await chmod(join(directory, name), 0o777);
        const helper = await openHelper({ mode: 'plain', binary: join(directory, 'user') });
        const scan = async (...ignore: IgnoreRule[]) => {
          const index = join(directory, 'out/index');
          const path = join(directory, 'context');
          const source = { kind: 'directory', path, format: 'context', ignore } as const;
          const { unreadable } = await helper.scan({ source, index }, { signal });
          return { listed: paths(await entriesOf(index)), unreadable };
        };
        try {
          const listed = ['a'];
          const ignored = await scan(drop('^secret$'), keep('^other$'));
          assert.deepEqual(ignored, { listed, unreadable: ['b', 'c'] });
          assert.deepEqual(await scan(), { listed, unreadable: ['b', 'c', 'secret'] });
        } finally {
          await helper.close();
        }
      });
    },
  );

  it('remembers digests, and notices a change that keeps size and mtime', async () => {
    await withContext(async (context, scan, _helper, directory) => {
      const statCache = join(directory, 'stat');
      await files(context, ['a', 'b']);
      const time = new Date(1_000_000_000_000);
      await utimes(join(context, 'a'), time, time);
      execFileSync('setfattr', ['-n', 'user.note', '-v', 'y', join(context, 'a')]);
      // Files older than the scan are not racy.
      await setTimeout(20);
      const first = await scan({ statCache });
      const remembered = await readFile(statCache);
      assert.deepEqual(await scan({ statCache }), first);
      assert.deepEqual(await readFile(statCache), remembered, 'nothing new, nothing written');
      await writeFile(join(context, 'a'), 'A');
      await utimes(join(context, 'a'), time, time);
      const [a] = await scan({ statCache });
      assert.equal(a?.type === 'file' && a.sha256, digestOf(Buffer.from('A')).slice(7));
    });
  });

  it('writes what it remembers beside the index first: a helper that is killed leaves nothing elsewhere', async () => {
    await withContext(async (context, scan, _helper, directory) => {
      const memories = join(directory, 'stat');
      await mkdir(memories);
      await files(context, ['large']);
      await truncate(join(context, 'large'), 2 ** 36); // Hashed for longer than anybody waits.
      const scanning = scan({ statCache: join(memories, 'context') });
      const failed = assert.rejects(scanning, (error) => hasCode(error, 'ERR_HELPER_FAILED'));
      const isBegun = async () =>
        (await readdir(directory)).some((name) => name.startsWith('.context.'));
      while (!(await isBegun())) await setTimeout(5);
      assert.deepEqual(await readdir(memories), []);
      for (const pid of await descendants(process.pid)) process.kill(pid, 'SIGKILL');
      await failed;
      assert.deepEqual(await readdir(memories), []);
    });
  });

  it('rehashes a file that was changed in the tick of the scan before', async () => {
    await withContext(async (context, scan, _helper, directory) => {
      const statCache = join(directory, 'stat');
      for (let round = 0; round < 30; round++) {
        const text = String(round % 10);
        await writeFile(join(context, 'a'), text);
        const [a] = await scan({ statCache });
        assert.equal(a?.type === 'file' && a.sha256, digestOf(Buffer.from(text)).slice(7));
      }
    });
  });

  it('ignores a stat cache that is torn or foreign, and replaces it', async () => {
    await withContext(async (context, scan, _helper, directory) => {
      const statCache = join(directory, 'stat');
      await files(context, ['a', 'b/c']);
      await setTimeout(20);
      const first = await scan({ statCache });
      const whole = await readFile(statCache);
      const flipped = Buffer.from(whole);
      flipped[60] = (flipped[60] ?? 0) ^ 1;
      for (const bytes of [whole.subarray(0, 50), Buffer.from('something else'), flipped]) {
        await writeFile(statCache, bytes);
        assert.deepEqual(await scan({ statCache }), first);
        assert.equal((await readFile(statCache)).length, whole.length);
      }
    });
  });

  it('remembers digests beside what a killed scan of the same process id left', async () => {
    await withContext(async (context, scan, _, directory) => {
      await files(context, ['a']);
      const statCache = join(directory, 'cache');
      const pid = execFileSync('pgrep', ['-n', '-P', `${process.pid}`, 'tsbuild-helper'])
        .toString()
        .trim();
      for (const number of [0, 1, 2, 3]) {
        await writeFile(join(directory, `.cache.${pid}-${number}.tmp`), '');
      }
      await scan({ statCache });
      assert.equal((await readdir(directory)).includes('cache'), true);
    });
  });

  it('rejects a directory that is not there, and leaves nothing', async () => {
    await withContext(async (context, scan, _helper, directory) => {
      await rm(context, { recursive: true });
      await assert.rejects(
        scan({ statCache: join(directory, 'stat') }),
        (error) => hasCode(error, 'ERR_HELPER_FAILED') && /no such file/.test(error.message),
      );
      assert.deepEqual(await readdir(directory), []);
    });
  });
});

describe('scan of a layer directory', () => {
  itAsRoot('finds what extract was told, whiteouts and opaque marks too', async () => {
    await withContext(async (_context, scan, helper, directory) => {
      const entries = await extracted(helper, directory, [
        { name: 'd/', type: '5', mode: 0o700, mtime: 5 },
        { name: 'd/.wh..wh..opq' },
        { name: 'd/.wh.gone' },
        { name: 'd/z', content: 'x', uid: 9, pax: { mtime: '7.125', 'SCHILY.xattr.user.a': 'b' } },
        { name: 'd/a', type: '1', link: 'd/z' },
        { name: 'null', type: '3', device: [1, 3] },
      ]);
      const scanned = await scan({ path: join(directory, 'layer'), format: 'layer' });
      assert.deepEqual(scanned, entries);
    });
  });
});
