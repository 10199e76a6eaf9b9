import assert from 'node:assert/strict';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { makeDirectory } from '../../cache/index.ts';
import { withDirectory } from '../support/temporary.ts';

describe('makeDirectory()', () => {
  it('makes what is missing and answers the highest it made', () =>
    withDirectory(async (directory) => {
      const made = await makeDirectory(join(directory, 'a/b/c'));
      assert.equal(made, join(directory, 'a'));
      assert.ok((await stat(join(directory, 'a/b/c'))).isDirectory());
      assert.equal(await makeDirectory(join(directory, 'a/b')), undefined);
    }));

  // Node's own goes on for ever here: /proc says ENOENT to mkdir, as if a parent were missing.
  it('rejects where nothing can be made', async () => {
    await assert.rejects(makeDirectory('/proc/none/image'), { code: 'ENOENT' });
  });
});
