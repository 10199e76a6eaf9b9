/** One id, and nobody may answer for the kernel, because somebody above does (seccomp: EBUSY). */

import assert from 'node:assert/strict';
import { chmod, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { whyNoAccount } from '../support/accounts.ts';
import { itUnless, missing } from '../support/missing.ts';
import { outputOf } from '../support/plain-output.ts';
import { buildListener, whyNoProbe } from '../support/probe.ts';
import { openRunBuilds, type RunBuilds } from '../support/run-builds.ts';

const CLI = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));
const why = whyNoAccount('user') ?? missing('busybox', 'rustc') ?? whyNoProbe();

describe('one id without emulation', function () {
  this.timeout(120_000);

  let builds: RunBuilds;
  /** Runs the command line below a listener. */
  const below = async (dockerfile: string, ...flags: readonly string[]) => {
    const { account, context } = builds;
    await writeFile(join(context, 'Dockerfile'), dockerfile);
    const base = ['--build-context', `base=oci-layout://${account.home}/busybox`];
    const args = ['build', '--progress=plain', ...base, ...flags, context];
    return await account.run(join(account.home, 'listener'), [process.execPath, CLI, ...args]);
  };

  before(async () => {
    if (why !== undefined) return;
    builds = await openRunBuilds('user', { subids: false });
    const listener = join(builds.account.home, 'listener');
    buildListener(listener);
    await chmod(listener, 0o755);
  });
  after(async () => {
    if (why === undefined) await builds.account.close();
  });

  itUnless(why)(
    'runs as root, keeps the owners of files, and says what fails and why',
    async () => {
      const built = await below(`FROM base
COPY --chown=7:8 passwd group /owned/
RUN echo more >> /owned/passwd && mv /owned/group /owned/moved && echo new > /new && chown 0:0 /new && id -u
RUN (chown 7 /new || echo refused) 2>&1
`);
      assert.equal(built.code, 0, built.stderr);
      assert.match(
        built.stderr,
        /^NOTE: RUN uses a user namespace with one id: chown and USER to others fail .*seccomp listener/m,
      );
      assert.deepEqual(outputOf(built), ['0', 'chown: /new: Invalid argument', 'refused']);
      // Where ids are emulated again, the owners are seen: a step that hits has the layer of then.
      const seen = await builds.build(`FROM base
COPY --chown=7:8 passwd group /owned/
RUN echo more >> /owned/passwd && mv /owned/group /owned/moved && echo new > /new && chown 0:0 /new && id -u
RUN stat -c %u:%g /owned/passwd /owned/moved /new
`);
      assert.deepEqual(seen.lines, ['7:8', '7:8', '0:0']);
    },
  );

  itUnless(why)('refuses a step of another user before it runs', async () => {
    const { code, stderr } = await below('FROM base\nUSER 7\nRUN echo as seven\n');
    assert.equal(code, 4, stderr);
    assert.match(
      stderr,
      /^ERROR: Cannot execute the step as the user "7": there is only root, and/m,
    );
    assert.doesNotMatch(stderr, /^#\d+ [\d.]+ as seven/m);
  });

  itUnless(why)('is told by the doctor', async () => {
    const { account } = builds;
    const listener = join(account.home, 'listener');
    const { code, stdout } = await account.run(listener, [process.execPath, CLI, 'doctor']);
    assert.equal(code, 0, stdout);
    assert.match(stdout, /^ {2}warn {2}single: .* chown and USER to others fail$/m);
    assert.match(stdout, /^ {2}warn {2}ids cannot be emulated: .*\n {8}fix: sub-ids/m);
  });
});
