/**
 * node test/e2e/fuzz.ts [--runs N] [--seed S] [--copies]: random edits of a context, a build after each, on one
 * store and one stat cache. Each image is compared with what Node sees in the context, and with that of
 * a clean build on an empty store. Ends with 1 at the first difference, telling the seed and the edits.
 * With --copies, `fuzz-copies.ts` does that with Dockerfiles made at random.
 */

import assert from 'node:assert/strict';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { argv, stdout } from 'node:process';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { build } from '../../src/index.ts';
import { type ImageFile, readImage } from '../support/layout-files.ts';
import { HELPER } from '../support/sandbox.ts';
import { withDirectory } from '../support/temporary.ts';
import { fuzzCopies } from './fuzz-copies.ts';
import { change, look, plant, type Random, randomFrom, type Seen } from './fuzz-context.ts';

const DOCKERFILE = `
FROM scratch AS all
COPY . /all/
FROM scratch
COPY . /
COPY --from=all /all/d /stage/
`;
/** A new context after so many runs: a file's history matters, that of a whole day does not. */
const RUNS_PER_CONTEXT = 50;

export interface FuzzOptions {
  readonly runs: number;
  readonly seed: number;
  /** Compare with a clean build after so many runs; Node looks after each. */
  readonly cleanEvery: number;
  readonly onRuns?: (done: number) => void;
}

/** @throws AssertionError with the seed and the latest edits, for an image that is not what the context is. */
export async function fuzz(options: FuzzOptions): Promise<void> {
  const { runs, seed } = options;
  for (let done = 0; done < runs; done += RUNS_PER_CONTEXT) {
    const count = Math.min(RUNS_PER_CONTEXT, runs - done);
    await withDirectory(
      async (base) => await fuzzContext(base, seed + done, { ...options, runs: count }),
    );
    options.onRuns?.(done + count);
  }
}

async function fuzzContext(base: string, seed: number, options: FuzzOptions): Promise<void> {
  const random: Random = randomFrom(seed);
  const context = join(base, 'context');
  await mkdir(context);
  await writeFile(join(base, 'Dockerfile'), DOCKERFILE);
  plant(context, random);
  for (let run = 1; run <= options.runs; run++) {
    const edits = run === 1 ? ['plant'] : change(context, random);
    const about = `seed ${seed}, run ${run}: ${edits.join('; ')}`;
    const found = await filesOf(base, 'store');
    assert.deepEqual(
      relevant(found, (path) => !isStage(path)),
      look(context),
      about,
    );
    if (run % options.cleanEvery === 0) {
      assert.deepEqual(found, await filesOf(base, 'clean-store'), about);
      await rm(join(base, 'clean-store'), { recursive: true });
    }
  }
}

const isStage = (path: string): boolean => path === 'stage' || path.startsWith('stage/');

/** Builds, and reads the image. */
async function filesOf(base: string, store: string): Promise<Readonly<Record<string, ImageFile>>> {
  const output = join(base, 'image');
  await build({
    context: join(base, 'context'),
    dockerfile: join(base, 'Dockerfile'),
    store: join(base, store),
    helper: HELPER,
    outputs: [`type=oci,tar=false,dest=${output}`],
  });
  const { files } = await readImage(output);
  await rm(output, { recursive: true });
  return files;
}

/** What Node can tell, too: every file of a context is root's, and links of symlinks are symlinks. */
function relevant(
  files: Readonly<Record<string, ImageFile>>,
  isWanted: (path: string) => boolean,
): Readonly<Record<string, Seen>> {
  const wanted = Object.entries(files).filter(([path]) => isWanted(path));
  return Object.fromEntries(
    wanted.map(([path, { owner, sameAs, ...seen }]) => {
      assert.equal(owner, '0:0', path);
      return [path, { ...seen, ...(seen.type === 'file' && sameAs !== undefined && { sameAs }) }];
    }),
  );
}

if (import.meta.url === pathToFileURL(argv[1] ?? '').href) {
  const { values } = parseArgs({
    options: {
      runs: { type: 'string', default: '10000' },
      copies: { type: 'boolean', default: false },
      seed: { type: 'string', default: String(Date.now() % 1_000_000_000) },
    },
  });
  const [runs, seed] = [Number(values.runs), Number(values.seed)];
  stdout.write(`${runs} runs from seed ${seed}\n`);
  const onRuns = (done: number): void => {
    if (done % (values.copies ? 30 : 1000) === 0 || done === runs)
      stdout.write(`${done} runs: no difference\n`);
  };
  if (values.copies) await fuzzCopies({ runs, seed, onRuns });
  else await fuzz({ runs, seed, cleanEvery: 1, onRuns });
}
