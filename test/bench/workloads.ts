/** What is built: contexts and Dockerfiles, generated, the same on every machine. */

import { existsSync } from 'node:fs';
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** One row of the table. */
export interface Workload {
  readonly name: string;
  readonly title: string;
  /** The build context's directory; its Dockerfile is in it. */
  readonly context: string;
  /** `cold`: nothing is there, the base is pulled. `warm`: the same was just built. */
  readonly state: 'cold' | 'warm';
}

/** 218 MB in all. */
export const FILES = { count: 30_000, meanSize: 7_267 } as const;

/** Writes the contexts below `folder`; `base` is the base image's name in the registry. */
export async function createWorkloads(folder: string, base: string): Promise<readonly Workload[]> {
  const context = async (name: string, dockerfile: readonly string[]): Promise<string> => {
    const path = join(folder, name);
    await mkdir(path, { recursive: true });
    await writeFile(join(path, 'Dockerfile'), `${[`FROM ${base}`, ...dockerfile].join('\n')}\n`);
    await writeFile(join(path, 'app.txt'), 'an application\n');
    return path;
  };
  const small = await context('base', ['COPY . /app', 'RUN wc -c /app/app.txt > /size']);
  const files = await context('files', ['COPY files /app', 'RUN ls /app | wc -l > /count']);
  await writeFiles(join(files, 'files'), FILES);
  const runs = Array.from({ length: 30 }, (_, i) => `RUN echo ${i} > /step-${i}`);
  const write = ['RUN base64 -w 0 /dev/urandom | head -c 300000000 > /large'];
  const cold: readonly (readonly [string, string, string])[] = [
    ['base', 'pull, COPY + RUN', small],
    ['runs', 'pull, 30 RUN', await context('runs', ['COPY app.txt /', ...runs])],
    ['files', 'pull, COPY 30,000 files (218 MB) + RUN', files],
    ['write', 'pull, RUN writing 300 MB', await context('write', write)],
    ['stages', 'pull, 6 stages of `sleep 2`', await context('stages', stages(base))],
  ];
  const warm: readonly (readonly [string, string, string])[] = [
    ['noop', 'no-op rebuild, small context', small],
    ['noop-files', 'no-op rebuild, 30,000 files', files],
  ];
  return [
    ...cold.map(([name, title, path]) => ({ name, title, context: path, state: 'cold' as const })),
    ...warm.map(([name, title, path]) => ({ name, title, context: path, state: 'warm' as const })),
  ];
}

/** After the first line, `FROM base`. */
function stages(base: string): readonly string[] {
  const names = Array.from({ length: 6 }, (_, i) => `s${i}`);
  const waiting = names.flatMap((name) => [
    `FROM ${base} AS ${name}`,
    `RUN sleep 2 && echo ${name} > /done`,
  ]);
  return [...waiting, `FROM ${base}`, ...names.map((n) => `COPY --from=${n} /done /${n}`)];
}

/** Files in folders of 100, of mixed sizes and half compressible; made once. */
export async function writeFiles(
  folder: string,
  { count, meanSize }: { readonly count: number; readonly meanSize: number },
): Promise<void> {
  if (existsSync(folder)) return;
  const work = `${folder}.${process.pid}`;
  try {
    const random = createRandom(42);
    const pool = Buffer.from(
      Array.from({ length: 1 << 20 }, () => (random() < 0.5 ? 97 + random() * 4 : random() * 256)),
    );
    for (let index = 0; index < count; index++) {
      const parent = join(work, `d${Math.floor(index / 100)}`);
      if (index % 100 === 0) await mkdir(parent, { recursive: true });
      const size = Math.floor(random() * 2 * meanSize);
      const at = Math.floor(random() * (pool.length - size));
      await writeFile(join(parent, `f${index}`), pool.subarray(at, at + size));
    }
    await rename(work, folder);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** Numbers in [0, 1) that are the same everywhere: a linear congruential generator. */
function createRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}
