/**
 * node test/bench/copy.ts [--only NAME,… --runs N], after `npm run build`: what COPY of large contexts
 * costs, against limits. Times are the least of the runs: others use the machine, too. Ends with 1 when
 * one is over its limit.
 */

import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, chown, mkdir, open, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { type Command, measureMemory, measureTime } from './measure.ts';
import { FILES, writeFiles } from './workloads.ts';

const { values } = parseArgs({
  options: {
    only: { type: 'string', default: '' },
    runs: { type: 'string', default: '3' },
  },
});
/** Generated contexts stay here between runs. */
const CONTEXTS = join(process.cwd(), '.bench/contexts');
const WORK = join('/dev/shm', `bench-copy-${process.pid}`);
const RUNS = Number(values.runs);
const MIB = 1 << 20;
const ORDINARY = 4321;

const CASES: Readonly<Record<string, () => Promise<void>>> = {
  cold: async () => {
    report('COPY of 30,000 files (218 MB), cold', await cold(await filesContext()), 2);
  },
  noop: async () => {
    const context = await filesContext();
    await build('store', context);
    const least = await leastOf(async () => await measureTime([command('store', context)]));
    report('the same again, unchanged', least, 0.18);
  },
  rootless: async () => {
    if (process.getuid?.() !== 0) return say('root against rootless: needs root');
    const context = await filesContext();
    let [root, user] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
    // In turn: what else the machine does falls on both.
    for (let i = 0; i < RUNS; i++) {
      root = Math.min(root, await coldOnce(context));
      user = Math.min(user, await coldOnce(context, ORDINARY));
    }
    report(`rootless (${user.toFixed(2)} s) to root (${root.toFixed(2)} s)`, user / root, 1.15, '');
  },
  linear: async () => {
    const few = await cold(await smallFiles(30_000));
    const many = await cold(await smallFiles(300_000));
    say(`COPY of 30,000 small files ${few.toFixed(2)} s, of 300,000 ${many.toFixed(2)} s`);
    report('300,000 small files to ten times 30,000', many / (10 * few), 1.1, '');
  },
  memory: async () => {
    const peak = await measureMemory([command('memory', await largeContext())], undefined);
    report('peak memory, COPY of 5 GB', peak / MIB, 256, 'MiB');
    await rm(join(WORK, 'memory'), { recursive: true });
  },
};

await mkdir(WORK);
try {
  const names = values.only.split(',').filter(Boolean);
  for (const [name, run] of Object.entries(CASES)) {
    if (names.length === 0 || names.includes(name)) await run();
  }
} finally {
  await rm(WORK, { recursive: true, force: true });
}

/** Seconds of a build on an empty store. */
async function coldOnce(context: string, uid = 0): Promise<number> {
  const folder = join(WORK, 'cold');
  await mkdir(folder);
  await chmod(WORK, 0o755);
  if (uid !== 0) await chown(folder, uid, uid);
  const seconds = await measureTime([command('cold', context, uid)]);
  await rm(folder, { recursive: true });
  return seconds;
}

async function cold(context: string): Promise<number> {
  return await leastOf(async () => await coldOnce(context));
}

async function build(name: string, context: string): Promise<void> {
  await measureTime([command(name, context)]);
}

/** One build; its store and its image are below a folder of this name. */
function command(name: string, context: string, uid = 0): Command {
  const output = `type=oci,tar=false,dest=${join(WORK, name, 'image')}`;
  const words = [join(process.cwd(), 'dist/cli.js'), '-o', output, context];
  const env = { TSBUILD_STORE: join(WORK, name, 'store'), HOME: join(WORK, name) };
  if (uid === 0) return { program: process.execPath, args: words, env };
  const become = [`--reuid=${uid}`, `--regid=${uid}`, '--clear-groups', process.execPath];
  return { program: 'setpriv', args: [...become, ...words], env };
}

async function leastOf(measure: () => Promise<number>): Promise<number> {
  let least = Number.POSITIVE_INFINITY;
  for (let i = 0; i < RUNS; i++) least = Math.min(least, await measure());
  return least;
}

async function filesContext(): Promise<string> {
  const context = join(CONTEXTS, 'copy');
  await writeFiles(join(context, 'files'), FILES);
  return await withDockerfile(context);
}

async function smallFiles(count: number): Promise<string> {
  const context = join(CONTEXTS, `copy-${count}`);
  await writeFiles(join(context, 'files'), { count, meanSize: 100 });
  return await withDockerfile(context);
}

async function largeContext(): Promise<string> {
  const context = join(CONTEXTS, 'copy-large');
  const folder = join(context, 'files');
  if (!existsSync(folder)) {
    const work = `${folder}.${process.pid}`;
    await mkdir(work, { recursive: true });
    const block = randomBytes(64 * MIB);
    for (let number = 0; number < 5; number++) {
      const file = await open(join(work, `${number}`), 'w');
      for (let i = 0; i < 16; i++) await file.write(block);
      await file.close();
    }
    await rename(work, folder);
  }
  return await withDockerfile(context);
}

async function withDockerfile(context: string): Promise<string> {
  await writeFile(join(context, 'Dockerfile'), 'FROM scratch\nCOPY files /files\n');
  return context;
}

function report(what: string, value: number, limit: number, unit = 's'): void {
  const text = `${what}: ${value.toFixed(2)} ${unit}`.trimEnd();
  const isOver = value > limit;
  if (isOver) process.exitCode = 1;
  say(`${text} (limit ${limit}${isOver ? ', MISSED' : ''})`);
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
