/** `-o DIRECTORY` and `-o type=tar`: the files of an image, by who may do more and less. */

import assert from 'node:assert/strict';
import { lstat, mkdir, readdir, readFile, readlink, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openAccount, whyNoAccount } from '../support/accounts.ts';
import { type ImageFile, readImageTree, readTarTree } from '../support/layout-files.ts';
import { readLayers } from '../support/layer-entries.ts';
import { itUnless, missing } from '../support/missing.ts';
import { openRunBuilds, type RunBuilds } from '../support/run-builds.ts';
import { THREE_ACCOUNTS } from '../support/three-accounts.ts';

const whyNot = whyNoAccount('user') ?? missing('busybox');

/** Something in each layer that the next takes away, replaces, links or shuts. */
const DOCKERFILE = `FROM base
RUN mkdir -p /d/gone /d/kept /late && echo one > /d/kept/one && ln /d/kept/one /d/kept/two \\
 && ln /d/kept/one /late/three && ln -s one /d/kept/link && chmod 2750 /d/kept && echo x > /d/gone/x \\
 && chown 1234:2345 /d/kept/one && touch -d @1000000000 /d/kept/one && echo low > /late/file
RUN rm -r /d/gone /late/file && mkdir /late/file && mkfifo /d/pipe && echo s > /d/suid \\
 && chown 7:8 /d/suid && chmod 4751 /d/suid && mkdir /shut && echo c > /shut/c && chmod 555 /shut \\
 && chmod 600 /d/kept/two && rm /d/kept/one
COPY --chown=app passwd /shut/passwd
`;

/** After the one time that the Dockerfile gives, and before all others. */
const EPOCH = 1_100_000_000;

/** What a directory of the user's keeps of an image's files. */
async function listDirectory(root: string, path = ''): Promise<Record<string, ImageFile>> {
  const files: Record<string, ImageFile> = {};
  for (const name of await readdir(join(root, path))) {
    const child = path === '' ? name : `${path}/${name}`;
    const at = join(root, child);
    const found = await lstat(at);
    const type = found.isDirectory() ? 'directory' : found.isSymbolicLink() ? 'symlink' : 'other';
    files[child] = {
      type,
      mode: (found.mode & 0o7777).toString(8),
      owner: `${found.uid}:${found.gid}`,
      mtime: Math.floor(found.mtimeMs / 1000),
      ...(type === 'symlink' && { target: await readlink(at) }),
      ...(found.isFile() && { sameAs: String(found.nlink) }),
    };
    if (found.isDirectory()) Object.assign(files, await listDirectory(root, child));
  }
  return files;
}

describe('outputs of files', function () {
  this.timeout(120_000);

  const rebuilt: string[] = [];

  for (const { title, kind, subids } of THREE_ACCOUNTS) {
    describe(`by ${title}`, () => {
      let builds: RunBuilds;
      let image: Readonly<Record<string, ImageFile>>;
      const test = itUnless(whyNot);
      const at = (name: string): string => join(builds.account.home, name);

      before(async () => {
        if (whyNot !== undefined) return;
        builds = await openRunBuilds(kind === 'root' ? kind : 'user', { subids });
        const files = ['-o', at('out'), '-o', `type=tar,dest=${at('out.tar')}`];
        const dated = `rewrite-timestamp=true,source-date-epoch=${EPOCH}`;
        const clamped = ['-o', `type=oci,tar=false,dest=${at('clamped')},${dated}`];
        const { code, stderr } = await builds.attempt(DOCKERFILE, ...files, ...clamped);
        assert.equal(code, 0, stderr);
        image = await readImageTree(at('image'));
      });
      after(async () => {
        if (whyNot === undefined) await builds.account.close();
      });

      test('tar has the files of the image, with owners, links and times (LOC-2)', async () => {
        assert.deepEqual(await readTarTree(await readFile(at('out.tar'))), image);
      });

      test('local has them as files of the user: modes, links, times (LOC-2)', async () => {
        const files = await listDirectory(at('out'));
        const { uid } = builds.account;
        assert.deepEqual(Object.keys(files).sort(), Object.keys(image).sort());
        // Of a directory there is no time that both know.
        for (const [path, { mode, mtime, target, type }] of Object.entries(image)) {
          const file = files[path];
          assert.equal(file?.owner, `${uid}:${uid}`, path);
          assert.equal(file.target, target, path);
          if (type === 'symlink') continue;
          assert.deepEqual([file.mode, mtime && file.mtime], [mode, mtime], path);
        }
        assert.equal(files['late/three']?.sameAs, image['late/three']?.sameAs ? '2' : '1');
      });

      test('clamped times make the same layers, whoever ran the steps (REP-1, REP-3)', async () => {
        const { layers, diffIDs } = await readLayers(at('clamped'));
        const made = layers.slice(1).flat();
        assert.ok(made.every(({ mtime }) => mtime <= EPOCH));
        assert.ok(made.some(({ mtime }) => mtime === 1_000_000_000));
        rebuilt.push(diffIDs.slice(1).join(' '));
        assert.equal(rebuilt.at(-1), rebuilt[0]);
        const built = await readLayers(at('image'));
        assert.equal(built.diffIDs[0], diffIDs[0]);
        assert.notEqual(built.diffIDs[1], diffIDs[1]);
      });

      test('local merges into what is there, and deletes when allowed (LOC-1, LOC-3)', async () => {
        const old = at('old');
        await mkdir(join(old, 'd/kept'), { recursive: true });
        await mkdir(join(old, 'd/suid/in-the-way'), { recursive: true });
        await mkdir(join(old, 'extra'));
        await writeFile(join(old, 'shut'), 'a file in the way of a directory');
        await writeFile(join(old, 'extra/mine'), 'mine');
        await writeFile(join(old, 'd/kept/mine'), 'mine');
        await symlink('/nowhere', join(old, 'late'));
        await builds.account.own(old);
        const ok = async (...flags: readonly string[]): Promise<void> => {
          const { code, stderr } = await builds.attempt(DOCKERFILE, ...flags);
          assert.equal(code, 0, stderr);
        };
        await ok('-o', old);
        const fresh = await listDirectory(at('out'));
        const {
          'extra/mine': one,
          'd/kept/mine': two,
          extra,
          ...merged
        } = await listDirectory(old);
        assert.ok(one && two && extra);
        assert.deepEqual(merged, fresh);

        const output = `type=local,dest=${old},mode=delete`;
        const refused = await builds.attempt(DOCKERFILE, '-o', output);
        assert.equal(refused.code, 2);
        assert.match(refused.stderr, /--allow buildx\.local\.delete/);
        assert.ok(await lstat(join(old, 'extra/mine')));
        await ok('-o', output, '--allow', 'buildx.local.delete');
        assert.deepEqual(await listDirectory(old), fresh);
      });
    });
  }

  itUnless(whyNoAccount('confined'))(
    'needs neither a namespace nor root for a Dockerfile without RUN, nor leaves a torn file',
    async () => {
      const account = await openAccount('confined');
      try {
        const context = join(account.home, 'context');
        await mkdir(context);
        await writeFile(join(context, 'file'), 'text');
        await writeFile(
          join(context, 'Dockerfile'),
          'FROM scratch\nCOPY --chown=5:6 file /x/y\nENV SOURCE=here\n',
        );
        await account.own(account.home);
        const out = join(account.home, 'out');
        const shut = join(account.home, 'shut');
        await mkdir(shut);
        const flags = ['-o', out, '-o', 'type=tar', '--build-arg', 'SOURCE_DATE_EPOCH=1000'];
        const built = await account.tsbuild([...flags, context]);
        assert.equal(built.code, 0, built.stderr);
        const { 'x/y': inTar } = await readTarTree(Buffer.from(built.stdout, 'latin1'));
        assert.deepEqual([inTar?.owner, inTar?.mtime], ['5:6', 1000]);
        const { 'x/y': inFolder } = await listDirectory(out);
        const owner = `${account.uid}:${account.uid}`;
        assert.deepEqual([inFolder?.owner, inFolder?.mtime], [owner, 1000]);
        for (const output of [`type=tar,dest=${shut}/a.tar`, `${shut}/out`]) {
          const { code, stderr } = await account.tsbuild(['-o', output, context]);
          assert.equal(code, 4, stderr);
          assert.match(stderr, /ERR_OUTPUT_FAILED/);
          assert.deepEqual(await readdir(shut), []);
        }
      } finally {
        await account.close();
      }
    },
  );
});
