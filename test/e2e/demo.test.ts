/** What `npm run demo` does once everything is set up. */

import assert from 'node:assert/strict';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { withAccount, whyNoAccount } from '../support/accounts.ts';
import { checkLayout } from '../support/check.ts';
import { itUnless } from '../support/missing.ts';

const DEMO = fileURLToPath(new URL('../../examples/demo.ts', import.meta.url));
const test = itUnless(whyNoAccount('root'));

describe('the demo', function () {
  this.timeout(120_000);

  test('builds an image, and finds every step CACHED when it runs again', async () => {
    await withAccount('root', async (account) => {
      const folder = join(account.home, 'demo');
      const first = await account.run(process.execPath, [DEMO, folder]);
      assert.equal(first.code, 0, first.stderr);
      const [entry] = await checkLayout(join(folder, 'image'));
      assert.ok(entry !== undefined && first.stdout.includes(entry.digest));

      const second = await account.run(process.execPath, [DEMO, folder]);
      assert.equal(second.code, 0, second.stderr);
      assert.ok(second.stdout.includes(entry.digest));
      const [, cached, all] =
        /\((\d+) of (\d+) steps came from the cache\)/.exec(second.stdout) ?? [];
      assert.ok(Number(all) > 5);
      assert.equal(cached, all);
      const states = second.stdout.match(/^#\d+ (CACHED|DONE)/gm) ?? [];
      const exports = second.stdout.match(/^#\d+ exporting/gm) ?? [];
      assert.equal(states.filter((state) => state.endsWith('DONE')).length, exports.length);
    });
  });
});
