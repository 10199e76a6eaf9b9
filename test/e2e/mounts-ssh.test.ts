/** `RUN --mount=type=ssh` and `--ssh`, on every rung (RUN-22, ENT-3, ORC-6). */

import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, readlink, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { itUnless, missing } from '../support/missing.ts';
import { EMPTY_LAYER, type RunBuilds } from '../support/run-builds.ts';
import { RUNGS } from '../support/rungs.ts';
import { copySshClient, makeKey } from '../support/ssh-client.ts';

for (const { title, name, whyNot: whyNoRung, open } of RUNGS) {
  const whyNot = whyNoRung ?? missing('ssh-agent', 'ssh-add', 'ssh-keygen', 'ldd');
  const test = itUnless(whyNot);

  describe(`an ssh mount ${title}`, function () {
    this.timeout(120_000);

    let builds: RunBuilds;
    let key = '';
    let fingerprint = '';
    const FROM = 'FROM base AS client\nCOPY ssh /\nFROM client\n';

    before(async () => {
      if (whyNot !== undefined) return;
      builds = await open();
      await mkdir(join(builds.context, 'ssh'));
      await copySshClient(join(builds.context, 'ssh'));
      const keys = join(builds.account.home, 'keys');
      await mkdir(keys);
      key = join(keys, 'key');
      fingerprint = await makeKey(key);
      await builds.account.own(keys);
    });
    after(async () => {
      if (whyNot !== undefined) return;
      await rm(builds.context, { recursive: true });
      await builds.account.close();
    });

    /** What agents run with a working directory in the account's home. */
    const agents = async (): Promise<readonly string[]> => {
      const found: string[] = [];
      for (const pid of (await readdir('/proc')).filter((entry) => /^\d+$/.test(entry))) {
        const directory = await readlink(`/proc/${pid}/cwd`).catch(() => '');
        const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
        const isOurs = directory.startsWith(builds.account.home);
        if (isOurs && command.startsWith('ssh-agent')) found.push(pid);
      }
      return found;
    };

    test('lists the keys of a key file and signs with them, and does nothing else; it is gone afterwards', async () => {
      const { lines, diffIDs } = await builds.build(
        `${FROM}COPY key.pub text /
RUN --mount=type=ssh,required ssh-add -l; ssh-keygen -q -Y sign -n file -f /key.pub < /text > /dev/shm/sig 2> /dev/null && head -n 1 /dev/shm/sig; ssh-add -q -D 2> /dev/null || echo refused; echo $SSH_AUTH_SOCK
RUN test ! -e /run/buildkit; echo "[$SSH_AUTH_SOCK]"; ssh-add -l 2> /dev/null || echo none
`,
        ...(await dataFlags(builds, key)),
        `--ssh=default=${key}`,
      );
      assert.equal(lines[0]?.split(' ')[1], fingerprint);
      assert.deepEqual(lines.slice(1), [
        '-----BEGIN SSH SIGNATURE-----',
        'refused',
        '/run/buildkit/ssh_agent.0',
        '[]',
        'none',
      ]);
      assert.deepEqual(diffIDs.slice(-2), [EMPTY_LAYER, EMPTY_LAYER]);
      assert.deepEqual(await agents(), []);
    });

    test('forwards the agent of SSH_AUTH_SOCK, whose keys stay', async () => {
      const socket = join(builds.account.home, 'agent');
      const script = `eval "$(ssh-agent -a ${socket})" > /dev/null && cp ${key} ${key}.own && chmod 600 ${key}.own && ssh-add -q ${key}.own && echo $SSH_AGENT_PID`;
      const started = await builds.account.run('sh', ['-c', script]);
      try {
        const dockerfile = `${FROM}RUN --mount=type=ssh ssh-add -l\n`;
        const { lines } = await builds.build(dockerfile, `--ssh=default=${socket}`);
        assert.equal(lines[0]?.split(' ')[1], fingerprint);
        const rest = await builds.account.run('ssh-add', ['-l'], { SSH_AUTH_SOCK: socket });
        assert.match(rest.stdout, new RegExp(fingerprint.replaceAll(/[+/]/g, '\\$&')));
      } finally {
        process.kill(Number(started.stdout));
      }
    });

    test('has its id, target, mode and owner, and the first is what programs find (ORC-6 SSHSocketParams)', async () => {
      const owner = name === 'single' ? '' : ',uid=1234,gid=2345';
      const { lines } = await builds.build(
        `${FROM}RUN --mount=type=ssh,id=b,target=/z/agent,mode=0741${owner} --mount=type=ssh,id=a,mode=666 stat -c "%a %u %g %F" /z/agent; stat -c %a /run/buildkit/ssh_agent.1; echo $SSH_AUTH_SOCK
ENV SSH_AUTH_SOCK=/own
RUN --mount=type=ssh,id=a echo $SSH_AUTH_SOCK
`,
        `--ssh=a=${key}`,
        `--ssh=b=${key}`,
      );
      const ids = name === 'single' ? '0 0' : '1234 2345';
      assert.deepEqual(lines, [`741 ${ids} socket`, '666', '/z/agent', '/own']);
    });

    // With one id, all users are one.
    if (name !== 'single') {
      test('can be used by the user whose socket it is, and by no other', async () => {
        const { lines } = await builds.build(
          `${FROM}USER app
RUN --mount=type=ssh,uid=1234 ssh-add -l
RUN --mount=type=ssh ssh-add -l > /dev/null 2>&1 || echo refused
`,
          `--ssh=default=${key}`,
        );
        assert.equal(lines[0]?.split(' ')[1], fingerprint);
        assert.equal(lines[1], 'refused');
      });
    }

    test('that nobody gives is not there, and fails the build when it is required', async () => {
      const { lines } = await builds.build(
        `FROM base\nRUN --mount=type=ssh test ! -e $SSH_AUTH_SOCK; echo $SSH_AUTH_SOCK\n`,
      );
      assert.deepEqual(lines, ['/run/buildkit/ssh_agent.0']);
      const { code, stderr } = await builds.attempt(
        'FROM base\nRUN --mount=type=ssh,id=deploy,required true\n',
      );
      assert.equal(code, 2);
      assert.match(stderr, /Cannot mount ssh agent deploy: not found \[ERR_SSH_MISSING\]/);
    });

    test('refuses what is no key, and keys with a passphrase, by name', async () => {
      const locked = join(builds.account.home, 'keys/locked');
      await makeKey(locked, 'a passphrase');
      await writeFile(join(builds.account.home, 'keys/none'), 'no key');
      await builds.account.own(join(builds.account.home, 'keys'));
      for (const file of [locked, join(builds.account.home, 'keys/none')]) {
        const { code, stderr } = await builds.attempt(
          'FROM base\nRUN --mount=type=ssh true\n',
          `--ssh=default=${file}`,
        );
        assert.equal(code, 2);
        assert.match(stderr, /"ssh-add" refuses the key/);
        assert.deepEqual(await agents(), []);
      }
      const missingKey = await builds.attempt('FROM base\n', `--ssh=default=${key}.gone`);
      assert.match(missingKey.stderr, /"\S+gone" cannot be read \[ERR_SSH_MISSING\]/);
    });

    test('leaves the RUN no descriptors but its streams (ORC-6 SSHFileDescriptorsClosed)', async () => {
      const { lines } = await builds.build(
        `FROM base\nRUN --mount=type=ssh --mount=type=cache,target=/c,sharing=locked ["sh", "-c", "ls /proc/self/fd | wc -l"]\n`,
        `--ssh=default=${key}`,
      );
      // The fourth is ls's own.
      assert.deepEqual(lines, ['4']);
    });
  });
}

async function dataFlags({ context }: RunBuilds, key: string): Promise<readonly string[]> {
  await writeFile(join(context, 'key.pub'), await readFile(`${key}.pub`));
  await writeFile(join(context, 'text'), 'text');
  return [];
}
