/** The same inputs give the same bytes, whoever builds them, where, when, and with how many threads (T-45). */

import assert from 'node:assert/strict';
import { cp, mkdir, readFile, rm, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { diffImages, type ImageDiff } from '../../src/index.ts';
import { digestOf as digestOfBytes } from '../../src/oci/digest.ts';
import { type Account, openAccount, whyNoAccount } from '../support/accounts.ts';
import { busyboxBase } from '../support/busybox-base.ts';
import { itUnless, missing } from '../support/missing.ts';
import { digestOf } from '../support/plain-output.ts';
import { HELPER } from '../support/sandbox.ts';
import { tar } from '../support/tar.ts';

const EPOCH = 1_700_000_000;

/** What the machine, the user and the day are like shows in `env`, `umask` and the times of new files. */
const DOCKERFILE = `FROM base AS tool
WORKDIR /tool/made/here
RUN mkdir -p sub/dir && echo tool > out && ln -s out link && ln out sub/hard && chmod 4755 out
RUN --mount=type=cache,target=/cache echo x > /cache/x && cat /cache/x > cached

FROM base
WORKDIR /work
COPY . .
COPY --chown=app:app --chmod=640 src/a.txt /owned/
ADD archive.tar.gz /unpacked/
RUN rm -r /data && mkdir /state && cd /state && env | sort > env && umask > umask && pwd > pwd
RUN echo app > /state/owned && chown app:app /state/owned && touch -d @1 /state/old && mkfifo /state/fifo
COPY --from=tool --link /tool /tool
WORKDIR /home/app
USER app
RUN id > /tmp/id && echo "$HOME" > /tmp/home
`;

const FILES = {
  'src/a.txt': 'a\n',
  'src/b.txt': 'b\n',
  'src/deep/er/c.txt': 'c\n'.repeat(200_000),
  Dockerfile: DOCKERFILE,
};

const ARCHIVE = gzipSync(
  tar([
    { name: 'old', content: 'old', mtime: EPOCH - 1000 },
    { name: 'new', content: 'new', mtime: EPOCH + 1000, uid: 1234 },
    { name: 'hard', type: '1', link: 'new', mtime: EPOCH + 1000 },
  ]),
);

interface Conditions {
  readonly umask: string;
  readonly env: Readonly<Record<string, string>>;
  /** Of the context, in its owner's home. */
  readonly folder: string;
  /** Seconds: the time of the context's files. */
  readonly mtime: number;
  /** What goes before the command. */
  readonly through: readonly string[];
  readonly flags: readonly string[];
}

const USUAL: Conditions = {
  umask: '022',
  env: { TZ: 'UTC', LC_ALL: 'C' },
  folder: 'context',
  mtime: EPOCH + 10_000,
  through: [],
  flags: [],
};

const UNUSUAL: Conditions = {
  umask: '077',
  env: { TZ: 'Pacific/Kiritimati', LC_ALL: 'tr_TR.UTF-8', LANG: 'tr_TR.UTF-8', USER: 'somebody' },
  folder: 'ein anderer Ordner/ünd/tiefer',
  mtime: EPOCH + 20_000,
  // One processor: one thread.
  through: ['taskset', '-c', '0', 'nice', '-n', '5'],
  flags: ['--jobs', '1'],
};

const whyNot = whyNoAccount('user') ?? missing('busybox', 'taskset', 'nice');

describe('the same build', function () {
  this.timeout(120_000);

  const accounts: Account[] = [];
  let base: string;
  let expected: string;
  /** The archive that root wrote. */
  let first: string;

  before(async () => {
    if (whyNot !== undefined) return;
    const root = await account('root');
    base = (await busyboxBase(root)).folder;
    ({ digest: expected, archive: first } = await build(root, USUAL));
  });
  after(async () => {
    for (const each of accounts) await each.close();
  });

  async function account(...what: Parameters<typeof openAccount>): Promise<Account> {
    const opened = await openAccount(...what);
    accounts.push(opened);
    return opened;
  }

  interface Result {
    readonly digest: string;
    readonly archive: string;
  }

  async function build(by: Account, conditions: Conditions): Promise<Result> {
    const { umask, env, through, flags } = conditions;
    const context = join(by.home, conditions.folder);
    await writeContext(context, conditions.mtime);
    const copy = join(by.home, 'base');
    if (base !== copy) await cp(base, copy, { recursive: true });
    const archive = join(by.home, `image-${umask}.tar`);
    await by.own(by.home);
    const rest = ['--build-context', `base=oci-layout://${copy}:latest`, ...flags, context];
    const output = `type=oci,dest=${archive},rewrite-timestamp=true`;
    const command = [...through, ...by.command, '-t', 'app:1', '-o', output, ...rest];
    const script = `umask ${umask} && exec "$@"`;
    const outcome = await by.run('sh', ['-c', script, 'sh', ...command], {
      ...env,
      SOURCE_DATE_EPOCH: `${EPOCH}`,
    });
    return { digest: digestOf(outcome), archive };
  }

  /** The digest, and every byte of the archive. */
  async function assertSame({ digest, archive }: Result): Promise<void> {
    if (digest !== expected) {
      const store = join(accounts[0]?.home ?? '', 'diff');
      const { differences } = await diffImages(first, archive, { store, helper: HELPER, limit: 5 });
      assert.deepEqual(differences, [], 'what differs');
    }
    assert.equal(digest, expected);
    const bytes = [await readFile(archive), await readFile(first)].map((file) =>
      digestOfBytes(file),
    );
    assert.equal(bytes[0], bytes[1], 'the archive around it');
  }

  const test = itUnless(whyNot);

  test('has the same digest by a user with sub-uids in another directory, time zone, language and umask, on one processor (T-45, REP-1)', async () => {
    await assertSame(await build(await account('user'), UNUSUAL));
  });

  test('has the same digest by a user with one id (T-45, REP-1)', async () => {
    await assertSame(await build(await account('user', { subids: false }), UNUSUAL));
  });

  test('has the same digest from a cache, when files are only newer, and without a cache (T-45)', async () => {
    const [root] = accounts;
    assert.ok(root);
    await assertSame(await build(root, { ...UNUSUAL, mtime: EPOCH + 30_000 }));
    await assertSame(await build(root, { ...USUAL, flags: ['--no-cache'] }));
  });

  test('has another digest for other content, which diff names (T-46)', async () => {
    const [root] = accounts;
    assert.ok(root);
    const archive = join(root.home, 'image-027.tar');
    const mended = DOCKERFILE.replace('echo tool > out', 'echo cool > out');
    const flags = ['-f', join(root.home, 'other.Dockerfile')];
    await writeFile(flags[1] ?? '', mended);
    const { digest } = await build(root, { ...USUAL, umask: '027', flags });
    assert.notEqual(digest, expected);
    const [node = '', cli = ''] = root.command;
    const diff = async (...argv: readonly string[]) => await root.run(node, [cli, 'diff', ...argv]);
    const text = await diff(first, archive);
    assert.equal(text.code, 1, text.stderr);
    assert.match(
      text.stdout,
      /layers: [^\n]*\n {2}~ layers\[\d\] {2}2 entries differ {2}\(COPY \/tool /,
    );
    assert.match(text.stdout, /\/tool\/made\/here\/out[^\n]* line 1:\n {6}- tool\n {6}\+ cool\n/);
    const { stdout } = await diff('--json', first, archive);
    const { counts, differences } = JSON.parse(stdout) as ImageDiff;
    const paths = differences.flatMap((each) => ('path' in each ? [each.path] : []));
    assert.deepEqual(paths, ['/tool/made/here/out', '/tool/made/here/sub/hard']);
    assert.deepEqual([counts.config, counts.times, counts.layers], [0, 0, 1]);
  });
});

/** Written anew each time, the last file first. */
async function writeContext(folder: string, mtime: number): Promise<void> {
  await rm(folder, { recursive: true, force: true });
  const files: readonly (readonly [string, string | Buffer])[] = [
    ...Object.entries(FILES),
    ['archive.tar.gz', ARCHIVE],
  ];
  const inOrder = mtime % 20_000 === 0 ? files.toReversed() : files;
  for (const [name, content] of inOrder) {
    const path = join(folder, name);
    await mkdir(join(path, '..'), { recursive: true });
    await writeFile(path, content, { mode: 0o644 });
    await utimes(path, mtime, mtime);
  }
}
