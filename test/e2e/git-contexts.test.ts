/** Builds whose context is a git repository: what contexts share, and what only these have. */

import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { BuildEvent } from '../../src/index.ts';
import { type Place, withPlace } from '../support/context-builds.ts';
import {
  COMMIT_TIME,
  commitFiles,
  gitAt,
  type GitServer,
  type GitServerOptions,
  makeRepository,
  noGit,
  serveGit,
} from '../support/git-server.ts';
import { readLayers } from '../support/layer-entries.ts';
import { itUnless } from '../support/missing.ts';

const test = itUnless(noGit);

interface Repository {
  readonly place: Place;
  readonly server: GitServer;
  /** The repository's directory. */
  readonly directory: string;
}

async function withRepository(
  files: Readonly<Record<string, string>>,
  use: (repository: Repository) => Promise<void>,
  options: GitServerOptions = {},
): Promise<void> {
  await withPlace(async (place) => {
    const root = join(place.base, 'srv');
    await mkdir(root);
    const directory = await makeRepository(root, 'app', files);
    const server = await serveGit(root, options);
    try {
      await use({ place, server, directory });
    } finally {
      await server.close();
    }
  });
}

describe('a repository as context', function () {
  this.timeout(120_000);

  const FILES = {
    Dockerfile: 'FROM scratch\nCOPY . /\n',
    'other/File': 'FROM scratch\nCOPY a /other\n',
    a: 'a',
    b: 'b',
    '.dockerignore': '*\n!a\n',
  };

  test('obeys its ignore file, and has the Dockerfile that is named in it (CTX-3, IGN-7)', () =>
    withRepository(FILES, async ({ place, server }) => {
      const context = `${server.url}/app.git`;
      assert.deepEqual((await place.build({ context })).names, ['a']);
      const other = await place.build({ context, dockerfile: 'other/File' });
      assert.deepEqual(other.names, ['other']);
    }));

  test('takes a Dockerfile that comes alone', () =>
    withRepository(FILES, async ({ place, server }) => {
      const dockerfile = Buffer.from('FROM scratch\nCOPY a /alone\n');
      const built = await place.build({ context: `${server.url}/app.git`, dockerfile });
      assert.deepEqual(built.names, ['alone']);
    }));

  test('dates the image by its commit for SOURCE_DATE_EPOCH=context (ARG-9)', () =>
    withRepository(FILES, async ({ place, server }) => {
      const buildArgs = { SOURCE_DATE_EPOCH: 'context' };
      const { created } = await place.build({ context: `${server.url}/app.git`, buildArgs });
      assert.equal(Date.parse(created ?? ''), COMMIT_TIME * 1000);
    }));

  test('dates the image by the commit of a stage that is one ADD (ARG-9)', () =>
    withRepository(FILES, async ({ place, server }) => {
      const text = `FROM scratch AS src\nADD ${server.url}/app.git /\nFROM scratch\nCOPY --from=src / /\n`;
      const { created } = await place.build({
        ...{ context: place.base, dockerfile: Buffer.from(text) },
        buildArgs: { SOURCE_DATE_EPOCH: 'src' },
      });
      assert.equal(Date.parse(created ?? ''), COMMIT_TIME * 1000);
    }));

  test('dates files by its commit with mtime=commit, from the cache as well (CTX-3)', () =>
    withRepository(FILES, async ({ place, server, directory }) => {
      const context = `${server.url}/app.git`;
      const times = async (url: string) => {
        await place.build({ context: url });
        const { layers } = await readLayers(join(place.base, 'image'));
        return layers.flat().map(({ mtime }) => mtime);
      };
      const [now] = await times(context);
      assert.ok(now !== undefined && now > COMMIT_TIME);
      assert.deepEqual(await times(`${context}?mtime=commit`), [COMMIT_TIME]);
      assert.deepEqual(await times(`${context}?mtime=commit`), [COMMIT_TIME]);
      const amend = ['commit', '-q', '--allow-empty', '--amend', '--no-edit'];
      await gitAt(`${COMMIT_TIME + 9} +0000`, directory, ...amend);
      assert.deepEqual(await times(`${context}?mtime=commit`), [COMMIT_TIME + 9]);
      assert.deepEqual(await times(context), [now]);
    }));

  test('has .git only when told to: BUILDKIT_CONTEXT_KEEP_GIT_DIR (ARG-8, CTX-4)', () =>
    withRepository({ Dockerfile: FILES.Dockerfile }, async ({ place, server }) => {
      const context = `${server.url}/app.git`;
      assert.deepEqual((await place.build({ context })).names, ['Dockerfile']);
      const buildArgs = { BUILDKIT_CONTEXT_KEEP_GIT_DIR: '1' };
      const { names } = await place.build({ context, buildArgs });
      assert.ok(names.includes('.git/HEAD'), names.join());
    }));

  test('reads no Dockerfile outside of it (CTX-9)', () =>
    withRepository({ a: 'a' }, async ({ place, server, directory }) => {
      await symlink('/etc/hostname', join(directory, 'Dockerfile'));
      await commitFiles(directory, {});
      await assert.rejects(place.build({ context: `${server.url}/app.git` }), {
        code: 'ERR_DOCKERFILE_MISSING',
      });
    }));

  test('runs nothing when the ref has not moved, and what has changed when it has', () =>
    withRepository(FILES, async ({ place, server, directory }) => {
      const context = `${server.url}/app.git#main`;
      const copied = async () =>
        (await place.build({ context })).ran.some((name) => name.includes('COPY'));
      assert.equal(await copied(), true);
      assert.equal(await copied(), false);
      await commitFiles(directory, { b: 'ignored' });
      assert.equal(await copied(), false);
      await commitFiles(directory, { a: 'changed' });
      assert.equal(await copied(), true);
    }));

  test('shows and keeps no password (CP-26)', () =>
    withRepository(
      FILES,
      async ({ place, server }) => {
        const events: BuildEvent[] = [];
        const context = `${server.url.replace('//', '//user:hunter2@')}/app.git`;
        await place.build({ context, onEvent: (event) => events.push(event) });
        assert.match(JSON.stringify(events), /load build context from http:/);
        assert.doesNotMatch(JSON.stringify(events), /hunter2/);
        const store = join(place.base, 'store');
        for (const file of await readdir(store, { recursive: true, withFileTypes: true })) {
          if (!file.isFile()) continue;
          const text = await readFile(join(file.parentPath, file.name), 'latin1');
          assert.doesNotMatch(text, /hunter2/, file.name);
        }
      },
      { authorize: (header) => header !== undefined },
    ));
});
