/**
 * Runs tasks side by side, and never answers before all of them are over.
 *
 * `Promise.all` returns while siblings still run, and p-queue forgets an aborted task that is still
 * running: both would mean unmounting under a live process. Here the first failure aborts the others,
 * everybody's cleanup is awaited, and only then the failure comes back.
 */

import type PQueue from 'p-queue';

/** Something that runs until it is done or told to stop. */
export type Task<T> = (signal: AbortSignal) => Promise<T>;

/**
 * Runs all tasks at once. Answers their results in order; rejects with the first failure, or with
 * the signal's reason, after every task has settled.
 */
export async function runTogether<T>(
  tasks: readonly Task<T>[],
  { signal }: { readonly signal: AbortSignal },
): Promise<T[]> {
  const failure = new AbortController();
  const stop = AbortSignal.any([signal, failure.signal]);
  const settled = await Promise.allSettled(
    tasks.map(async (task) => {
      try {
        stop.throwIfAborted();
        return await task(stop);
      } catch (error) {
        failure.abort(error); // only the first abort sets the reason
        throw error;
      }
    }),
  );
  signal.throwIfAborted();
  failure.signal.throwIfAborted();
  return settled.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
}

/** Bounds how many jobs of one kind go on at once. Jobs must not wait for jobs of the same limiter. */
export class Limiter {
  readonly #concurrency: number;
  #queue: Promise<PQueue> | undefined;

  constructor(concurrency: number) {
    this.#concurrency = concurrency;
  }

  /** Runs a job when there is room. The signal goes to the job, never to the queue (see above). */
  async run<T>(job: Task<T>, signal: AbortSignal): Promise<T> {
    this.#queue ??= import('p-queue').then(
      (module) => new module.default({ concurrency: this.#concurrency }),
    );
    const queue = await this.#queue;
    return await queue.add(async () => {
      signal.throwIfAborted();
      return await job(signal);
    });
  }
}

/** Work asked for by several at once is done once: one promise per key, forgotten when it fails. */
export class Once<T> {
  readonly #results = new Map<string, Promise<T>>();

  /** The result for a key, from now on the same for everybody. */
  get(key: string, work: () => Promise<T>): Promise<T> {
    const known = this.#results.get(key);
    if (known !== undefined) return known;
    const result = work();
    this.#results.set(key, result);
    result.catch(() => {
      if (this.#results.get(key) === result) this.#results.delete(key);
    });
    return result;
  }

  /** Whether the work for a key was begun, and has not failed. */
  has(key: string): boolean {
    return this.#results.has(key);
  }

  /** Waits until everything begun has settled, whatever came of it. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#results.values());
  }
}

/** Work that goes on beside everything else, and whose failure somebody else hears of. */
export class Background {
  readonly #works = new Set<Promise<unknown>>();

  add(work: Promise<unknown>): void {
    const settled: Promise<unknown> = work.then(
      () => this.#works.delete(settled),
      () => this.#works.delete(settled),
    );
    this.#works.add(settled);
  }

  /** Waits until all of it is over, also what it adds meanwhile. */
  async settled(): Promise<void> {
    while (this.#works.size > 0) await Promise.all(this.#works);
  }
}
