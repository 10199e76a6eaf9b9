import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fetchGit } from '../../src/context/git.ts';
import { parseGitUrl } from '../../src/context/git-url.ts';
import { hasCode, TsbuildError } from '../../src/errors.ts';
import { withPlace } from '../support/git-place.ts';
import { addSubmodule, makeRepository, noGit, serveGit } from '../support/git-server.ts';
import { itUnless } from '../support/missing.ts';

const gitIt = itUnless(noGit);

describe('credentials for git (CP-26)', function () {
  this.timeout(120_000);

  const TOKEN = 'token-that-nobody-may-see';
  const basic = (text: string): string => `basic ${Buffer.from(text).toString('base64')}`;
  const accepted = basic(`x-access-token:${TOKEN}`);
  const authorize = (header: string | undefined): boolean => header === accepted;

  const secretsFor: readonly (readonly [string, (host: string) => Record<string, string>])[] = [
    ['GIT_AUTH_TOKEN', () => ({ GIT_AUTH_TOKEN: `${TOKEN}\n` })],
    ['GIT_AUTH_HEADER', () => ({ GIT_AUTH_HEADER: accepted })],
    ['GIT_AUTH_TOKEN.HOST', (host) => ({ [`GIT_AUTH_TOKEN.${host}`]: TOKEN, GIT_AUTH_TOKEN: 'x' })],
    [
      'GIT_AUTH_HEADER.HOST',
      (host) => ({ [`GIT_AUTH_HEADER.${host}`]: accepted, GIT_AUTH_HEADER: 'x' }),
    ],
  ];
  for (const [name, secrets] of secretsFor) {
    gitIt(`sends the secret ${name}, and leaves it nowhere (CP-26)`, () =>
      withPlace(
        async ({ root, fetch, directory, server }) => {
          const other = await makeRepository(root, 'b', { g: '2' });
          const repository = await makeRepository(root, 'a', { f: '1' });
          await addSubmodule(repository, 'sub', '../b.git', other);
          const given = asSecrets(secrets(server.host));
          const found = await fetch('a.git?keep-git-dir=1', { secrets: given });
          assert.equal(await readFile(join(found.directory, 'sub/g'), 'utf8'), '2');
          await assertNowhere(directory, [TOKEN, accepted.slice('basic '.length)]);
        },
        { authorize },
      ),
    );
  }

  gitIt('sends the user and password of an address, and leaves them nowhere', () =>
    withPlace(
      async ({ root, options, directory, server }) => {
        await makeRepository(root, 'a', { f: '1' });
        const source = parseGitUrl(
          `${server.url.replace('//', `//x-access-token:${TOKEN}@`)}/a.git`,
        );
        assert.ok(source);
        await fetchGit(source, { ...options, keepGitDir: true });
        await assertNowhere(directory, [TOKEN, accepted.slice('basic '.length)]);
      },
      { authorize },
    ),
  );

  gitIt('says which credentials were tried, and not what they are', () =>
    withPlace(
      async ({ root, fetch, server }) => {
        await makeRepository(root, 'a', { f: '1' });
        await assert.rejects(fetch('a.git'), (error) => {
          assert.ok(hasCode(error, 'ERR_GIT_FAILED'));
          assert.equal(error.details.reason, 'denied');
          assert.match(error.hint ?? '', /there is no secret/);
          return error.hint?.includes(`"GIT_AUTH_TOKEN.${server.host}"`) === true;
        });
        const secrets = asSecrets({ GIT_AUTH_TOKEN: 'wrong-one' });
        await assert.rejects(fetch('a.git', { secrets }), (error) => {
          assert.ok(error instanceof TsbuildError);
          assert.match(error.hint ?? '', /The secret "GIT_AUTH_TOKEN" was sent/);
          const all = `${error.message}${error.hint}${JSON.stringify(error.details)}`;
          return !all.includes('wrong-one') && !all.includes(basic('x-access-token:wrong-one'));
        });
      },
      { authorize },
    ),
  );

  gitIt('follows a server that sends it on to itself, and sends no secret to another one', () => {
    let target = '';
    return withPlace(
      async ({ root, fetch, server }) => {
        await makeRepository(root, 'a', { f: '1' });
        const secrets = asSecrets({ GIT_AUTH_TOKEN: TOKEN });
        target = server.url;
        const { directory } = await fetch('old.git', { secrets });
        assert.equal(await readFile(join(directory, 'f'), 'utf8'), '1');
        target = server.url.replace('127.0.0.1', 'localhost');
        const before = server.requests.length;
        await assert.rejects(fetch('old.git', { secrets }), (error) => {
          assert.ok(hasCode(error, 'ERR_GIT_FAILED'));
          assert.equal(error.details.reason, 'denied');
          return error.message.includes(`${target}/a.git`);
        });
        assert.ok(server.requests.slice(before).every((line) => line.includes('/old.git/')));
      },
      {
        authorize,
        intercept: (request, response) => {
          if (request.url?.startsWith('/old.git/') !== true) return false;
          const location = `${target}${request.url.replace('/old.git/', '/a.git/')}`;
          response.writeHead(301, { location }).end();
          return true;
        },
      },
    );
  });

  gitIt('sends no secret of one server to another', () =>
    withPlace(async ({ root, fetch }) => {
      const seen: (string | undefined)[] = [];
      const other = await serveGit(root, {
        authorize: (header) => {
          seen.push(header);
          return true;
        },
      });
      try {
        const submodule = await makeRepository(root, 'b', { g: '2' });
        const repository = await makeRepository(root, 'a', { f: '1' });
        await addSubmodule(repository, 'sub', `${other.url}/b.git`, submodule);
        await fetch('a.git', { secrets: asSecrets({ GIT_AUTH_TOKEN: TOKEN }) });
        assert.ok(seen.length > 0);
        assert.deepEqual(new Set(seen), new Set([undefined]));
      } finally {
        await other.close();
      }
    }),
  );
});

function asSecrets(values: Readonly<Record<string, string>>): ReadonlyMap<string, Uint8Array> {
  return new Map(Object.entries(values).map(([name, value]) => [name, Buffer.from(value)]));
}

/** No file below has any of these texts in it. */
async function assertNowhere(directory: string, texts: readonly string[]): Promise<void> {
  for (const entry of await readdir(directory, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const path = join(entry.parentPath, entry.name);
    const content = await readFile(path, 'latin1');
    for (const text of texts) assert.ok(!content.includes(text), path);
  }
}
