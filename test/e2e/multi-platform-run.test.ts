/** RUN for several platforms at once (MP-4, MP-5, T-36): what needs an emulator, what needs none. */

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { copyFile, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { hostPlatform } from '../../src/oci/platform.ts';
import { type Account, type AccountKind, withAccount, whyNoAccount } from '../support/accounts.ts';
import { busyboxBase } from '../support/busybox-base.ts';
import {
  FOREIGN,
  foreignBusybox,
  whyNoForeign,
  withEmulator,
  withoutEmulator,
} from '../support/foreign.ts';
import { readImage } from '../support/layout-files.ts';
import { itUnless, missing } from '../support/missing.ts';
import { outputOf, stepsOf } from '../support/plain-output.ts';
import { testCache } from '../support/test-cache.ts';

const run = promisify(execFile);
const { architecture: OWN } = hostPlatform(process.arch);
const PLATFORMS = `linux/${OWN},linux/${FOREIGN.architecture}`;
const whyNot = whyNoForeign();

const CROSS = `FROM --platform=$BUILDPLATFORM base AS build
RUN echo once; echo x > /x
ARG TARGETARCH
RUN echo "for $TARGETARCH"; cat /x > /own; echo $TARGETARCH >> /own
FROM scratch
ARG TARGETARCH
COPY --from=build /own /$TARGETARCH
`;

const NATIVE = `FROM base
COPY Dockerfile /copied
RUN echo "machine: $(uname -m)"
`;

type Build = (dockerfile: string) => ReturnType<Account['tsbuild']>;

describe(`RUN for ${PLATFORMS}`, function () {
  this.timeout(180_000);

  for (const kind of ['root', 'user'] as const) {
    itUnless(whyNoAccount(kind) ?? missing('busybox', 'skopeo'))(
      `runs once by ${kind} what all platforms share, and without an emulator what is the machine's (T-36)`,
      async () => {
        await withAccount(kind, async (account) => {
          const { folder } = await busyboxBase(account);
          const build = await buildsOn(account, folder);
          const outcome = await build(CROSS);
          const expected = ['once', `for ${OWN}`, `for ${FOREIGN.architecture}`];
          assert.deepEqual(outputOf(outcome).toSorted(), expected.toSorted());
          const names = stepsOf(outcome).map(({ name }) => name);
          const label = `linux/${OWN}`;
          assert.equal(names.filter((name) => name.startsWith(`[${label} build 2/3]`)).length, 1);
          const cross = `[${label}->${FOREIGN.architecture} build 3/3] RUN `;
          assert.equal(names.filter((name) => name.startsWith(cross)).length, 1);
          for (const architecture of [OWN, FOREIGN.architecture]) {
            assert.deepEqual(await filesFor(account, architecture), [architecture]);
          }
        });
      },
    );
  }

  itUnless(whyNot ?? missing('skopeo'))(
    'MP-4: executes each by what it needs, on the base of its platform',
    async () => {
      await withEmulator('F', async () => {
        await withForeignBase('root', async (_, build) => {
          const outcome = await build(NATIVE);
          const { stdout } = await run('uname', ['-m']);
          const expected = [`machine: ${stdout.trim()}`, `machine: ${FOREIGN.qemu}`];
          assert.deepEqual(outputOf(outcome).toSorted(), expected.toSorted(), outcome.stderr);
        });
      });
    },
  );

  itUnless(whyNot ?? missing('skopeo'))(
    'MP-4: is refused before step 1 where one of them has no emulator, naming it',
    async () => {
      await withoutEmulator(async () => {
        await withForeignBase('root', async (_, build) => {
          const { code, stderr } = await build(NATIVE);
          assert.equal(code, 4, stderr);
          const message = `Cannot execute RUN for linux/${FOREIGN.architecture} on this machine`;
          assert.ok(stderr.includes(message), stderr);
          assert.doesNotMatch(stderr, /^#\d+ DONE/m, 'no step was done');
        });
      });
    },
  );

  itUnless(whyNoAccount('root') ?? missing('busybox'))(
    'names the platform of a RUN that fails',
    async () => {
      await withAccount('root', async (account) => {
        const { folder } = await busyboxBase(account);
        const build = await buildsOn(account, folder);
        const failing = CROSS.replace('cat /x', `test $TARGETARCH = ${OWN} || exit 7; cat /x`);
        const { code, stderr } = await build(failing);
        assert.equal(code, 1, stderr);
        const label = `linux/${OWN}->${FOREIGN.architecture}`;
        assert.ok(stderr.includes(` > [${label} build 3/3] RUN `), stderr);
        assert.match(stderr, new RegExp(`^ERROR: .* \\(${label}\\) \\[ERR_STEP_FAILED\\]$`, 'm'));
      });
    },
  );
});

/** Builds a Dockerfile for both platforms; `base` is this layout. */
async function buildsOn(account: Account, base: string): Promise<Build> {
  const context = join(account.home, 'context');
  await mkdir(context);
  return async (dockerfile) => {
    await writeFile(join(context, 'Dockerfile'), dockerfile);
    return await account.tsbuild([
      ...['--platform', PLATFORMS, '--build-context', `base=oci-layout://${base}`, '-t', 'app:v1'],
      ...['-o', `type=oci,tar=false,dest=${join(account.home, 'image')}`, context],
    ]);
  };
}

/** The paths of one platform's image, as skopeo chooses it. */
async function filesFor({ home }: Account, architecture: string): Promise<readonly string[]> {
  const to = join(home, `copy-${architecture}`);
  const flags = ['--override-os', 'linux', '--override-arch', architecture];
  const copy = ['copy', '--insecure-policy', `oci:${join(home, 'image')}:v1`, `oci:${to}:v1`];
  await run('skopeo', [...flags, ...copy]);
  return Object.keys((await readImage(to)).files);
}

/** An account, and builds on a base of busybox, which is itself one for both platforms. */
async function withForeignBase(
  kind: AccountKind,
  use: (account: Account, build: Build) => Promise<void>,
): Promise<void> {
  const foreign = await foreignBusybox(await testCache());
  await withAccount(kind, async (account) => {
    const root = join(account.home, 'base');
    await mkdir(root);
    await copyFile(foreign, join(root, FOREIGN.architecture));
    await copyFile('/bin/busybox', join(root, OWN));
    const applets = ['sh', 'uname'].map((name) => `COPY --chmod=755 $TARGETARCH /bin/${name}\n`);
    await writeFile(
      join(root, 'Dockerfile'),
      `FROM scratch\nARG TARGETARCH\n${applets.join('')}ENV PATH=/bin\n`,
    );
    await account.own(root);
    const layout = join(account.home, 'layout');
    const output = `type=oci,tar=false,dest=${layout}`;
    const flags = ['--platform', PLATFORMS, '-t', 'base:latest', '-o', output, root];
    const based = await account.tsbuild(flags);
    assert.equal(based.code, 0, based.stderr);
    await use(account, await buildsOn(account, layout));
  });
}
