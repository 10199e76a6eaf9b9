/** What people build on a Debian, and what is to be seen of it. */

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { acceptedBundle, type Bundle, type Outputs } from '../support/accepted.ts';
import type { Account, Outcome } from '../support/accounts.ts';
import type { ReadImage } from '../support/layout-files.ts';
import { missing } from '../support/missing.ts';
import { digestOf, outputOf, ranIn, stepsOf } from '../support/plain-output.ts';
import { cachedNpm } from '../support/test-cache.ts';
import { capabilitiesIn } from './capabilities.ts';

/** A build that has succeeded, by one of the accounts. */
export interface RealBuild {
  readonly name: 'root' | 'user' | 'single';
  readonly account: Account;
  readonly outputs: Outputs;
  readonly flags: readonly string[];
  readonly context: string;
  readonly outcome: Outcome;
  readonly image: ReadImage;
}

export interface RealCase {
  /** The folder in test/e2e/fixtures. */
  readonly fixture: string;
  readonly title: string;
  /** Programs of the machine. */
  readonly needs?: readonly string[];
  readonly flags?: (account: Account) => Promise<readonly string[]>;
  readonly check: (build: RealBuild) => Promise<void>;
}

export const CASES: readonly RealCase[] = [
  {
    fixture: 'nginx',
    title: 'apt-get install -y nginx',
    needs: ['slirp4netns'],
    // `nginx -t` binds port 80: on the machine's own network that is root's alone.
    flags: async () => ['--network=private'],
    check: async ({ outcome, image }) => {
      const served = outputOf(outcome).filter((line) => /^(served|nginx$)/.test(line));
      assert.deepEqual(served, ['served by nginx', 'nginx']);
      assert.match(outcome.stderr, /nginx\.conf test is successful/);
      assert.equal(image.files['var/lib/nginx/body']?.owner, '33:0');
    },
  },
  {
    fixture: 'users',
    title: 'adduser, useradd, su, sudo, chown and dpkg',
    check: async ({ image: { files } }) => {
      assert.equal(files['usr/bin/ssh-agent']?.mode, '2755');
      assert.match(files['usr/bin/ssh-agent']?.owner ?? '', /^0:10[0-9]$/);
      assert.equal(files['srv/app/log/two']?.owner, '1000:5000');
      assert.equal(files['srv/app/log/four']?.owner, '0:5000');
      assert.equal(files['home/bob/app/current']?.owner, '1000:5000');
      assert.equal(files['home/bob/by-setpriv']?.owner, '1001:1001');
    },
  },
  {
    fixture: 'capabilities',
    title: 'setcap, and a package that does it',
    needs: ['getcap', 'tar'],
    check: async ({ name, outcome, outputs }) => {
      const told = outputOf(outcome);
      assert.ok(told.includes('/bin/ping cap_net_raw=ep'), outcome.stderr);
      assert.ok(told.includes('/usr/local/bin/powerful cap_chown,cap_net_bind_service=ep'));
      // Where ids are emulated, processes have root's capabilities, whoever they are.
      if (name !== 'single') assert.ok(told.includes('CapEff:\t0000000000000401'));
      assert.deepEqual(await capabilitiesIn(outputs.layout), {
        'usr/local/bin/copied': 'cap_chown,cap_net_bind_service=ep',
        'usr/bin/ping': 'cap_net_raw=ep',
      });
    },
  },
  {
    fixture: 'python-app',
    title: 'pip install',
    check: async ({ outcome }) => {
      const told = outputOf(outcome);
      assert.ok(told.includes('imported 3.1.6'), outcome.stderr);
      assert.ok(told.includes('rendered for www-data'), outcome.stderr);
    },
  },
  {
    fixture: 'go-program',
    title: 'go build, and only the binary is shipped',
    needs: ['go'],
    flags: async () => {
      const { stdout } = await execute('go', ['env', 'GOROOT']);
      return ['--build-context', `go=${stdout.trim()}`];
    },
    check: async (build) => {
      const greeting = "I can eat glass and it doesn't hurt me.";
      assert.ok(outputOf(build.outcome).includes(greeting));
      const bundle = await bundleOf(build);
      assert.deepEqual(await readdir(bundle.root), ['bin']);
      assert.equal(await bundle.run(), `${greeting}\n`);
    },
  },
  {
    fixture: 'c-program',
    title: 'gcc, and only the binary is shipped',
    check: async (build) => {
      assert.doesNotMatch(
        build.outcome.stderr,
        /^(NOTE: (?!RUN uses the network|RUN uses a user namespace)|WARNING:)/m,
      );
      const bundle = await bundleOf(build);
      assert.deepEqual(await readdir(bundle.root), ['bin']);
      assert.equal(await bundle.run(), 'hello, world\n');
      assert.equal(await bundle.run('/bin/hello', 'tester'), 'hello, tester\n');
    },
  },
  {
    fixture: 'node-app',
    title: 'npm ci, apart from the sources',
    needs: ['npm'],
    flags: async ({ nodeDirectory }) => [
      ...['--build-context', `npm=${await cachedNpm()}`],
      ...['--build-context', `nodejs=${nodeDirectory}`],
    ],
    check: async (build) => {
      const bundle = await bundleOf(build);
      assert.deepEqual(await readdir(join(bundle.root, 'app')), ['main.cjs']);
      assert.equal(await bundle.run(), '{"greeting":"hello, world"}\n');
      await assertSourcesAreApart(build);
    },
  },
];

const execute = promisify(execFile);

/** What of the cases needs more than every test of real builds does. */
export function whyNotCase({ needs = [] }: RealCase): string | undefined {
  return missing(...needs);
}

async function bundleOf({ account, outputs, outcome }: RealBuild): Promise<Bundle> {
  return await acceptedBundle(account, outputs, digestOf(outcome));
}

/** Another source does not install the packages again. */
async function assertSourcesAreApart({ account, flags, context, outcome }: RealBuild) {
  const source = join(context, 'src/app.js');
  const text = await readFile(source, 'utf8');
  await writeFile(source, text.replace('hello, ', 'good morning, '));
  const changed = await account.tsbuild(flags);
  const npmCi = stepsOf(changed).find(({ name }) => name.endsWith(' npm ci'));
  assert.equal(npmCi?.state, 'CACHED');
  assert.deepEqual(ranIn(changed), [
    'COPY src src',
    'RUN npm run build',
    'COPY --from=build /app/dist /app',
  ]);
  assert.notEqual(digestOf(changed), digestOf(outcome));
}
