/** Files of every kind: into a layer, out of it by umoci and by a RUN, and into a layer again, unchanged. */

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { acceptedBundle, outputsIn, whyNoJudges } from '../support/accepted.ts';
import { type Account, whyNoAccount, withAccount } from '../support/accounts.ts';
import { busyboxBase } from '../support/busybox-base.ts';
import { readLayers } from '../support/layer-entries.ts';
import { itUnless, missing } from '../support/missing.ts';
import { describeFiles, makeOddFiles, whyNoOddFiles } from '../support/odd-files.ts';
import { digestOf } from '../support/plain-output.ts';
import { tar } from '../support/tar.ts';
import { writeTarLayout } from '../support/tar-layout.ts';

const execute = promisify(execFile);
const test = itUnless(
  whyNoAccount('root') ?? whyNoOddFiles() ?? whyNoJudges() ?? missing('busybox', 'python3'),
);

/** Builds a Dockerfile; its outputs and digest. */
async function built(
  account: Account,
  dockerfile: string,
  context: string,
  name: string,
  ...more: readonly string[]
) {
  const file = join(account.home, `${name}.Dockerfile`);
  await writeFile(file, dockerfile);
  const outputs = outputsIn(account.home, name);
  const base = `base=oci-layout://${account.home}/busybox`;
  const flags = ['-f', file, '--build-context', base, ...more, ...outputs.flags, context];
  const outcome = await account.tsbuild(flags);
  assert.equal(outcome.code, 0, outcome.stderr);
  return { ...outputs, digest: digestOf(outcome), stderr: outcome.stderr };
}

/** The same in an empty context, where `FROM foreign` is the layout of that name in the home. */
async function builtOnForeign(account: Account, dockerfile: string) {
  const empty = join(account.home, 'empty');
  await mkdir(empty);
  const foreign = `foreign=oci-layout://${account.home}/foreign`;
  return await built(account, dockerfile, empty, 'image', '--build-context', foreign);
}

/** MiB. */
async function diskUse(path: string): Promise<number> {
  const { stdout } = await execute('du', ['-s', '--block-size=1M', path]);
  return Number.parseInt(stdout, 10);
}

describe('files of every kind in an image', function () {
  this.timeout(120_000);

  test('are the same when umoci has unpacked them, and make the same layer again (CP-19, CTX-10)', async () => {
    await withAccount('root', async (account) => {
      const context = join(account.home, 'files');
      await makeOddFiles(context);
      const image = await built(account, 'FROM scratch\nCOPY . /\n', context, 'first');
      const bundle = await acceptedBundle(account, image, image.digest);
      // A context's files are root's; a FIFO or symlink with two names is two of them in a COPY.
      await execute('chown', ['-h', '0:0', join(context, 'd/owned')]);
      await execute('chmod', ['0440', join(context, 'd/owned')]);
      await execute('touch', ['-r', join(context, 'run'), join(context, 'd/owned')]);
      for (const name of ['d/symlink', 'l/fifo']) {
        const path = join(context, name);
        await execute('sh', ['-ec', `cp -a ${path} ${path}.new && mv ${path}.new ${path}`]);
      }
      await execute('touch', ['-r', join(context, 'run'), join(context, 'd'), join(context, 'l')]);
      assert.equal(await describeFiles(bundle.root), await describeFiles(context));

      await rm(join(account.home, 'store'), { recursive: true });
      const again = await built(account, 'FROM scratch\nCOPY . /\n', bundle.root, 'again');
      const { diffIDs } = await readLayers(image.layout);
      assert.deepEqual((await readLayers(again.layout)).diffIDs, diffIDs);
    });
  });

  test('are read by Python as they are by umoci, with owners beyond a field of ustar (LAY-1)', async () => {
    await withAccount('root', async (account) => {
      const context = join(account.home, 'files');
      await makeOddFiles(context);
      const dockerfile = 'FROM scratch\nCOPY --chown=70000:3000000 . /\n';
      const image = await built(account, dockerfile, context, 'owned');
      const python = `
import json, sys, tarfile
index = json.load(open(sys.argv[1] + '/index.json'))
blob = lambda d: sys.argv[1] + '/blobs/' + d['digest'].replace(':', '/')
layer = blob(json.load(open(blob(index['manifests'][0])))['layers'][0])
members = {m.name: m for m in tarfile.open(layer)}
assert all((m.uid, m.gid) == (70000, 3000000) for m in members.values()), 'owners'
assert oct(members['run'].mode if members['run'].isreg() else members['l/run'].mode) == '0o4755'
assert members['null'].ischr() and (members['null'].devmajor, members['null'].devminor) == (1, 3)
assert members['no\\udcffutf8'].size == 5 and members['a\\nline'].size == 4
assert 'n' * 200 in members and members['l/long'].linkname == 't' * 150
assert members['cap'].pax_headers['SCHILY.xattr.user.note'] == 'a value'
assert 'SCHILY.xattr.security.capability' in members['cap'].pax_headers
assert members['fifo'].isfifo() and members['d/empty'].isdir()
assert members['cap'].pax_headers['mtime'].startswith('1612325106.123456')
`;
      await execute('python3', ['-c', python, image.layout]);
    });
  });

  test('keep their holes through a RUN, COPY --from and the store', async () => {
    await withAccount('root', async (account) => {
      await busyboxBase(account);
      const context = join(account.home, 'context');
      await mkdir(context);
      await execute('truncate', ['-s', '120M', join(context, 'from-context')]);
      const image = await built(
        account,
        `FROM base AS made
COPY from-context /
RUN dd if=/dev/null of=/from-run bs=1 seek=150000000 2> /dev/null && echo end >> /from-run
FROM base
COPY --from=made /from-context /from-run /
RUN test $(wc -c < /from-run) = 150000004 && test $(tail -n 1 /from-run) = end
`,
        context,
        'sparse',
      );
      // One of them without its hole would be more.
      assert.ok((await diskUse(join(account.home, 'store'))) < 40);
      const bundle = await acceptedBundle(account, image, image.digest);
      const { size } = JSON.parse(
        (await execute('stat', ['-c', '{"size":%s}', join(bundle.root, 'from-run')])).stdout,
      ) as { readonly size: number };
      assert.equal(size, 150_000_004);
    });
  });

  test('are unpacked by ADD from sparse members of any size (CP-21)', async () => {
    await withAccount('root', async (account) => {
      const context = join(account.home, 'context');
      await mkdir(context);
      const make =
        'printf front > s; truncate -s 200M s; printf end >> s; tar -cSf s.tar s; sha256sum < s; rm s';
      const { stdout } = await execute('sh', ['-ec', make], { cwd: context });
      const image = await built(account, 'FROM scratch\nADD s.tar /to/\n', context, 'added');
      const bundle = await acceptedBundle(account, image, image.digest);
      const unpacked = await execute('sh', ['-ec', `sha256sum < ${bundle.root}/to/s`]);
      assert.equal(unpacked.stdout, stdout);
    });
  });

  test('are left out when they are sockets, and the user hears of it', async () => {
    await withAccount('root', async (account) => {
      const context = join(account.home, 'context');
      await mkdir(context);
      await writeFile(join(context, 'file'), 'x');
      const server = createServer().listen(join(context, 'agent.sock'));
      await once(server, 'listening');
      try {
        const image = await built(account, 'FROM scratch\nCOPY . /\n', context, 'socket');
        assert.match(image.stderr, /^NOTE: Sockets are not copied: "agent\.sock"$/m);
        const file = join(account.home, 'named.Dockerfile');
        await writeFile(file, 'FROM scratch\nCOPY agent.sock /\n');
        const named = await account.tsbuild(['-f', file, context]);
        assert.match(named.stderr, /Cannot copy "agent\.sock": not found \[ERR_SOURCE_MISSING\]/);
        assert.doesNotMatch(named.stderr, /dockerignore/);
        const { layers } = await readLayers(image.layout);
        assert.deepEqual(
          layers.flat().map(({ name }) => name),
          ['file'],
        );
      } finally {
        server.close();
      }
    });
  });
});

describe('a base image whose layers say little', function () {
  this.timeout(120_000);

  test('has nothing of what is below a layer with an opaque root: in RUN, COPY --from and mounts', async () => {
    await withAccount('root', async (account) => {
      await busyboxBase(account);
      const layout = join(account.home, 'foreign');
      await writeTarLayout(layout, [
        tar([
          { name: 'low', content: 'low' },
          { name: 'd/', type: '5', mode: 0o700 },
          { name: 'd/low', content: 'low' },
        ]),
        tar([{ name: 'd/new', content: 'new' }, { name: '.wh..wh..opq' }]),
        tar([{ name: 'top', content: 'top' }]),
      ]);
      const list = "find . -path ./bin -prune -o -type f -print | sort; stat -c '%a' d";
      const image = await builtOnForeign(
        account,
        `FROM foreign AS run
COPY --from=base /bin /bin
RUN ["/bin/sh", "-c", "cd / && (${list}) | grep -v -e etc -e proc -e sys -e dev > /bin/list"]
FROM base
COPY --from=foreign / /copy
RUN cd /copy && (${list}) > /list-copy
RUN --mount=type=bind,from=foreign,target=/mnt cd /mnt && (${list}) > /list-mount
COPY --from=run /bin/list /list-run
`,
      );
      const bundle = await acceptedBundle(account, image, image.digest);
      for (const name of ['list-copy', 'list-mount', 'list-run']) {
        const found = await readFile(join(bundle.root, name), 'utf8');
        assert.equal(found, './d/new\n./top\n755\n', name);
      }
    });
  });

  test('means what overlayfs makes of it: whiteouts before and after, opaque directories, parents never listed', async () => {
    await withAccount('root', async (account) => {
      await busyboxBase(account);
      const layout = join(account.home, 'foreign');
      await writeTarLayout(layout, [
        tar([
          { name: 'opt/', type: '5', mode: 0o1770, uid: 7 },
          { name: 'opt/keep', content: 'low' },
          { name: 'd/', type: '5', mode: 0o700 },
          { name: 'd/low', content: 'low' },
          { name: 'd/both', content: 'low' },
          { name: 'e/', type: '5' },
          { name: 'e/low', content: 'low' },
          { name: 'gone', content: 'low' },
          { name: 'replaced', content: 'low' },
          { name: 'tree/', type: '5' },
          { name: 'tree/low', content: 'low' },
        ]),
        tar([
          { name: 'opt/new', content: 'new' },
          { name: 'd/both', content: 'new' },
          { name: 'd/.wh..wh..opq' },
          { name: 'e/.wh..wh..opq' },
          { name: 'e/new', content: 'new' },
          { name: '.wh.gone' },
          { name: '.wh.replaced' },
          { name: 'replaced', content: 'new' },
          { name: 'tree/new', content: 'new' },
          { name: '.wh.tree' },
        ]),
      ]);
      const script =
        "find opt d e tree replaced gone -type f -o -type d 2> /dev/null | sort > /list; stat -c '%a %u %n' opt d >> /list; cat replaced d/both >> /list";
      const expected =
        'd\nd/both\ne\ne/new\nopt\nopt/keep\nopt/new\nreplaced\ntree\ntree/new\n1770 7 opt\n700 0 d\nnewnew';
      // Once by the kernel, in a RUN; once by the tree of indexes, in a COPY.
      const image = await builtOnForeign(
        account,
        `FROM foreign AS run
COPY --from=base /bin /bin
RUN ["/bin/sh", "-c", "${script.replaceAll('"', '\\"')}"]
FROM base
COPY --from=foreign / /copy
RUN cd /copy && ${script}
COPY --from=run /list /list-run
`,
      );
      const bundle = await acceptedBundle(account, image, image.digest);
      for (const name of ['list', 'list-run']) {
        assert.equal(await readFile(join(bundle.root, name), 'utf8'), expected, name);
      }
    });
  });
});
