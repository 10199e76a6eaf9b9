/** Image archives to files; what is in them is tested where they are compared, joined and pushed. */

import assert from 'node:assert/strict';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { unpackImage } from '../../src/export/index.ts';
import { withDirectory } from '../support/temporary.ts';

describe('unpackImage()', () => {
  it('rejects for an archive that cannot be opened, and no stream fails besides', async () => {
    await withDirectory(async (folder) => {
      const uncaught: unknown[] = [];
      const listen = (error: unknown): number => uncaught.push(error);
      const before = process.listeners('uncaughtException');
      process.removeAllListeners('uncaughtException');
      process.on('uncaughtException', listen);
      try {
        const archive = join(folder, 'none.tar');
        const unpacked = unpackImage(archive, join(folder, 'image'), new AbortController().signal);
        await assert.rejects(unpacked, { code: 'ERR_IMAGE_NOT_FOUND' });
        for (let turn = 0; turn < 10; turn++) await stat(folder);
      } finally {
        process.off('uncaughtException', listen);
        for (const each of before) process.on('uncaughtException', each);
      }
      assert.deepEqual(uncaught, []);
    });
  });
});
