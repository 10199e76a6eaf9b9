/** Edits that leave no trace in size and time: a build must still see each of them. */

import assert from 'node:assert/strict';
import { chmod, link, mkdir, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { build } from '../../src/index.ts';
import { type ImageFile, readImage } from '../support/layout-files.ts';
import { HELPER } from '../support/sandbox.ts';
import { withDirectory } from '../support/temporary.ts';

type Files = Readonly<Record<string, ImageFile>>;

/** Builds three times on one store: first, after a while in which nothing happens, and after an edit. */
async function afterEdit(
  edit: (context: string) => Promise<void>,
): Promise<readonly [Files, Files]> {
  return await withDirectory(async (base) => {
    const context = join(base, 'context');
    await mkdir(join(context, 'd'), { recursive: true });
    await writeFile(join(context, 'd/file'), 'old bytes');
    await writeFile(join(context, 'other'), 'others...');
    // Node sets times to the microsecond: those that it has read it can set again.
    for (const name of ['d/file', 'other'])
      await utimes(join(context, name), 1_600_000_000, 1_600_000_000);
    const dockerfile = join(base, 'Dockerfile');
    await writeFile(dockerfile, 'FROM scratch\nCOPY . /\n');
    const files = async (): Promise<Files> => {
      const output = join(base, 'image');
      const outputs = [`type=oci,tar=false,dest=${output}`];
      await build({ context, dockerfile, store: join(base, 'store'), helper: HELPER, outputs });
      const image = await readImage(output);
      await rm(output, { recursive: true });
      return image.files;
    };
    await files();
    // Longer than any tick of the clock: from now on the stat cache trusts what it has.
    await setTimeout(30);
    const before = await files();
    await edit(context);
    return [before, await files()];
  });
}

const keepingTime = async (path: string, edit: () => Promise<void>): Promise<void> => {
  const { atime, mtime } = await stat(path);
  await edit();
  await utimes(path, atime, mtime);
};

describe('an edit that keeps size and time', () => {
  const EDITS: Readonly<Record<string, (context: string) => Promise<void>>> = {
    'of the file (T-14)': async (context) => {
      const file = join(context, 'd/file');
      await keepingTime(file, async () => await writeFile(file, 'new bytes'));
    },
    'by renaming another over it': async (context) => {
      const [file, other] = [join(context, 'd/file'), join(context, 'd/.file')];
      await keepingTime(file, async () => {
        await writeFile(other, 'new bytes');
        await rename(other, file);
      });
    },
    'by a new file, perhaps of the same inode': async (context) => {
      const file = join(context, 'd/file');
      await keepingTime(file, async () => {
        await rm(file);
        await writeFile(file, 'new bytes');
      });
    },
    'through another name of the file': async (context) => {
      const [file, name] = [join(context, 'd/file'), join(context, '..', 'name')];
      await link(file, name);
      await keepingTime(file, async () => await writeFile(name, 'new bytes'));
    },
    'by making it a name of another': async (context) => {
      const file = join(context, 'd/file');
      await keepingTime(file, async () => {
        await rm(file);
        await link(join(context, 'other'), file);
      });
    },
  };
  for (const [how, edit] of Object.entries(EDITS)) {
    it(`is seen, ${how}`, async () => {
      const [before, after] = await afterEdit(edit);
      assert.notEqual(after['d/file']?.sha256, before['d/file']?.sha256);
    });
  }

  it('is seen, of a directory’s mode alone (T-16)', async () => {
    const [before, after] = await afterEdit(async (context) => {
      await chmod(join(context, 'd'), 0o700);
    });
    assert.deepEqual([before['d']?.mode, after['d']?.mode], ['755', '700']);
  });
});
