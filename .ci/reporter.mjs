/** Mocha's spec report, and its counts and skipped tests as JSON in the file that TSBUILD_TEST_COUNTS names. */

import { writeFileSync } from 'node:fs';
import Mocha from 'mocha';

// oxlint-disable-next-line import/no-default-export -- mocha loads a reporter's default export
export default class CountingReporter extends Mocha.reporters.Spec {
  constructor(runner, options) {
    super(runner, options);
    const skipped = [];
    runner.on('pending', (test) => skipped.push(test.fullTitle()));
    runner.once('end', () => {
      const { passes, failures } = this.stats;
      const counts = { passed: passes, failed: failures, skipped };
      writeFileSync(process.env.TSBUILD_TEST_COUNTS, JSON.stringify(counts));
    });
  }
}
