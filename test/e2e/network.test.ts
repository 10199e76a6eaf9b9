/** What a RUN reaches, and how it finds names (NET, EX-7, EX-8, ENT-1). */

import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import type { Outcome } from '../support/accounts.ts';
import { type HostServer, openHostServer, ownAddress } from '../support/host-server.ts';
import { itUnless, missing } from '../support/missing.ts';
import { outputOf } from '../support/plain-output.ts';
import type { RunBuilds } from '../support/run-builds.ts';
import { RUNGS, whyNoTun } from '../support/rungs.ts';

const TOOLS = ['pasta', 'slirp4netns'] as const;
const NOTE = /^NOTE: RUN uses the network of this machine/gm;

for (const rung of RUNGS) {
  const test = itUnless(rung.whyNot);

  describe(`the network of a RUN, ${rung.title}`, function () {
    this.timeout(120_000);
    let builds: RunBuilds;
    let server: HostServer;

    before(async () => {
      if (rung.whyNot !== undefined) return;
      builds = await rung.open();
      server = await openHostServer('127.0.0.1');
    });
    after(async () => {
      await server?.close();
      await builds?.account.close();
    });

    test('is the loopback device alone with none, and that works (NET-2, NET-7)', async () => {
      const run = "ip -o link | grep -c . && ip link show lo | grep -o ',UP'";
      const { lines } = await builds.build(`FROM base\nRUN --network=none ${run}`);
      assert.deepEqual(lines, ['1', ',UP']);
    });

    test("is this machine's unless one says otherwise, which is told once (NET-1, NET-7)", async () => {
      const ask = `nc 127.0.0.1 ${server.port}`;
      const outcome = await builds.attempt(`FROM base\nRUN ${ask}\nRUN ${ask} # again`);
      assert.deepEqual(outputOf(outcome), ['hello', 'hello'], outcome.stderr);
      assert.equal(outcome.stderr.match(NOTE)?.length, 1);
      const quiet = await builds.attempt(`FROM base\nRUN ${ask} # host`, '--network=host');
      assert.doesNotMatch(quiet.stderr, NOTE);
    });

    for (const tool of TOOLS) {
      itUnless(rung.whyNot ?? missing(tool) ?? whyNoTun(rung.name))(
        `is its own with private, by ${tool}: ${tool === 'pasta' ? 'it has an address' : 'it leads out'}, but not to this machine's own services`,
        async () => {
          const world = await openHostServer('0.0.0.0');
          try {
            const own = ownAddress() ?? '10.0.2.2';
            const script = [
              // Debian 12's pasta often stalls connections to this machine (DECISIONS.md).
              tool === 'pasta' ? 'echo hello' : `nc -w 5 ${own} ${world.port}`,
              `! nc -w 2 127.0.0.1 ${server.port}`,
              `! nc -w 2 10.0.2.2 ${server.port}`,
              'ip -o -4 addr show eth0 | grep -o 10.0.2.100',
            ].join('\nRUN ');
            const path = await onlyTool(builds, tool);
            const env = { PATH: path };
            const outcome = await attemptWith(builds, env, `FROM base\nRUN ${script}`);
            assert.equal(outcome.code, 0, outcome.stderr);
            assert.deepEqual(
              outputOf(outcome).filter((line) => !line.startsWith('nc:')),
              ['hello', '10.0.2.100'],
            );
            await builds.account.assertClean();
          } finally {
            await world.close();
          }
        },
      );

      if (tool === 'slirp4netns')
        itUnless(rung.whyNot ?? missing(tool) ?? whyNoTun(rung.name))(
          `leads to this machine as host-gateway, where that is asked for, by ${tool} (OPT-1)`,
          async () => {
            const env = { PATH: await onlyTool(builds, tool) };
            const text = `FROM base\nRUN nc -w 5 "$(awk '/up$/ { print $1 }' /etc/hosts)" ${server.port}`;
            const flags = ['--add-host', 'up:host-gateway'];
            const outcome = await attemptWith(builds, env, text, ...flags);
            assert.deepEqual(outputOf(outcome), ['hello'], outcome.stderr);
          },
        );

      itUnless(rung.whyNot ?? missing(tool) ?? whyNoTun(rung.name))(
        `is gone with its step when the build is aborted, with ${tool}`,
        async () => {
          const path = await onlyTool(builds, tool);
          const text = 'FROM base\nRUN echo begun && sleep 1000';
          await builds.attempt('FROM base'); // Writes what the next one reads.
          const outcome = abortWhen(builds, 'begun', { PATH: path }, text);
          assert.equal((await outcome).code, 130);
          await builds.account.assertClean();
        },
      );
    }

    test('is refused before the first step where nothing can connect it, saying what to do', async () => {
      const env = { PATH: await onlyTool(builds, undefined) };
      const outcome = await attemptWith(builds, env, 'FROM base\nRUN echo first\nRUN true');
      assert.equal(outcome.code, 4, outcome.stderr);
      assert.match(outcome.stderr, /private network on this machine: .*\nhint: To change it: /);
      assert.deepEqual(outputOf(outcome), []);
    });

    test('asks for names where it is told to (EX-7, EX-8)', async () => {
      const flags = ['--dns=192.0.2.1', '--dns-search=a.test', '--dns-option=ndots:3'];
      const hosts = ['--add-host=db:192.0.2.7', '--add-host=six=[2001:db8::6]'];
      const { lines } = await builds.build(
        'FROM base\nRUN cat /etc/resolv.conf && tail -n 2 /etc/hosts',
        ...flags,
        ...hosts,
      );
      assert.deepEqual(lines, [
        'nameserver 192.0.2.1',
        'search a.test',
        'options ndots:3',
        '192.0.2.7\tdb',
        '2001:db8::6\tsix',
      ]);
    });

    test("of the host is a privilege only where the build's is another (RUN-2, ENT-1)", async () => {
      const text = 'FROM base\nRUN --network=host true';
      const refused = await builds.attempt(text, '--network=none');
      assert.equal(refused.code, 1);
      assert.match(refused.stderr, /^ERROR: .*network\.host is not allowed/m);
      await builds.build(text, '--network=none', '--allow=network.host');
      await builds.build(text);
    });
  });
}

/** A PATH with what starts builds here, and of the tools only one. */
async function onlyTool({ account }: RunBuilds, tool: string | undefined): Promise<string> {
  const folder = join(account.home, `path-${tool ?? 'none'}`);
  await mkdir(folder, { recursive: true });
  const others = ['unshare', 'sh', 'mount', 'setpriv', 'newuidmap', 'newgidmap', 'git'];
  for (const name of tool === undefined ? others : [...others, tool]) {
    const found = await find(name);
    if (found !== undefined) await symlink(found, join(folder, name)).catch(ignoreExisting);
  }
  return folder;
}

async function find(name: string): Promise<string | undefined> {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/usr/bin'];
  return folders.map((folder) => join(folder, name)).find((path) => existsSync(path));
}

function ignoreExisting(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EEXIST') throw error;
}

async function attemptWith(
  builds: RunBuilds,
  env: Readonly<Record<string, string>>,
  dockerfile: string,
  ...flags: readonly string[]
): Promise<Outcome> {
  return await builds.account.tsbuild(await argumentsOf(builds, dockerfile, flags), env);
}

async function argumentsOf(
  { account, context }: RunBuilds,
  dockerfile: string,
  flags: readonly string[] = [],
): Promise<readonly string[]> {
  await writeFile(join(context, 'Dockerfile'), dockerfile);
  const base = `base=oci-layout://${account.home}/busybox`;
  return ['--build-context', base, '--network=private', '--no-cache', ...flags, context];
}

async function abortWhen(
  builds: RunBuilds,
  word: string,
  env: Readonly<Record<string, string>>,
  dockerfile: string,
): Promise<Outcome> {
  const started = builds.account.start(await argumentsOf(builds, dockerfile), env);
  const said = new RegExp(`^#\\d+ \\d+\\.\\d+ ${word}$`, 'm');
  while (!said.test(started.stderr())) await setTimeout(20);
  process.kill(-started.pid, 'SIGINT');
  return await started.outcome;
}
