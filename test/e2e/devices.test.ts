/** `RUN --device` and `--device`: what a RUN is given of this machine's devices, on every rung (RUN-2, RUN-3). */

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { whyNoAccount } from '../support/accounts.ts';
import { itUnless } from '../support/missing.ts';
import type { RunBuilds } from '../support/run-builds.ts';
import { RUNGS } from '../support/rungs.ts';

const run = promisify(execFile);

for (const { title, name, whyNot, open } of RUNGS) {
  // Only root makes the device that stands for the vendor's.
  const why = whyNot ?? whyNoAccount('root');
  const test = itUnless(why);

  describe(`devices ${title}`, function () {
    this.timeout(120_000);

    let builds: RunBuilds;
    let specs: string;

    before(async () => {
      if (why !== undefined) return;
      builds = await open();
      specs = join(builds.account.home, 'cdi');
      await writeSpecs(specs);
    });
    after(async () => {
      if (why === undefined) await builds.account.close();
    });

    const flags = (...more: readonly string[]) => ['--cdi-config-dir', specs, ...more];

    test('bring their nodes, mounts and variables, and leave nothing in the layer', async () => {
      const { lines, last } = await builds.build(
        `FROM base
ENV VENDOR=image
RUN --device=test.com/zero=a,required [ -c /dev/vendor/zero ] && head -c 2 /dev/vendor/zero | wc -c && \
    [ -c /srv/zero ] && echo "$VENDOR $ALL $(cat /opt/vendor/lib/file) $(cat /opt/one)" && \
    ! echo 2> /dev/null > /opt/vendor/lib/file && echo done > /done
`,
        ...flags('--allow', 'device=test.com/zero'),
      );
      assert.deepEqual(lines, ['2', 'device all a file one']);
      assert.deepEqual(Object.keys(last), ['done']);
    });

    test('are ignored where they are not there and need not be; else nothing is run (RUN-3)', async () => {
      const text = 'FROM base\nRUN echo first\nRUN --device=test.com/gone x=1; echo second\n';
      const { lines } = await builds.build(text, ...flags());
      assert.deepEqual(lines, ['first', 'second']);
      const refused = await builds.attempt(
        text.replaceAll('first', 'anew').replace('gone', 'gone=1,required'),
        ...flags('--allow=device'),
      );
      assert.equal(refused.code, 4, refused.stderr);
      assert.match(refused.stderr, /required device "test.com\/gone=1" is not registered/);
      assert.match(refused.stderr, /Devices of this machine: .*test.com\/zero=a/);
      assert.doesNotMatch(refused.stderr, /^#\d+ [\d.]+ anew/m);
    });

    test('are refused where nobody allows them, and what no build does is named', async () => {
      const one = await builds.attempt('FROM base\nRUN --device=test.com/zero=a x\n', ...flags());
      assert.equal(one.code, 1, one.stderr);
      assert.match(one.stderr, /device test.com\/zero=a is not allowed/);
      const hooks = await builds.attempt(
        'FROM base\nRUN --device=test.com/hooked x\n',
        ...flags('--allow=device'),
      );
      assert.match(hooks.stderr, /^ERROR: Cannot give the device "test.com\/hooked=a" .* "hooks"/m);
    });

    test('of the command line are in every RUN, by path or name', async () => {
      const zero = join(specs, 'nodes/zero');
      const { lines } = await builds.build(
        'FROM base\nRUN [ -c /dev/other ] && [ -c /dev/vendor/zero ] && head -c 3 /dev/other | wc -c; [ -c /nodes/zero ] && echo all\n',
        ...flags(`--device=${zero}:/dev/other:rwm`, '--device=test.com/zero=a'),
        `--device=${join(specs, 'nodes')}:/opt/../nodes/`,
      );
      assert.deepEqual(lines, ['3', 'all']);
      const gone = await builds.attempt('FROM base\nRUN echo again\n', '--device=/dev/of-nobody');
      assert.equal(gone.code, 4, gone.stderr);
      assert.match(gone.stderr, /Cannot give "\/dev\/of-nobody" .* is not there/);
    });

    if (name === 'root') {
      test('have the mode and owner of their spec, or the user of the RUN', async () => {
        const { lines } = await builds.build(
          `FROM base
COPY passwd group /etc/
USER app
RUN --device=test.com/owned stat -c '%a %u:%g' /dev/owned /dev/users; id -G
`,
          ...flags('--allow=device'),
        );
        assert.deepEqual(lines, ['640 5:1', '600 1234:2345', '2345 44 3000']);
      });
    } else {
      test('that the user may not open are refused by name', async () => {
        const { code, stderr } = await builds.attempt(
          'FROM base\nRUN --device=test.com/owned x\n',
          ...flags('--allow=device'),
        );
        assert.equal(code, 4, stderr);
        assert.match(
          stderr,
          /Cannot give ".*\/closed" of this machine .* cannot be opened by this user/,
        );
      });
    }
  });
}

/** A character device that everybody may read, one that root may, and the files that offer them. */
async function writeSpecs(specs: string): Promise<void> {
  await mkdir(join(specs, 'nodes'), { recursive: true });
  await mkdir(join(specs, 'lib'));
  const [zero, closed] = [join(specs, 'nodes/zero'), join(specs, 'closed')];
  for (const node of [zero, closed]) await run('mknod', [node, 'c', '1', '5']);
  await chmod(zero, 0o666);
  await chmod(closed, 0o600);
  await writeFile(join(specs, 'lib/file'), 'a file\n');
  await writeFile(join(specs, 'one'), 'one\n');
  const zeros = `cdiVersion: 0.6.0
kind: test.com/zero
containerEdits:
  env: [ALL=all]
devices:
  - name: a
    containerEdits:
      env: [VENDOR=device]
      deviceNodes:
        - { path: /dev/vendor/zero, hostPath: ${zero}, type: c, major: 1, minor: 5, permissions: rw }
        - { path: /srv/zero, hostPath: ${zero} }
      mounts:
        - { hostPath: ${specs}/lib, containerPath: /opt/vendor/lib, options: [ro, nosuid, nodev, rbind, rprivate] }
        - { hostPath: ${specs}/one, containerPath: /opt/one, options: [ro, bind] }
`;
  await writeFile(join(specs, 'zero.yaml'), zeros);
  const owned = {
    deviceNodes: [
      { path: '/dev/owned', hostPath: closed, fileMode: 0o640, uid: 5, gid: 1 },
      { path: '/dev/users', hostPath: closed },
    ],
    additionalGids: [44],
  };
  const hooked = { hooks: [{ hookName: 'createContainer', path: '/usr/bin/true' }] };
  for (const [file, containerEdits] of Object.entries({ owned, hooked })) {
    const document = {
      cdiVersion: '0.6.0',
      kind: `test.com/${file}`,
      devices: [{ name: 'a', containerEdits }],
    };
    await writeFile(join(specs, `${file}.json`), JSON.stringify(document));
  }
  await chmod(specs, 0o755);
}
