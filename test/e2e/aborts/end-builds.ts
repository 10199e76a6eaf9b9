/**
 * node test/e2e/aborts/end-builds.ts [--aborts N] [--kills N] [--seed S]: ends builds at random moments, on every rung,
 * and looks for what is left after each. Tells how long the aborted ones took to settle.
 */

import assert from 'node:assert/strict';
import { parseArgs } from 'node:util';
import { RUNGS, type TestRung } from '../../support/rungs.ts';
import { type Random, randomFrom } from '../fuzz-context.ts';
import { Lane } from './lane.ts';

/** How many builds on one store are ended before one is left alone. */
const IN_A_ROW = 3;

export interface Lanes {
  /** Milliseconds from the abort to the end of each of `count` builds. */
  readonly abort: (count: number, seed: number) => Promise<readonly number[]>;
  /** Kills the command of `count` builds, or a helper of each. */
  readonly kill: (what: 'builder' | 'helper', count: number, seed: number) => Promise<void>;
  readonly close: () => Promise<void>;
}

/**
 * As many lanes as there are words; in those called `private`, RUNs have a network of their own. Their work throws
 * AssertionErrors that tell the seed, the moments and what was left.
 */
export async function openLanes(
  rung: TestRung,
  networks: readonly ('host' | 'private')[],
): Promise<Lanes> {
  const { account } = await rung.open();
  const lanes = await all(
    networks.map(async (network, number) => {
      const isPrivate = network === 'private';
      return await Lane.open({ account, name: `${rung.name}-${number}`, isPrivate });
    }),
  );
  const inEach = async <T>(seed: number, count: number, work: Work<T>): Promise<readonly T[]> => {
    const share = Math.ceil(count / lanes.length);
    const works = lanes.map(
      async (lane, n) => await repeat(lane, { seed: seed + n, count: share }, work),
    );
    return (await all(works)).flat();
  };
  return {
    abort: async (count, seed) => await inEach(seed, count, abortOne),
    kill: async (what, count, seed) => {
      await inEach(seed, count, what === 'helper' ? killHelper : killBuilder);
    },
    close: async () => {
      await all(lanes.map(async (lane) => await lane.close()));
      await account.close();
    },
  };
}

/** Ends one build, which may be the `number`th on its store; undefined when the build was faster. */
type Work<T> = (lane: Lane, number: number, tools: Tools) => Promise<T | undefined>;

interface Tools {
  readonly random: Random;
  /** Notes what is done, for when it goes wrong. */
  readonly note: (what: string) => void;
}

async function abortOne(lane: Lane, number: number, { random, note }: Tools) {
  const noCache = number > 0 && random(2) === 0;
  // What was recorded is not built again: what is left to do takes less and less.
  const after = random(lane.duration / (noCache ? 1 : number + 1));
  note(`aborted after ${after} ms${noCache ? ' without the cache' : ''}`);
  return (await lane.abort(after, noCache))?.settled;
}

async function killHelper(lane: Lane, number: number, { random, note }: Tools) {
  const after = random(lane.duration / (number + 1));
  note(`its helper killed after ${after} ms`);
  return (await lane.killHelper(after)) ? true : undefined;
}

async function killBuilder(lane: Lane, number: number, { random, note }: Tools) {
  const after = random(lane.commandDuration / (number + 1));
  note(`killed after ${after} ms`);
  return (await lane.killBuilder(after)) ? true : undefined;
}

/** Until `count` builds have been ended: some on what the one before has left, and then one left alone. */
async function repeat<T>(
  lane: Lane,
  { seed, count }: { readonly seed: number; readonly count: number },
  work: Work<T>,
): Promise<readonly T[]> {
  const random = randomFrom(seed);
  const results: T[] = [];
  while (results.length < count) {
    const notes: string[] = [];
    try {
      await lane.empty();
      for (let number = 0; number < IN_A_ROW && results.length < count; number++) {
        const result = await work(lane, number, { random, note: (what) => notes.push(what) });
        if (result !== undefined) results.push(result);
      }
      await lane.assertBuilds();
    } catch (error) {
      const message = `seed ${seed}, ${notes.join(', then ')}: ${String(error)}`;
      throw new assert.AssertionError({ message });
    }
  }
  return results;
}

/** All of them, also when one fails: they share what is taken away next. */
async function all<T>(work: readonly Promise<T>[]): Promise<readonly T[]> {
  await Promise.allSettled(work);
  return await Promise.all(work);
}

if (import.meta.main) {
  const { values } = parseArgs({
    options: {
      aborts: { type: 'string', default: '200' },
      kills: { type: 'string', default: '20' },
      seed: { type: 'string', default: String(Date.now() % 1_000_000_000) },
    },
  });
  const [aborts, kills] = [values.aborts, values.kills].map((count) =>
    Math.ceil(Number(count) / RUNGS.length),
  ) as [number, number];
  const seed = Number(values.seed);
  for (const rung of RUNGS) {
    const lanes = await openLanes(rung, ['host', 'private']);
    const began = performance.now();
    const times = (await lanes.abort(aborts, seed)).toSorted((a, b) => a - b).map(Math.round);
    const at = (share: number) => times[Math.floor((times.length - 1) * share)];
    const seconds = Math.round((performance.now() - began) / 1000);
    process.stdout.write(
      `${rung.title}: ${times.length} aborts in ${seconds} s, seed ${seed}; settled after ${at(0.5)} ms, p90 ${at(0.9)}, p99 ${at(0.99)}, at most ${at(1)}\n`,
    );
    await lanes.kill('helper', kills, seed);
    await lanes.kill('builder', kills, seed);
    process.stdout.write(
      `${rung.title}: ${2 * kills} kills in ${Math.round((performance.now() - began) / 1000) - seconds} s\n`,
    );
    await lanes.close();
  }
}
