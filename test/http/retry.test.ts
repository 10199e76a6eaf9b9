import assert from 'node:assert/strict';
import { isConnectionCut, openBudget } from '../../src/http/retry.ts';

const { signal } = new AbortController();

describe('openBudget()', () => {
  it('has so many tries in a row, and all of them again after progress', async () => {
    const budget = openBudget({ tries: 3, delay: 0 });
    const answers: boolean[] = [];
    for (let i = 0; i < 3; i++) answers.push(await budget.pause(signal));
    budget.progress();
    answers.push(await budget.pause(signal));
    assert.deepEqual(answers, [true, true, false, true]);
  });

  it('ends all the same where each try gets on by a byte', async () => {
    const budget = openBudget({ tries: 3, delay: 0 });
    let tries = 0;
    for (; await budget.pause(signal); tries++) budget.progress();
    assert.equal(tries, 99);
  });

  it('is over at once when a server wants a longer wait than is left (T-24)', async () => {
    const budget = openBudget({ delay: 0 });
    for (const after of ['86400', new Date(Date.now() + 86_400_000).toUTCString()]) {
      assert.equal(await budget.pause(signal, { headers: { 'retry-after': after } }), false);
    }
    for (const after of ['0', 'soon', new Date(0).toUTCString()]) {
      assert.equal(await budget.pause(signal, { headers: { 'retry-after': after } }), true);
    }
  });

  it('stops waiting with the reason of an abort', async () => {
    const controller = new AbortController();
    const reason = new Error('enough');
    const waiting = openBudget({ delay: 60_000 }).pause(controller.signal);
    controller.abort(reason);
    await assert.rejects(waiting, (error) => error === reason);
    await assert.rejects(openBudget().pause(controller.signal), (error) => error === reason);
  });
});

describe('isConnectionCut()', () => {
  it('knows what may go better the next time', () => {
    const failure = (code: string): Error => Object.assign(new Error(code), { code });
    assert.ok(isConnectionCut(failure('ECONNRESET')));
    assert.ok(isConnectionCut(failure('UND_ERR_CONNECT_TIMEOUT')));
    assert.ok(!isConnectionCut(failure('ECONNREFUSED')));
    assert.ok(!isConnectionCut(failure('CERT_HAS_EXPIRED')));
    assert.ok(!isConnectionCut(undefined));
  });
});
