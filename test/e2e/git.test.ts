/** Builds that take files from git repositories: ADD, the build context, named contexts. */

import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { build, type BuildEvent, type BuildOptions, type BuildResult } from '../../src/index.ts';
import { hasCode } from '../../src/errors.ts';
import {
  COMMIT_TIME,
  commitFiles,
  git,
  type GitServer,
  makeRepository,
  noGit,
  serveGit,
} from '../support/git-server.ts';
import { type LayerEntry, readLayers } from '../support/layer-entries.ts';
import { itUnless } from '../support/missing.ts';
import { HELPER } from '../support/sandbox.ts';
import { withDirectory } from '../support/temporary.ts';

const gitIt = itUnless(noGit);
const EPOCH = 1_700_000_000;

interface Built {
  readonly result: BuildResult;
  readonly layers: readonly (readonly LayerEntry[])[];
  readonly events: readonly BuildEvent[];
  /** Whether the last step was a hit. */
  readonly isHit: boolean;
}

interface Place {
  /** Where the repositories are that the server has. */
  readonly root: string;
  readonly server: GitServer;
  readonly store: string;
  readonly build: (dockerfile: string, options?: Partial<BuildOptions>) => Promise<Built>;
}

async function withPlace(
  use: (place: Place) => Promise<void>,
  serverOptions?: Parameters<typeof serveGit>[1],
): Promise<void> {
  await withDirectory(async (directory) => {
    const [root, context, store] = ['srv', 'context', 'store'].map((name) => join(directory, name));
    assert.ok(root !== undefined && context !== undefined && store !== undefined);
    for (const path of [root, context]) await mkdir(path);
    const server = await serveGit(root, serverOptions);
    let count = 0;
    const buildOne: Place['build'] = async (dockerfile, options) => {
      await writeFile(join(context, 'Dockerfile'), dockerfile.replaceAll('$URL', server.url));
      const output = join(directory, `image-${(count += 1)}`);
      const events: BuildEvent[] = [];
      const result = await build({
        context,
        store,
        helper: HELPER,
        outputs: [`type=oci,tar=false,dest=${output}`],
        onEvent: (event) => events.push(event),
        ...options,
      });
      const { layers } = await readLayers(output);
      const steps = result.steps.filter(({ name }) => name.startsWith('['));
      return { result, layers, events, isHit: steps.at(-1)?.cached === true };
    };
    try {
      await use({ root, server, store, build: buildOne });
    } finally {
      await server.close();
    }
  });
}

describe('ADD of a git repository', function () {
  this.timeout(120_000);

  gitIt("copies its contents, root's, 0644 and 0755, without .git (CP-25)", () =>
    withPlace(async ({ root, build, server }) => {
      const repository = await makeRepository(root, 'a', {
        f: '1',
        'd/g': '2',
        '.dockerignore': '*',
      });
      await writeFile(join(repository, 'run'), '#!', { mode: 0o777 });
      await commitFiles(repository, {});
      const { layers, result } = await build(
        'FROM scratch\nADD --exclude=.docker* $URL/a.git#main /src',
      );
      assert.deepEqual(shown(layers.at(-1)), [
        ...[
          'src/ 755 0:0',
          'src/d/ 755 0:0',
          'src/d/g 644 0:0',
          'src/f 644 0:0',
          'src/run 755 0:0',
        ],
      ]);
      const history = result.config?.history ?? [];
      assert.equal(history?.[0]?.created_by, `ADD ${server.url}/a.git#main /src # buildkit`);
      assert.match(
        result.steps.map(({ name }) => name).join('\n'),
        /^\[1\/1\] ADD .*http.* \/src$/m,
      );
    }),
  );

  gitIt('obeys --chown, --chmod, --link and a subdirectory', () =>
    withPlace(async ({ root, build }) => {
      await makeRepository(root, 'a', { 'd/g': '2' });
      const { layers } = await build(
        'FROM scratch\nADD --chown=7:8 --chmod=600 --link $URL/a.git#main:d /x/',
      );
      assert.deepEqual(shown(layers.at(-1)), ['x/ 600 7:8', 'x/g 600 7:8']);
    }),
  );

  gitIt(
    'hits for the same commit without a checkout, whatever it is called and wherever it is',
    () =>
      withPlace(async ({ root, build, server }) => {
        const repository = await makeRepository(root, 'a', { f: '1' });
        await git(root, 'clone', '-q', '--bare', repository, 'copy.git');
        const first = await build('FROM scratch\nADD $URL/a.git /x');
        assert.equal(first.isHit, false);
        const before = server.requests.length;
        const second = await build('FROM scratch\nADD $URL/copy.git#refs/heads/main /x');
        assert.equal(second.isHit, true);
        assert.ok(server.requests.length - before <= 2);
        const commit = await git(repository, 'rev-parse', 'HEAD');
        await server.close();
        assert.equal((await build(`FROM scratch\nADD $URL/a.git#${commit} /x`)).isHit, true);
      }),
  );

  gitIt('misses when the ref has moved', () =>
    withPlace(async ({ root, build }) => {
      const repository = await makeRepository(root, 'a', { f: '1' });
      const first = await build('FROM scratch\nADD $URL/a.git#main /x');
      await commitFiles(repository, { f: '2' });
      const second = await build('FROM scratch\nADD $URL/a.git#main /x');
      assert.equal(second.isHit, false);
      assert.notEqual(first.result.digest, second.result.digest);
    }),
  );

  gitIt('dates files by SOURCE_DATE_EPOCH, or by their commit with mtime=commit', () =>
    withPlace(async ({ root, build }) => {
      await makeRepository(root, 'a', { f: '1' });
      const timeOf = ({ layers }: Built): number | undefined =>
        layers.at(-1)?.find(({ name }) => name === 'x/f')?.mtime;
      // Equal contents, in one store: each has its own dates.
      await build('FROM scratch\nADD $URL/a.git /x');
      const dated = await build('FROM scratch\nADD $URL/a.git?mtime=commit /x');
      assert.equal(timeOf(dated), COMMIT_TIME);
      const epoch = await build('FROM scratch\nADD $URL/a.git /x', { sourceDateEpoch: EPOCH });
      assert.equal(timeOf(epoch), EPOCH);
    }),
  );

  gitIt('keeps .git if told to, and makes the same layer of it in another store', () =>
    withPlace(async ({ root, build, store }) => {
      await makeRepository(root, 'a', { f: '1' });
      const dockerfile = 'FROM scratch\nADD --keep-git-dir=true $URL/a.git#main /x';
      const options = { sourceDateEpoch: EPOCH };
      const one = await build(dockerfile, options);
      const names = one.layers.at(-1)?.map(({ name }) => name);
      assert.ok(names?.includes('x/.git/HEAD') && names.includes('x/.git/refs/heads/main'));
      const two = await build(dockerfile, { ...options, store: `${store}-2` });
      assert.equal(two.isHit, false);
      assert.equal(one.result.digest, two.result.digest);
      const without = await build('FROM scratch\nADD $URL/a.git#main /x', options);
      assert.ok(!without.layers.at(-1)?.some(({ name }) => name.includes('.git')));
    }),
  );

  gitIt('refuses another commit than --checksum says, at its line', () =>
    withPlace(async ({ root, build }) => {
      const repository = await makeRepository(root, 'a', { f: '1' });
      const commit = await git(repository, 'rev-parse', 'HEAD');
      await build(`FROM scratch\nADD --checksum=${commit.slice(0, 9)} $URL/a.git#main /x`);
      const other = commit.startsWith('abc1') ? 'abc2' : 'abc1';
      await assert.rejects(
        build(`FROM scratch\nADD --checksum=${other} $URL/a.git#main /x`),
        (error) =>
          hasCode(error, 'ERR_CHECKSUM_MISMATCH') && error.location?.range.start.line === 2,
      );
    }),
  );

  const TOKEN = 'token-that-nobody-may-see';
  const accepted = Buffer.from(`x-access-token:${TOKEN}`).toString('base64');

  gitIt(
    'uses the secret GIT_AUTH_TOKEN and the password of an address, and both are found nowhere',
    () =>
      withPlace(
        async ({ root, build, server, store }) => {
          await makeRepository(root, 'a', { f: '1' });
          const secrets = { GIT_AUTH_TOKEN: Buffer.from(TOKEN) };
          const one = await build('FROM scratch\nADD --keep-git-dir $URL/a.git /x', { secrets });
          const url = server.url.replace('//', `//x-access-token:${TOKEN}@`);
          const two = await build(`FROM scratch\nADD --keep-git-dir ${url}/a.git /y`);
          for (const { result, events } of [one, two]) {
            // A location has the Dockerfile's own text.
            const text = JSON.stringify([result, events], (key, value: unknown) =>
              key === 'location' ? undefined : value,
            );
            assert.ok(!text.includes(TOKEN) && !text.includes(accepted));
          }
          for (const entry of await readdir(store, { recursive: true, withFileTypes: true })) {
            if (!entry.isFile()) continue;
            const content = await readFile(join(entry.parentPath, entry.name), 'latin1');
            assert.ok(!content.includes(TOKEN) && !content.includes(accepted), entry.name);
          }
          await assert.rejects(build('FROM scratch\nADD $URL/a.git#main /z'), (error) => {
            assert.ok(hasCode(error, 'ERR_GIT_FAILED'));
            assert.equal(error.details.reason, 'denied');
            return (
              error.location?.range.start.line === 2 &&
              error.hint?.includes('GIT_AUTH_TOKEN') === true
            );
          });
        },
        { authorize: (header) => header?.replace(/^basic /i, '') === accepted },
      ),
  );
});

describe('a git repository as the build context', function () {
  this.timeout(120_000);

  gitIt('has the Dockerfile and the files; a named context is one, too (CTX-1, CTX-6)', () =>
    withPlace(async ({ root, server, build }) => {
      await makeRepository(root, 'a', {
        ...{ 'app/Dockerfile': 'FROM scratch\nCOPY f /\nCOPY --from=lib g /\n', 'app/f': '1' },
      });
      await makeRepository(root, 'lib', { g: '2' });
      const { layers } = await build('', {
        context: `${server.url}/a.git#main:app`,
        buildContexts: { lib: `${server.url}/lib.git` },
      });
      assert.deepEqual(layers.map(shown), [['f 644 0:0'], ['g 644 0:0']]);
    }),
  );
});

/** `name mode uid:gid`, sorted. */
function shown(entries: readonly LayerEntry[] | undefined): string[] {
  return (entries ?? [])
    .map(({ name, mode, uid, gid }) => `${name} ${mode.toString(8)} ${uid}:${gid}`)
    .toSorted();
}
