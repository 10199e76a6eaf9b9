/** Buildah as the judge: the same Dockerfile must come to the same image. */

import assert from 'node:assert/strict';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import type { ContainerConfig } from '../../src/oci/image.ts';
import { type Account, withAccount, whyNoAccount } from '../support/accounts.ts';
import { busyboxBase } from '../support/busybox-base.ts';
import { writeCompareContext } from '../support/compare-context.ts';
import { type ImageFile, type ReadImage, readImage } from '../support/layout-files.ts';
import { itUnless, missing } from '../support/missing.ts';

const test = itUnless(whyNoAccount('root') ?? missing('buildah', 'skopeo', 'busybox', 'tar'));

describe("Buildah's image of the same Dockerfile", function () {
  this.timeout(120_000);

  test('has the same config and the same files', async () => {
    await withAccount('root', async (account) => {
      const base = (await busyboxBase(account)).folder;
      const context = await account.copyFixture('compare');
      await writeCompareContext(context);
      const ours = await buildOurs(account, context, base);
      const theirs = await buildTheirs(account, context, base);
      assert.deepEqual(judged(ours.config), judged(theirs.config));
      assert.deepEqual(differences(ours.files, theirs.files), {});
      assert.ok(Object.keys(ours.files).length > 60);
    });
  });
});

async function buildOurs(account: Account, context: string, base: string): Promise<ReadImage> {
  const layout = join(account.home, 'ours');
  const flags = ['--build-context', `base=oci-layout://${base}`, '--build-arg', 'BASE=base'];
  const output = `type=oci,tar=false,dest=${layout}`;
  const { code, stderr } = await account.tsbuild([...flags, '-o', output, context]);
  assert.equal(code, 0, stderr);
  return await readImage(layout);
}

async function buildTheirs(account: Account, context: string, base: string): Promise<ReadImage> {
  const layout = join(account.home, 'theirs');
  const data = join(account.home, 'buildah');
  const [root, state] = [join(data, 'root'), join(data, 'run')];
  const storage = ['--root', root, '--runroot', state, '--storage-driver', 'vfs'];
  const must = async (program: string, ...args: readonly string[]) => {
    const { code, stderr } = await account.run(program, args);
    assert.equal(code, 0, `${program}: ${stderr}`);
  };
  try {
    const store = `containers-storage:[vfs@${root}+${state}]`;
    await must('skopeo', 'copy', '--quiet', `oci:${base}:latest`, `${store}localhost/base:latest`);
    // No runtime takes part: what it would need of the machine's cgroups is not the question.
    const flags = ['--isolation', 'chroot', '--build-arg', 'BASE=localhost/base'];
    await must('buildah', ...storage, 'build', ...flags, '-t', 'theirs', context);
    await must('buildah', ...storage, 'push', '--quiet', 'theirs', `oci:${layout}:latest`);
  } finally {
    await rm(data, { recursive: true, force: true });
  }
  return await readImage(layout);
}

/** Mount points that it leaves in an image after a RUN; BuildKit does not. */
const MOUNT_POINTS = ['etc/hostname', 'etc/hosts', 'etc/resolv.conf', 'run'];
/** Where it differs from BuildKit, whose way is ours. */
const ITS_WAY: Readonly<Record<string, Partial<ImageFile>>> = {
  // An octal --chmod is also for the parents that COPY makes (CP-8).
  'srv/moded': { mode: '755' },
  // The archive's own "./" says nothing about the folder that it is unpacked into (CP-22).
  'srv/unpacked': { owner: '4444:5555' },
};

/** By path, what is neither equal nor known to be Buildah's way. */
function differences(ours: ReadImage['files'], theirs: ReadImage['files']) {
  const found: Record<string, { ours: unknown; theirs: unknown }> = {};
  for (const path of new Set([...Object.keys(ours), ...Object.keys(theirs)])) {
    if (MOUNT_POINTS.includes(path) && ours[path] === undefined) continue;
    const expected = ours[path] && { ...ours[path], ...ITS_WAY[path] };
    if (isDeepStrictEqual(theirs[path], expected)) continue;
    found[path] = { ours: ours[path], theirs: theirs[path] };
  }
  return found;
}

/** What the two must agree on. */
function judged(config: ContainerConfig) {
  const { Env, Cmd, Entrypoint, WorkingDir, User, Labels, ExposedPorts, Volumes, StopSignal } =
    config;
  // Buildah says in every image which version of it made it.
  const { 'io.buildah.version': _, ...labels } = Labels ?? {};
  return {
    ...{ Cmd, Entrypoint, WorkingDir, User, ExposedPorts, Volumes, StopSignal },
    Env: [...(Env ?? [])].sort(),
    Labels: labels,
  };
}
