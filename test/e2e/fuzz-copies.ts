/**
 * Dockerfiles made at random, built in turn on one store while their context is edited, and each on an
 * empty store as well: the images must be equal, and with SOURCE_DATE_EPOCH equal to the last byte.
 */

import assert from 'node:assert/strict';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { build, TsbuildError } from '../../src/index.ts';
import { readImage } from '../support/layout-files.ts';
import { HELPER } from '../support/sandbox.ts';
import { tar } from '../support/tar.ts';
import { withDirectory } from '../support/temporary.ts';
import { change, plant, type Random, randomFrom } from './fuzz-context.ts';
import { ARCHIVE, dockerfileOf, ignoreFileOf } from './fuzz-dockerfile.ts';

const RUNS_PER_CONTEXT = 30;

export interface FuzzCopiesOptions {
  readonly runs: number;
  readonly seed: number;
  readonly onRuns?: (done: number) => void;
}

/** @throws AssertionError with the seed and the Dockerfile of a build that a clean one contradicts. */
export async function fuzzCopies({ runs, seed, onRuns }: FuzzCopiesOptions): Promise<void> {
  for (let done = 0; done < runs; done += RUNS_PER_CONTEXT) {
    const count = Math.min(RUNS_PER_CONTEXT, runs - done);
    await withDirectory(async (base) => await fuzzOne(base, seed + done, count));
    onRuns?.(done + count);
  }
}

async function fuzzOne(base: string, seed: number, runs: number): Promise<void> {
  const random = randomFrom(seed);
  const context = join(base, 'context');
  await mkdir(context);
  plant(context, random);
  let dockerfile = dockerfileOf(random);
  for (let run = 1; run <= runs; run++) {
    const edits = run % 2 === 0 ? change(context, random) : [];
    if (random(3) === 0) dockerfile = dockerfileOf(random);
    if (random(4) === 0) await writeIgnoreFile(context, random);
    if (run === 1 || random(4) === 0) await writeFile(join(context, ARCHIVE), archive(random));
    await writeFile(join(base, 'Dockerfile'), dockerfile);
    const epoch = [undefined, '7', '8'][random(3)];
    const found = await outcome(base, 'store', epoch);
    const clean = await outcome(base, 'clean-store', epoch);
    await rm(join(base, 'clean-store'), { recursive: true, force: true });
    const about = `seed ${seed}, run ${run}, epoch ${epoch}: ${edits.join('; ')}\n${dockerfile}`;
    assert.deepEqual(found, clean, about);
  }
}

async function writeIgnoreFile(context: string, random: Random): Promise<void> {
  const path = join(context, '.dockerignore');
  const text = ignoreFileOf(random);
  if (text === undefined) await rm(path, { force: true });
  else await writeFile(path, text);
}

function archive(random: Random): string | Buffer {
  if (random(5) === 0) return 'text';
  return tar([
    { name: 'd/', type: '5', mode: 0o700 + random(2) },
    { name: 'd/a', content: String(random(3)), uid: random(2), mtime: random(9) },
    { name: 'm', type: '2', link: 'd' },
  ]);
}

/** What a build comes to; of failures, of which there may be several, only that there is one. */
async function outcome(base: string, store: string, epoch: string | undefined): Promise<object> {
  const output = join(base, 'image');
  try {
    const { digest } = await build({
      context: join(base, 'context'),
      dockerfile: join(base, 'Dockerfile'),
      store: join(base, store),
      helper: HELPER,
      buildArgs: epoch === undefined ? {} : { SOURCE_DATE_EPOCH: epoch },
      outputs: [`type=oci,tar=false,dest=${output}`],
    });
    const { files } = await readImage(output);
    return { files, ...(epoch !== undefined && { digest }) };
  } catch (error) {
    if (!(error instanceof TsbuildError)) throw error;
    return { failed: true };
  } finally {
    await rm(output, { recursive: true, force: true });
  }
}
