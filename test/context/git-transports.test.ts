import assert from 'node:assert/strict';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fetchGit } from '../../src/context/git.ts';
import { parseGitUrl } from '../../src/context/git-url.ts';
import { hasCode } from '../../src/errors.ts';
import { type Place, withPlace } from '../support/git-place.ts';
import { git, makeRepository, noGit } from '../support/git-server.ts';
import { itUnless } from '../support/missing.ts';

const gitIt = itUnless(noGit);

describe('ways to a repository (CTX-3)', function () {
  this.timeout(120_000);

  gitIt('asks ssh, with the agent and known hosts, but nothing of the user’s configuration', () =>
    withPlace(async (place) => {
      await makeRepository(place.root, 'a', { f: '1' });
      const log = join(place.directory, 'log');
      const program = `#!/bin/sh\nprintf '%s\\n' "$@" > '${log}'\nfor last; do :; done\ncd '${place.root}' && eval "$last"\n`;
      await withPrograms(place, { ssh: program }, async () => {
        const source = parseGitUrl('git@x.test:a.git#main');
        assert.ok(source);
        const { directory } = await fetchGit(source, place.options);
        assert.equal(await readFile(join(directory, 'f'), 'utf8'), '1');
      });
      const args = (await readFile(log, 'utf8')).split('\n');
      const hosts = join(place.options.mirrors, 'known_hosts');
      for (const wanted of [
        ...['-F', '/dev/null', 'BatchMode=yes', 'StrictHostKeyChecking=accept-new', 'git@x.test'],
        `UserKnownHostsFile="${hosts}" ~/.ssh/known_hosts`,
      ]) {
        assert.ok(args.includes(wanted), wanted);
      }
    }),
  );

  gitIt('says which keys ssh has tried when it is refused', () =>
    withPlace(async (place) => {
      const program =
        '#!/bin/sh\necho "git@x.test: Permission denied (publickey)." >&2\nexit 255\n';
      await withPrograms(place, { ssh: program }, async () => {
        const source = parseGitUrl('ssh://git@x.test/a');
        assert.ok(source);
        await assert.rejects(fetchGit(source, place.options), (error) => {
          assert.ok(hasCode(error, 'ERR_GIT_FAILED'));
          assert.equal(error.details.reason, 'denied');
          assert.match(error.message, /Permission denied \(publickey\)/);
          return error.hint?.includes('SSH_AUTH_SOCK') === true;
        });
      });
    }),
  );

  gitIt('has git-lfs make files of pointers, if it is there', () =>
    withPlace(async (place) => {
      await makeRepository(place.root, 'a', {
        ...{ '.gitattributes': '*.bin filter=lfs\n', 'a.bin': 'pointer\n', f: '1' },
      });
      const plain = await place.fetch('a.git');
      assert.equal(await readFile(join(plain.directory, 'a.bin'), 'utf8'), 'pointer\n');
      await withPrograms(place, { 'git-lfs': FAKE_LFS }, async () => {
        const { directory } = await place.fetch('a.git');
        const remote = `${place.server.url}/a.git`;
        assert.equal(await readFile(join(directory, 'a.bin'), 'utf8'), `pointer\nof ${remote}\n`);
        assert.equal(await readFile(join(directory, 'f'), 'utf8'), '1');
      });
    }),
  );

  it('says that there is no git, and what to do', () =>
    withPlace(async ({ source, options, directory }) => {
      await withPath(directory, async () => {
        await assert.rejects(fetchGit(source('a.git'), options), (error) => {
          assert.ok(hasCode(error, 'ERR_GIT_FAILED'));
          assert.equal(error.details.reason, 'no-git');
          return error.hint?.includes('Install git') === true;
        });
      });
    }));

  it('refuses a git that would not see our settings', () =>
    withPlace(async (place) => {
      await withPrograms(place, { git: '#!/bin/sh\necho git version 2.30.2\n' }, async () => {
        await assert.rejects(
          fetchGit(place.source('a.git'), place.options),
          (error) =>
            hasCode(error, 'ERR_GIT_FAILED') &&
            error.details.reason === 'no-git' &&
            error.message.includes('2.30.2'),
        );
      });
    }));

  gitIt('fetches everything from a server that only has files', () => {
    let root = '';
    return withPlace(
      async (place) => {
        ({ root } = place);
        const repository = await makeRepository(place.root, 'a', { f: '1' });
        await git(place.root, 'clone', '-q', '--bare', repository, 'files.git');
        await git(join(place.root, 'files.git'), 'update-server-info');
        const { directory } = await place.fetch('files.git#main');
        assert.equal(await readFile(join(directory, 'f'), 'utf8'), '1');
      },
      {
        intercept: (request, response) => {
          const file = join(root, new URL(request.url ?? '', 'http://x.test').pathname);
          const isFile = existsSync(file) && statSync(file).isFile();
          response.writeHead(isFile ? 200 : 404).end(isFile ? readFileSync(file) : undefined);
          return true;
        },
      },
    );
  });
});

/** Speaks git's long-running filter protocol, and appends the remote that it would ask. */
const FAKE_LFS = `#!${process.execPath}
const { execFileSync } = require('node:child_process');
const { readSync, writeSync } = require('node:fs');
const read = (size) => {
  const bytes = Buffer.alloc(size);
  for (let at = 0; at < size; ) {
    const count = readSync(0, bytes, at, size - at);
    if (count === 0) process.exit(0);
    at += count;
  }
  return bytes.toString();
};
const list = () => {
  const lines = [];
  for (;;) {
    const size = parseInt(read(4), 16);
    if (size === 0) return lines;
    lines.push(read(size - 4));
  }
};
const send = (...lines) => {
  for (const line of lines) writeSync(1, (line.length + 4).toString(16).padStart(4, '0') + line);
  writeSync(1, '0000');
};
list();
send('git-filter-server\\n', 'version=2\\n');
list();
send('capability=smudge\\n');
const remote = execFileSync('git', ['config', 'remote.origin.url'], { encoding: 'utf8' });
for (;;) {
  list();
  const content = list().join('');
  send('status=success\\n');
  send(content + 'of ' + remote);
  send();
}
`;

/** Runs `use` with these programs before all others. */
async function withPrograms(
  { directory }: Place,
  programs: Readonly<Record<string, string>>,
  use: () => Promise<void>,
): Promise<void> {
  const folder = join(directory, 'bin');
  await mkdir(folder);
  for (const [name, text] of Object.entries(programs)) {
    await writeFile(join(folder, name), text);
    await chmod(join(folder, name), 0o755);
  }
  await withPath(`${folder}:${process.env['PATH'] ?? ''}`, use);
}

async function withPath(path: string, use: () => Promise<void>): Promise<void> {
  const before = process.env['PATH'];
  process.env['PATH'] = path;
  try {
    await use();
  } finally {
    process.env['PATH'] = before;
  }
}
