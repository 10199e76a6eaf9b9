import assert from 'node:assert/strict';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { doctor } from '../../src/doctor/doctor.ts';
import { withDirectory } from '../support/temporary.ts';

describe('doctor()', () => {
  const { PATH } = process.env;
  afterEach(() => {
    process.env['PATH'] = PATH;
  });

  it('leaves no workspace in the store when told to stop, whatever ends first', async () => {
    await withDirectory(async (directory) => {
      const stop = new AbortController();
      // A program that says that it runs, and then does not answer.
      const silent = async (name: string, seconds: number): Promise<string> => {
        const path = join(directory, name);
        const text = `#!/bin/sh\n: >"${path}.runs"\nexec sleep ${seconds}\n`;
        await writeFile(path, text, { mode: 0o755 });
        return path;
      };
      await silent('git', 600);
      const helper = await silent('helper', 1);
      process.env['PATH'] = `${directory}:${PATH}`;
      const store = join(directory, 'store');
      await mkdir(store);
      const running = doctor({ store, helper, signal: stop.signal });
      running.catch(() => undefined);
      for (;;) {
        const names = await readdir(directory);
        if (names.includes('git.runs') && names.includes('helper.runs')) break;
      }
      stop.abort(new Error('stop'));
      await assert.rejects(running, (error) => error === stop.signal.reason);
      assert.deepEqual(await readdir(join(store, 'v1/tmp')), []);
    });
  });
});
