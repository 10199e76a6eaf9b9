import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { setImmediate, setTimeout } from 'node:timers/promises';
import { Background, Limiter, Once, runTogether, type Task } from '../../src/solve/schedule.ts';

/** A task that ends when it is told to stop, and cleans up for a while. */
function stubborn(log: string[], name: string): Task<string> {
  return async (signal) => {
    try {
      await setTimeout(10_000, undefined, { signal });
      return name;
    } finally {
      await setTimeout(10);
      log.push(`${name} cleaned up`);
    }
  };
}

describe('runTogether()', () => {
  it('runs all tasks at once, and answers in their order', async () => {
    const first = Promise.withResolvers<void>();
    const { signal } = new AbortController();
    const results = await runTogether(
      [
        async () => {
          await first.promise;
          return 1;
        },
        async () => {
          first.resolve();
          return 2;
        },
      ],
      { signal },
    );
    assert.deepEqual(results, [1, 2]);
    assert.deepEqual(await runTogether([], { signal }), []);
  });

  it('rejects with the first failure, after the others have cleaned up', async () => {
    const log: string[] = [];
    const failure = new Error('first');
    const fails = async () => {
      await setImmediate();
      throw failure;
    };
    const { signal } = new AbortController();
    await assert.rejects(
      runTogether([stubborn(log, 'a'), fails, stubborn(log, 'b')], { signal }),
      (error) => error === failure,
    );
    assert.deepEqual(log, ['a cleaned up', 'b cleaned up']);
  });

  it('does not let what fails because of it hide the first failure', async () => {
    const failure = new Error('first');
    const { signal } = new AbortController();
    const late: Task<void> = async (stop) => {
      await setTimeout(10_000, undefined, { signal: stop }).catch(() => undefined);
      throw new Error('second');
    };
    const fails = async () => await Promise.reject(failure);
    await assert.rejects(runTogether([late, fails], { signal }), (error) => error === failure);
  });

  it('rejects with the caller’s own reason, after cleaning up', async () => {
    const log: string[] = [];
    const controller = new AbortController();
    const reason = { why: 'enough' };
    const running = runTogether([stubborn(log, 'a')], { signal: controller.signal });
    controller.abort(reason);
    await assert.rejects(running, (error) => error === reason);
    assert.deepEqual(log, ['a cleaned up']);
  });

  it('starts nothing when it is aborted already', async () => {
    let started = 0;
    const reason = new Error('before');
    const task = async () => started++;
    await assert.rejects(
      runTogether([task, task], { signal: AbortSignal.abort(reason) }),
      (error) => error === reason,
    );
    assert.equal(started, 0);
  });

  it('starts nothing more once a task has failed at once', async () => {
    let started = 0;
    const failure = new Error('at once');
    const fails = async () => await Promise.reject(failure);
    const throws: Task<number> = () => {
      throw failure;
    };
    const { signal } = new AbortController();
    await assert.rejects(
      runTogether([throws, fails, async () => started++], { signal }),
      (error) => error === failure,
    );
    assert.equal(started, 0);
  });

  it('leaves no listeners on the caller’s signal', async () => {
    const { signal } = new AbortController();
    await runTogether([async () => 1], { signal });
    const failing = runTogether([async () => await Promise.reject(new Error('x'))], { signal });
    await assert.rejects(failing);
    assert.equal(getEventListeners(signal, 'abort').length, 0);
  });
});

describe('Limiter', () => {
  it('runs no more jobs at once than it may', async () => {
    const limiter = new Limiter(2);
    const { signal } = new AbortController();
    let running = 0;
    let most = 0;
    const job = async () => {
      most = Math.max(most, ++running);
      await setTimeout(2);
      running--;
      return most;
    };
    const results = await Promise.all(
      Array.from({ length: 7 }, async () => await limiter.run(job, signal)),
    );
    assert.equal(results.length, 7);
    assert.equal(most, 2);
    assert.equal(getEventListeners(signal, 'abort').length, 0);
  });

  it('goes on after a job that failed', async () => {
    const limiter = new Limiter(1);
    const { signal } = new AbortController();
    const failing = limiter.run(async () => await Promise.reject(new Error('job')), signal);
    const next = limiter.run(async () => 'next', signal);
    await assert.rejects(failing, { message: 'job' });
    assert.equal(await next, 'next');
  });

  it('never forgets a job that still runs: the next waits, however the signal is', async () => {
    const limiter = new Limiter(1);
    const controller = new AbortController();
    const log: string[] = [];
    const stopped = limiter.run(stubborn(log, 'job'), controller.signal);
    const queued = limiter.run(async () => log.push('queued'), controller.signal);
    const other = limiter.run(async () => log.push('other'), new AbortController().signal);
    await setTimeout(5);
    const reason = new Error('stop');
    controller.abort(reason);
    await assert.rejects(stopped, { name: 'AbortError' });
    await assert.rejects(queued, (error) => error === reason);
    await other;
    assert.deepEqual(log, ['job cleaned up', 'other']);
  });
});

describe('Once', () => {
  it('does the same work once, for all who ask', async () => {
    const once = new Once<number>();
    let count = 0;
    const work = async () => {
      await setImmediate();
      return ++count;
    };
    assert.deepEqual(await Promise.all([once.get('a', work), once.get('a', work)]), [1, 1]);
    assert.equal(await once.get('a', work), 1);
    assert.equal(await once.get('b', work), 2);
  });

  it('tells all who wait of a failure, and then forgets it', async () => {
    const once = new Once<string>();
    const failing = () => once.get('a', async () => await Promise.reject(new Error('no')));
    const results = await Promise.allSettled([failing(), failing()]);
    assert.deepEqual(
      results.map(({ status }) => status),
      ['rejected', 'rejected'],
    );
    assert.equal(await once.get('a', async () => 'again'), 'again');
  });

  it('waits until all that it began has settled', async () => {
    const once = new Once<void>();
    let done = 0;
    const slow = async () => {
      await setTimeout(5);
      done++;
    };
    const failing = once.get('bad', async () => {
      await slow();
      throw new Error('no');
    });
    void once.get('good', slow);
    failing.catch(() => undefined);
    await once.settled();
    assert.equal(done, 2);
  });
});

describe('Background', () => {
  it('is settled when all of it is over, also what failed and what came later', async () => {
    const background = new Background();
    const done: string[] = [];
    const slow = async (name: string) => {
      await setTimeout(5);
      done.push(name);
    };
    background.add(slow('one').then(() => background.add(slow('two'))));
    background.add(slow('bad').then(() => Promise.reject(new Error('no'))));
    await background.settled();
    assert.deepEqual(done, ['one', 'bad', 'two']);
    await background.settled();
  });
});
