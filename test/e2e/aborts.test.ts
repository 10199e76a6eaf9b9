/** Builds that end at random moments: what is left, and that the next one comes to the same image. */

import assert from 'node:assert/strict';
import { itUnless, missing } from '../support/missing.ts';
import { RUNGS, whyNoTun } from '../support/rungs.ts';
import { type Lanes, openLanes } from './aborts/end-builds.ts';

/** On each of three rungs: 200 and 20 together. */
const ABORTS = 67;
const KILLS = 7;
/** From the abort to the end of the build, in milliseconds, on a machine that does much else. */
const PATIENCE = 10_000;
const SEED = 2;

for (const rung of RUNGS) {
  const whyNot = rung.whyNot ?? missing('ssh-agent', 'ssh-add', 'ssh-keygen');
  const test = itUnless(whyNot);

  describe(`builds ${rung.title} that end at any moment (seed ${SEED})`, function () {
    this.timeout(300_000);
    let lanes: Lanes;

    before(async () => {
      if (whyNot !== undefined) return;
      const whyNoTunnel = whyNoTun(rung.name) ?? missing('slirp4netns');
      lanes = await openLanes(rung, ['host', whyNoTunnel === undefined ? 'private' : 'host']);
    });
    after(async () => await lanes?.close());

    test(`leave nothing when they are aborted, ${ABORTS} times (EX-13)`, async () => {
      const slowest = Math.max(...(await lanes.abort(ABORTS, SEED)));
      assert.ok(slowest < PATIENCE, `it took ${Math.round(slowest)} ms`);
    });

    test(`leave nothing, and say so, when their helper is killed, ${KILLS} times`, async () => {
      await lanes.kill('helper', KILLS, SEED);
    });

    test(`leave nothing behind the next build when they are killed, ${KILLS} times`, async () => {
      await lanes.kill('builder', KILLS, SEED);
    });
  });
}
