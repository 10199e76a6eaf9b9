import assert from 'node:assert/strict';
import { chmod, mkdir, readdir, rename, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { signal, withHelper } from '../support/data-plane.ts';

describe('remove', () => {
  it('deletes trees with directories that nobody may write to, and what is not there', async () => {
    await withHelper(async (helper, context) => {
      await mkdir(join(context, 'a/b/c'), { recursive: true });
      for (const name of ['a/b/c/d', 'a/e']) await writeFile(join(context, name), name);
      await symlink('/etc', join(context, 'a/link'));
      await chmod(join(context, 'a/b/c'), 0o000);
      await chmod(join(context, 'a/b'), 0o500);
      await helper.remove({ paths: [join(context, 'a'), join(context, 'none')] }, { signal });
      assert.deepEqual(await readdir(context), []);
      assert.ok((await readdir('/etc')).length > 0);
    });
  });

  it('deletes trees deeper than a path may be long', async () => {
    await withHelper(async (helper, context) => {
      const name = 'd'.repeat(200);
      let top = join(context, name);
      await mkdir(top);
      for (let depth = 0; depth < 60; depth++) {
        const outer = join(context, 'outer');
        await mkdir(outer);
        await rename(top, join(outer, name));
        top = join(context, name);
        await rename(outer, top);
      }
      await helper.remove({ paths: [top] }, { signal });
      assert.deepEqual(await readdir(context), []);
    });
  });
});
