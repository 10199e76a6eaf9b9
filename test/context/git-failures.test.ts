import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runGit } from '../../src/context/git-process.ts';
import { hasCode } from '../../src/errors.ts';
import { withPlace } from '../support/git-place.ts';
import { git, makeRepository, noGit } from '../support/git-server.ts';
import { itUnless } from '../support/missing.ts';
import { withDirectory } from '../support/temporary.ts';

const gitIt = itUnless(noGit);

describe('failures of git', function () {
  this.timeout(120_000);

  gitIt('names the repository and the ref that are not there', () =>
    withPlace(async ({ root, fetch }) => {
      await makeRepository(root, 'a', { f: '1' });
      await assert.rejects(fetch('a.git#nope'), (error) => {
        assert.ok(hasCode(error, 'ERR_GIT_FAILED'));
        assert.equal(error.details.ref, 'nope');
        assert.equal(error.details.reason, 'not-found');
        return /no branch, tag or commit "nope"/.test(error.message);
      });
      await assert.rejects(
        fetch('none.git'),
        (error) => hasCode(error, 'ERR_GIT_FAILED') && error.details.reason === 'not-found',
      );
    }),
  );

  gitIt('says of an empty repository that it has no default branch', () =>
    withPlace(async ({ root, fetch }) => {
      await mkdir(join(root, 'a.git'));
      await git(join(root, 'a.git'), 'init', '-q', '--bare');
      await assert.rejects(fetch('a.git'), /it has no default branch/);
    }),
  );

  gitIt('tries again when the network fails, then says so', () => {
    let failures = 1;
    return withPlace(
      async ({ root, fetch, server }) => {
        await makeRepository(root, 'a', { f: '1' });
        await fetch('a.git');
        assert.equal(failures, 0);
        failures = 1000;
        const before = server.requests.length;
        await assert.rejects(
          fetch('a.git'),
          (error) => hasCode(error, 'ERR_GIT_FAILED') && error.details.reason === 'network',
        );
        assert.equal(server.requests.length - before, 3);
      },
      {
        intercept: (_, response) => {
          if (failures === 0) return false;
          failures -= 1;
          response.writeHead(503).end();
          return true;
        },
      },
    );
  });

  gitIt('starts no git when told to stop before it has', () =>
    withDirectory(async (directory) => {
      const stop = new AbortController();
      const repository = join(directory, 'a.git');
      const args = ['init', '--quiet', '--bare', '--', repository];
      const running = runGit({ args, signal: stop.signal });
      stop.abort(new Error('stop'));
      await assert.rejects(running, (error) => error === stop.signal.reason);
      assert.equal(existsSync(repository), false);
    }),
  );

  gitIt('ends git and everything it started when told to stop', async () => {
    const stop = new AbortController();
    await withPlace(
      async ({ root, fetch, options, server }) => {
        await makeRepository(root, 'a', { f: '1' });
        const fetching = fetch('a.git', { signal: stop.signal });
        await assert.rejects(fetching, (error) => error === stop.signal.reason);
        assert.deepEqual(await processesWith(server.url), []);
        assert.deepEqual(await readdir(options.mirrors), []);
      },
      {
        // The answer never comes.
        intercept: (request) => {
          if (request.method !== 'POST') return false;
          setImmediate(() => stop.abort(new Error('stop')));
          return true;
        },
      },
    );
  });
});

/** Ids of processes whose arguments name a path. */
async function processesWith(path: string): Promise<string[]> {
  const found: string[] = [];
  for (const id of await readdir('/proc')) {
    const line =
      /^\d+$/.test(id) && (await readFile(`/proc/${id}/cmdline`, 'utf8').catch(() => ''));
    if (line !== false && line.includes(path)) found.push(id);
  }
  return found;
}
