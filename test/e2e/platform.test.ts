/** RUN for another architecture (MP-4, ISO-5): with qemu where the kernel knows it, refused where not. */

import assert from 'node:assert/strict';
import { chmod, copyFile, mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Account, type AccountKind, withAccount, whyNoAccount } from '../support/accounts.ts';
import {
  FOREIGN,
  foreignBusybox,
  whyNoForeign,
  withEmulator,
  withoutEmulator,
} from '../support/foreign.ts';
import { checkLayout } from '../support/check.ts';
import { itUnless } from '../support/missing.ts';
import { testCache } from '../support/test-cache.ts';

const PLATFORM = `linux/${FOREIGN.architecture}`;
const whyNot = whyNoForeign();

describe(`RUN for ${PLATFORM}`, function () {
  this.timeout(180_000);

  for (const kind of ['root', 'user'] as const) {
    itUnless(whyNot ?? whyNoAccount(kind))(
      `MP-4: executes through qemu by ${kind}, where binfmt_misc has it with the flag F`,
      async () => {
        await withEmulator('F', async () => {
          await withBuild(kind, async (account, build) => {
            const built = await build();
            assert.equal(built.code, 0, built.stderr);
            assert.match(built.stderr, new RegExp(`machine: ${FOREIGN.qemu}`));
            await assertForeign(join(account.home, 'image'));
          });
        });
      },
    );
  }

  itUnless(whyNot)('MP-4: is refused before step 1 where there is no emulator', async () => {
    await withoutEmulator(async () => {
      await withBuild('root', async (_, build) => {
        const { code, stderr } = await build();
        assert.equal(code, 4, stderr);
        assert.match(stderr, new RegExp(`Cannot execute RUN for ${PLATFORM} on this machine`));
        assert.match(stderr, /\[ERR_SANDBOX_UNAVAILABLE\]\nhint: To change it: /);
        assert.match(stderr, /^ +3 \| >>> RUN /m);
        assert.doesNotMatch(stderr, /^#\d+ DONE/m, 'no step was done');
      });
    });
  });

  itUnless(whyNot)('MP-4: is refused where the emulator has no flag F', async () => {
    await withEmulator('', async () => {
      await withBuild('root', async (_, build) => {
        const { code, stderr } = await build();
        assert.equal(code, 4, stderr);
        assert.match(stderr, /qemu-\w+-static", is registered without the flag F/);
        assert.match(stderr, /hint: To change it: .*--install/);
      });
    });
  });

  itUnless(whyNot)('needs no emulator where nothing is executed', async () => {
    await withoutEmulator(async () => {
      await withBuild('root', async (account, build) => {
        const built = await build('FROM base\nCOPY Dockerfile /copied\n');
        assert.equal(built.code, 0, built.stderr);
        await assertForeign(join(account.home, 'image'));
      });
    });
  });
});

const DOCKERFILE = `FROM base
COPY Dockerfile /copied
RUN echo "machine: $(uname -m)" && test -s /copied && chown 77:88 /copied
`;

async function assertForeign(layout: string): Promise<void> {
  const [entry] = await checkLayout(layout);
  assert.equal(entry?.platform?.architecture, FOREIGN.architecture);
}

type Build = (dockerfile?: string) => ReturnType<Account['tsbuild']>;

/** An account, and a build on a base of busybox for FOREIGN. */
async function withBuild(
  kind: AccountKind,
  use: (account: Account, build: Build) => Promise<void>,
): Promise<void> {
  const busybox = await foreignBusybox(await testCache());
  await withAccount(kind, async (account) => {
    const root = join(account.home, 'base');
    await mkdir(join(root, 'bin'), { recursive: true });
    await copyFile(busybox, join(root, 'bin/busybox'));
    await chmod(join(root, 'bin/busybox'), 0o755);
    for (const name of ['sh', 'uname', 'test', 'chown']) {
      await symlink('busybox', join(root, 'bin', name));
    }
    await writeFile(join(root, 'Dockerfile'), 'FROM scratch\nCOPY bin /bin\nENV PATH=/bin\n');
    const context = join(account.home, 'context');
    await mkdir(context);
    await account.own(root);
    const flags = (name: string): string[] => [
      `--platform=${PLATFORM}`,
      ...['-o', `type=oci,tar=false,dest=${join(account.home, name)}`],
    ];
    const based = await account.tsbuild([...flags('layout'), '-t', 'base:latest', root]);
    assert.equal(based.code, 0, based.stderr);
    await use(account, async (dockerfile = DOCKERFILE) => {
      await writeFile(join(context, 'Dockerfile'), dockerfile);
      const named = `base=oci-layout://${join(account.home, 'layout')}`;
      return await account.tsbuild([...flags('image'), '--build-context', named, context]);
    });
  });
}
