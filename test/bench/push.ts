/**
 * node test/bench/push.ts [--runs N --from /usr/lib], after `npm run build`: export and push of a 1 GB image to a
 * docker-registry on loopback, in MB of layer bytes in a second, and its size beside that of `gzip -6`. The
 * best of the runs: others use the machine, too. Ends with 1 when a number is off its limit.
 */

import { execFile } from 'node:child_process';
import { copyFile, mkdir, mkdtemp, readdir, rm, stat, statfs, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { parseArgs, promisify } from 'node:util';
import { startDockerRegistry } from '../support/docker-registry.ts';
import { measureTime } from './measure.ts';

const run = promisify(execFile);
const { values } = parseArgs({
  options: {
    runs: { type: 'string', default: '3' },
    from: { type: 'string', default: '/usr/lib' },
  },
});
const RUNS = Number(values.runs);
const LAYERS = 8;
/** Of each layer, at least. */
const SIZE = 125e6;
const ROOM = 5e9;

const { bavail, bsize } = await statfs('/dev/shm');
await mkdir('.bench', { recursive: true });
const work = await mkdtemp(join(bavail * bsize > ROOM ? '/dev/shm' : '.bench', 'bench-push-'));
const store = join(work, 'store');
const image = join(work, 'image');
const registry = await startDockerRegistry(work);
try {
  const name = `${registry.address}/app`;
  const context = await createContext(join(work, 'context'));
  const layout = (form: string) => ['-o', `type=oci,tar=false,dest=${image},compression=${form}`];
  const clear = async (): Promise<void> => {
    for (const path of [store, image]) await rm(path, { recursive: true, force: true });
  };
  await tsbuild(...layout('uncompressed'), context);
  const tars = await layersOf(image);
  const bytes = sum(tars.map(({ size }) => size));
  const reference = sum(await Promise.all(tars.map(({ path }) => gzipSize(path))));
  let count = 0;
  const report = async (
    what: string,
    least: number,
    args: () => readonly string[],
    prepare?: () => Promise<unknown>,
  ) => {
    let best = Number.POSITIVE_INFINITY;
    for (let i = 0; i < RUNS; i++) {
      if (!what.includes('store')) await clear();
      await prepare?.();
      best = Math.min(best, await tsbuild(...args()));
    }
    const speed = bytes / 1e6 / best;
    say(`${what}: ${best.toFixed(2)} s, ${speed.toFixed(0)} MB/s`, speed >= least, least);
  };
  // A repository of its own each time, which has none of the blobs.
  const fresh = () => `${name}-${count++}:1`;

  await report('build and export, zstd', 400, () => [...layout('zstd'), context]);
  await report('build and export, gzip', 150, () => [
    ...layout('gzip'),
    '-t',
    `${name}:0`,
    context,
  ]);
  const packed = sum((await layersOf(image)).map(({ size }) => size));
  const sizes = `${(packed / 1e6).toFixed(1)} MB; gzip -6: ${(reference / 1e6).toFixed(1)} MB`;
  say(`the layers, gzip: ${sizes}`, packed <= reference, reference);
  await report('push of what is in the store, gzip', 150, () => ['push', `${name}:0`, fresh()]);
  // The steps are done, and no layer is packed: what is left is the bar's export and push.
  const steps = async () => await tsbuild('-o', 'type=cacheonly', context);
  const push = (form: string) => [
    '-o',
    `type=registry,name=${fresh()},compression=${form}`,
    context,
  ];
  await report('export and push of what is built, gzip', 150, () => push('gzip'), steps);
  await report('export and push of what is built, zstd', 400, () => push('zstd'), steps);
  // The steps too, beside a registry that hashes on the same processors: told, without a bar.
  await report('build and push, gzip', 0, () => push('gzip'));
  await report('build and push, zstd', 0, () => push('zstd'));
} finally {
  await registry.close();
  await rm(work, { recursive: true, force: true });
}

/** Layers of the machine's own files: made-up ones pack too well, or not at all. */
async function createContext(folder: string): Promise<string> {
  let [layer, size] = [0, 0];
  for (const entry of await readdir(values.from, { recursive: true, withFileTypes: true })) {
    if (layer === LAYERS) break;
    if (!entry.isFile()) continue;
    const from = join(entry.parentPath, entry.name);
    const to = join(folder, String(layer), from);
    await mkdir(dirname(to), { recursive: true });
    await copyFile(from, to);
    size += (await stat(to)).size;
    if (size < SIZE) continue;
    layer++;
    size = 0;
  }
  const names = await readdir(folder);
  await writeFile(
    join(folder, 'Dockerfile'),
    ['FROM scratch', ...names.map((each) => `COPY ${each} /`)].join('\n'),
  );
  return folder;
}

/** The blobs of a layout that are no documents. */
async function layersOf(layout: string): Promise<{ path: string; size: number }[]> {
  const folder = join(layout, 'blobs/sha256');
  const paths = (await readdir(folder)).map((each) => join(folder, each));
  const found = await Promise.all(
    paths.map(async (path) => ({ path, size: (await stat(path)).size })),
  );
  return found.filter(({ size }) => size > 1e6);
}

async function gzipSize(path: string): Promise<number> {
  const { stdout } = await run('sh', ['-c', 'gzip -6 < "$0" | wc -c', path]);
  return Number(stdout);
}

async function tsbuild(...words: readonly string[]): Promise<number> {
  const args = [join(process.cwd(), 'dist/cli.js'), ...words];
  const env = { TSBUILD_STORE: store, HOME: work };
  return await measureTime([{ program: process.execPath, args, env }]);
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((all, each) => all + each, 0);
}

function say(text: string, isGood: boolean, limit: number): void {
  if (!isGood) process.exitCode = 1;
  const verdict = ` (limit ${Math.round(limit)}): ${isGood ? 'ok' : 'MISSED'}`;
  process.stdout.write(`${text}${limit === 0 ? '' : verdict}\n`);
}
