/**
 * node test/corpus/replay-builds.ts [REPLAYER ARGUMENTS…]: builds the cases of ../shared/corpus as root and
 * as ordinary users, each on a store of its own. Fails when the cases that fail are not those that
 * docs/corpus.md lists. Arguments go to the replayer (`--only REGEX`). Needs root.
 */

import { spawn } from 'node:child_process';
import { mkdir, readFile, rmdir, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { type Account, whyNoAccount, withAccount } from '../support/accounts.ts';
import { whyNoCorpus } from '../support/corpus.ts';
import { freePort } from '../support/free-port.ts';
import { missing } from '../support/missing.ts';
import { THREE_ACCOUNTS } from '../support/three-accounts.ts';
import { type BuildCase, complaints, readExceptions, readVerdicts } from './verdict.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const CORPUS = join(ROOT, '../shared/corpus');

const whyNot = whyNoCorpus() ?? whyNoAccount('user') ?? missing('python3');
if (whyNot === undefined) await main(process.argv.slice(2));
else {
  say(`corpus: skipped, ${whyNot}`);
  // There only ../shared may be missing.
  if (process.env['CI'] === 'true' && whyNoCorpus() === undefined) process.exitCode = 1;
}

async function main(args: readonly string[]): Promise<void> {
  const exceptions = readExceptions(await readFile(join(ROOT, 'docs/corpus.md'), 'utf8'));
  const { cases } = JSON.parse(await readFile(join(CORPUS, 'build-cases.json'), 'utf8')) as {
    readonly cases: readonly BuildCase[];
  };
  // Side by side: much of a small build's time goes by while programs start and end.
  const outputs = await Promise.all(
    THREE_ACCOUNTS.map(async ({ title, kind, subids }) => ({
      name: title,
      output: await withAccount(kind, async (account) => await replay(account, args), { subids }),
    })),
  );
  for (const { name, output } of outputs) {
    const verdicts = readVerdicts(output);
    const wrong = [...complaints(verdicts, cases, exceptions)];
    if (verdicts.length === 0 || (args.length === 0 && verdicts.length < cases.length)) {
      wrong.push(`only ${verdicts.length} of ${cases.length} cases ran:\n${output}`);
    }
    const failed = verdicts.filter(({ passes }) => !passes);
    for (const { text } of failed) say(text);
    say(`corpus as ${name}: ${verdicts.length - failed.length} pass, ${failed.length} fail`);
    for (const complaint of wrong) say(`corpus as ${name}: ${complaint}`);
    if (wrong.length > 0) process.exitCode = 1;
  }
}

/** What the replayer, which is root, prints when its builds are this account's. */
async function replay(account: Account, args: readonly string[]): Promise<string> {
  const work = join(account.home, 'replay');
  const command = join(account.home, 'tsbuild.sh');
  await mkdir(work);
  await writeFile(command, commandOf(account));
  const port = await freePort();
  await mirrorDockerHub(account, port);
  const replayer = join(CORPUS, 'run/replay_builds.py');
  const flags = [
    '-v',
    '--disagree',
    '--base-mode',
    'context',
    '--registry-port',
    `${port}`,
    '--cmd',
    `sh ${command}`,
  ];
  const child = spawn('python3', [replayer, ...flags, ...args], {
    env: { ...account.env, TMPDIR: work },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const closed = new Promise((resolve, reject) =>
    child.once('error', reject).once('close', resolve),
  );
  const output = await text(child.stdout);
  await closed;
  await rmdir(work);
  return output;
}

/** As users do who may not pull from Docker Hub: the replayer's registry has what its cases need of it. */
async function mirrorDockerHub({ home }: Account, port: number): Promise<void> {
  const folder = join(home, '.config/containers');
  await mkdir(folder, { recursive: true });
  const mirror = `location = "127.0.0.1:${port}"\ninsecure = true`;
  const text = `[[registry]]\nlocation = "docker.io"\n[[registry.mirror]]\n${mirror}\n`;
  await writeFile(join(folder, 'registries.conf'), text);
}

/**
 * A script that builds as the account. What the replayer has made is handed over first, set-id bits and
 * all: a user's files are a user's own, and who owns a context's files is nothing to an image.
 */
function commandOf({ kind, through, command, uid }: Account): string {
  const others = `find "$TMPDIR" ! -uid ${uid}`;
  const handOver = [
    `${others} ! -perm /6000 -exec chown -h ${uid}:${uid} {} +`,
    `${others} -perm /6000 -exec sh -c 'for f; do m=$(stat -c %a "$f"); chown ${uid}:${uid} "$f"; chmod $m "$f"; done' sh {} +`,
  ];
  const words = [...through, ...command].map((word) => `'${word.replaceAll("'", `'\\''`)}'`);
  const lines = [...(kind === 'root' ? [] : handOver), `exec ${words.join(' ')} "$@"`];
  return `${lines.join('\n')}\n`;
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
