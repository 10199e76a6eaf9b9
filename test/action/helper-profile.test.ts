import assert from 'node:assert/strict';
import { chmod, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { withHelperProfile } from '../../src/action/helper-profile.ts';
import { withDirectory } from '../support/temporary.ts';

const HELPER = '/opt/actions/tsbuild helper';

interface Tried {
  /** What was asked of sudo, in order; each with the profile's text. */
  readonly asked: readonly string[];
  readonly told: number;
  readonly worked: unknown;
  readonly left: readonly string[];
}

/** Runs work where the kernel's setting is this, and sudo ends so. */
async function tryProfile(options: {
  readonly setting?: string;
  readonly sudo?: number;
  readonly uid?: number;
  readonly helper?: string;
  readonly work?: () => Promise<unknown>;
}): Promise<Tried> {
  const { setting = '1\n', sudo = 0, uid = 1001, helper = HELPER } = options;
  return await withDirectory(async (folder) => {
    const [bin, temporary, log] = ['bin', 'temp', 'log'].map((name) => join(folder, name));
    await mkdir(bin ?? '');
    await mkdir(temporary ?? '');
    await writeFile(log ?? '', '');
    const script = `#!/bin/sh\necho "$1 $2 $3" >>${log}\ncat "$4" >>${log}\nexit ${sudo}\n`;
    await writeFile(join(bin ?? '', 'sudo'), script);
    await chmod(join(bin ?? '', 'sudo'), 0o755);
    const kernel = join(folder, 'setting');
    if (setting !== '') await writeFile(kernel, setting);
    let told = 0;
    const environment = { PATH: `${bin}:/usr/bin:/bin`, RUNNER_TEMP: temporary };
    const worked = await withHelperProfile(
      { helper, environment, uid, setting: kernel, onProfile: () => told++ },
      options.work ?? (async () => await Promise.resolve('worked')),
    ).catch((error: unknown) => error);
    const asked = (await readFile(log ?? '', 'utf8')).split(/^(?=-n)/m).filter(Boolean);
    return { asked, told, worked, left: await readdir(temporary ?? '') };
  });
}

describe('withHelperProfile() (T-04)', () => {
  it('gives the helper a profile for as long as the work goes on', async () => {
    const { asked, told, worked, left } = await tryProfile({});
    const [added = '', removed = '', ...more] = asked;
    assert.match(
      added,
      /^-n apparmor_parser --replace\nabi <abi\/4\.0>,\nprofile tsbuild-helper-\d+ "\/opt\/actions\/tsbuild helper" flags=\(unconfined\) \{\n {2}userns,\n\}\n$/,
    );
    assert.equal(removed, added.replace('--replace', '--remove'));
    assert.deepEqual([more, told, worked, left], [[], 1, 'worked', []]);
  });

  it('removes it when the work fails, with the failure', async () => {
    const failure = new Error('no');
    const { asked, worked, left } = await tryProfile({
      work: async () => await Promise.reject(failure),
    });
    assert.deepEqual([asked.length, worked, left], [2, failure, []]);
  });

  const without = [
    ['the kernel asks for none', { setting: '0\n' }, 0],
    ['the kernel has no such setting', { setting: '' }, 0],
    ['root builds', { uid: 0 }, 0],
    ['the path means something in a profile', { helper: '/opt/{a,b}/helper' }, 0],
    ['sudo wants a password', { sudo: 1 }, 1],
  ] as const;
  for (const [when, options, count] of without) {
    it(`does the work without one when ${when}`, async () => {
      const { asked, told, worked, left } = await tryProfile(options);
      assert.deepEqual([asked.length, told, worked, left], [count, 0, 'worked', []]);
    });
  }
});
