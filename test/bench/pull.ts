/**
 * node test/bench/pull.ts [--runs N], after `npm run build`: pull and unpack of a Debian base (250 MB, 87 MB
 * compressed) from a docker-registry on loopback into an empty store, the whole command with a RUN that does
 * nothing. The best of the runs. Ends with 1 when it is over its limit.
 */

import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { debianLayout } from '../support/debian.ts';
import { startDockerRegistry } from '../support/docker-registry.ts';
import { measureTime } from './measure.ts';

const { values } = parseArgs({ options: { runs: { type: 'string', default: '5' } } });
const LIMIT = 1.2;
const FOLDER = join(process.cwd(), '.bench');
const WORK = join('/dev/shm', `bench-pull-${process.pid}`);

await mkdir(FOLDER, { recursive: true });
await mkdir(join(WORK, 'context'), { recursive: true });
const registry = await startDockerRegistry(WORK);
try {
  const base = await registry.push(await debianLayout(FOLDER, 'important'));
  await writeFile(join(WORK, 'context/Dockerfile'), `FROM ${base}\nRUN true\n`);
  let best = Number.POSITIVE_INFINITY;
  for (let i = 0; i < Number(values.runs); i++) {
    const env = { TSBUILD_STORE: join(WORK, 'store'), HOME: WORK };
    await rm(env.TSBUILD_STORE, { recursive: true, force: true });
    const args = [join(process.cwd(), 'dist/cli.js'), join(WORK, 'context')];
    best = Math.min(best, await measureTime([{ program: process.execPath, args, env }]));
  }
  if (best > LIMIT) process.exitCode = 1;
  const verdict = best > LIMIT ? 'TOO SLOW' : 'ok';
  process.stdout.write(`pull and unpack: ${best.toFixed(2)} s (at most ${LIMIT}): ${verdict}\n`);
} finally {
  await registry.close();
  await rm(WORK, { recursive: true, force: true });
}
