import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { encodeFrame, FRAME } from '../../native/frame.ts';
import { Helpers } from '../../src/solve/helpers.ts';
import { HELPER } from '../support/sandbox.ts';
import { withDirectory } from '../support/temporary.ts';

const MACHINE = { uid: 54_321, gid: 54_321, user: 'tsbuild-nobody' };

async function withHelpers(
  binary: string,
  use: (helpers: Helpers) => Promise<void>,
): Promise<void> {
  await withDirectory(async (scratch) => {
    const helpers = new Helpers({
      binary,
      scratch,
      machine: MACHINE,
      onNotice: () => undefined,
    });
    try {
      await use(helpers);
    } finally {
      await helpers.close();
    }
  });
}

describe('Helpers', () => {
  it('starts nothing until it is asked', async () => {
    await withHelpers(HELPER, async (helpers) => {
      assert.equal(helpers.isOpen, false);
      assert.equal(helpers.hasSandbox, false);
    });
  });

  it('starts one process without namespaces, for all who ask', async () => {
    await withHelpers(HELPER, async (helpers) => {
      const [first, second] = await Promise.all([helpers.files(), helpers.files()]);
      assert.equal(first, second);
      assert.equal(helpers.isOpen, true);
      assert.equal(helpers.hasSandbox, false);
    });
  });

  it('rejects a missing binary as such, not as a sandbox that is forbidden', async () => {
    await withHelpers(join('/nowhere', 'helper'), async (helpers) => {
      await assert.rejects(helpers.files(), { code: 'ERR_HELPER_MISSING' });
      await assert.rejects(helpers.sandbox(), { code: 'ERR_HELPER_MISSING' });
    });
  });

  it('says a reason once, when two rungs fail for it', async () => {
    await withDirectory(async (folder) => {
      const failure = {
        step: 'UserNamespace',
        message: 'Cannot enter',
        errno: 1,
        errnoName: 'EPERM',
      };
      const frame = encodeFrame(FRAME.error, 0, JSON.stringify(failure));
      await writeFile(join(folder, 'frame'), frame);
      const binary = join(folder, 'helper');
      await writeFile(binary, `#!/bin/sh\ncat ${folder}/frame\n`, { mode: 0o755 });
      const machine = { uid: 0, gid: 0, user: 'root' };
      const helpers = new Helpers({ binary, scratch: folder, machine, onNotice: () => undefined });
      await assert.rejects(helpers.sandbox(), (error: Error) => {
        assert.match(error.message, /user namespaces are forbidden/);
        assert.equal(error.message.split('user namespaces are forbidden').length, 2);
        return true;
      });
    });
  });

  it('rejects a broken binary as such, too', async () => {
    await withHelpers('/bin/false', async (helpers) => {
      await assert.rejects(helpers.sandbox(), { code: 'ERR_HELPER_FAILED' });
    });
  });
});
