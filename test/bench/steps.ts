/**
 * node test/bench/steps.ts [--only NAME,… --runs N --files N], after `npm run build`, as root: what a RUN
 * costs besides its command, against limits. 30 × `RUN true` on a base that is unpacked already, the
 * whole process divided by 30, on a tiny base and on one of 200,000 files in turn. Times are the least
 * of the runs: others use the machine, too. Ends with 1 when one is over its limit.
 */

import { existsSync, readFileSync } from 'node:fs';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { type Account, type AccountKind, withAccount } from '../support/accounts.ts';
import type { BaseLayout } from '../support/debian.ts';
import { busyboxLayer } from '../support/sandbox.ts';
import { writeFiles } from './workloads.ts';

const { values } = parseArgs({
  options: {
    only: { type: 'string', default: '' },
    runs: { type: 'string', default: '5' },
    files: { type: 'string', default: '200000' },
  },
});
/** Generated bases stay here between runs. */
const FOLDER = join(process.cwd(), '.bench/steps');
const RUNS = Number(values.runs);
const FILES = Number(values.files);
const STEPS = 30;
const LIMITS = { milliseconds: 25, ratio: 1.2 };

const WHO: Readonly<Record<string, readonly [AccountKind, { readonly subids: boolean }]>> = {
  root: ['root', { subids: false }],
  subids: ['user', { subids: true }],
  single: ['user', { subids: false }],
};

/** Milliseconds for each step: on the clock, and of processors, in every process of the build. */
interface Cost {
  readonly wall: number;
  readonly busy: number;
}

const NOTHING_YET: Cost = { wall: Number.POSITIVE_INFINITY, busy: Number.POSITIVE_INFINITY };

const bases = await withAccount('root', async (account) => ({
  tiny: await base(account, 0),
  large: await base(account, FILES),
}));
const names = values.only.split(',').filter(Boolean);
for (const [name, [kind, options]] of Object.entries(WHO)) {
  if (names.length > 0 && !names.includes(name)) continue;
  await withAccount(kind, async (account) => await compare(name, account), options);
}

/** Both bases in turn: what else the machine does falls on both. */
async function compare(name: string, account: Account): Promise<void> {
  for (const layout of [bases.tiny, bases.large]) await build(account, layout, ['RUN true # warm']);
  let [tiny, large] = [NOTHING_YET, NOTHING_YET];
  for (let run = 0; run < RUNS; run++) {
    tiny = least(tiny, await costOf(account, bases.tiny, run));
    large = least(large, await costOf(account, bases.large, run));
  }
  report(`${name}, tiny base`, tiny.wall, LIMITS.milliseconds, 'ms', tiny.busy);
  report(`${name}, ${FILES} files`, large.wall, LIMITS.milliseconds, 'ms', large.busy);
  const ratio = large.wall / tiny.wall;
  report(`${name}, ${FILES} files to tiny`, ratio, LIMITS.ratio, '×', large.busy / tiny.busy);
}

function least(a: Cost, b: Cost): Cost {
  return { wall: Math.min(a.wall, b.wall), busy: Math.min(a.busy, b.busy) };
}

async function costOf(account: Account, layout: BaseLayout, run: number): Promise<Cost> {
  const steps = Array.from({ length: STEPS }, (_, step) => `RUN true # ${run} ${step}`);
  const [began, busy] = [performance.now(), busyChildren()];
  await build(account, layout, steps);
  return { wall: (performance.now() - began) / STEPS, busy: (busyChildren() - busy) / STEPS };
}

/** Milliseconds of processors that children of this process took, and theirs: those that have ended. */
function busyChildren(): number {
  const stat = readFileSync('/proc/self/stat', 'utf8');
  // cutime and cstime, fields 16 and 17, in hundredths of a second; ") S" are 2 and 3.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return 10 * (Number(fields[13]) + Number(fields[14]));
}

async function build(
  account: Account,
  { folder, reference }: BaseLayout,
  lines: readonly string[],
): Promise<void> {
  const context = join(account.home, 'context');
  await mkdir(context, { recursive: true });
  await writeFile(join(context, 'Dockerfile'), `FROM base\n${lines.join('\n')}\n`);
  const output = join(account.home, 'image.tar');
  // As users see this clone, which may be where others must not look.
  const seen =
    account.kind === 'root' ? folder : folder.replace(process.cwd(), `${account.home}/tsbuild`);
  const flags = ['--build-context', `base=oci-layout://${seen}:${reference}`];
  const { code, stderr } = await account.tsbuild([
    ...[...flags, '-o', `type=oci,dest=${output}`, context],
  ]);
  if (code !== 0) throw new Error(`A build failed with ${code}:\n${stderr}`);
}

/** busybox, and above it a layer of this many files; made once. */
async function base(account: Account, count: number): Promise<BaseLayout> {
  const layout = { folder: join(FOLDER, `base-${count}`), reference: 'latest' };
  if (existsSync(layout.folder)) return layout;
  const context = join(account.home, `base-${count}`);
  await mkdir(join(context, 'root'), { recursive: true });
  await busyboxLayer(join(context, 'root'));
  if (count > 0) await writeFiles(join(context, 'files'), { count, meanSize: 100 });
  else await mkdir(join(context, 'files'));
  const lines = ['FROM scratch', 'COPY root /', 'COPY files /files', 'ENV PATH=/bin'];
  await writeFile(join(context, 'Dockerfile'), `${lines.join('\n')}\n`);
  await mkdir(FOLDER, { recursive: true });
  const work = `${layout.folder}.${process.pid}`;
  try {
    const output = `type=oci,tar=false,dest=${work}`;
    const flags = ['-t', `base:${layout.reference}`, '-o', output, context];
    const { code, stderr } = await account.tsbuild(flags);
    if (code !== 0) throw new Error(`The base was not built:\n${stderr}`);
    await rename(work, layout.folder);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
  return layout;
}

function report(what: string, value: number, limit: number, unit: string, busy: number): void {
  const isOver = value > limit;
  if (isOver) process.exitCode = 1;
  const text = `${what}: ${value.toFixed(2)} ${unit} (limit ${limit}${isOver ? ', MISSED' : ''})`;
  process.stdout.write(`${text}, processors ${busy.toFixed(2)} ${unit}\n`);
}
