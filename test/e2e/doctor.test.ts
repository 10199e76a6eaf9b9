/** `tsbuild doctor` on four machines: what it says is what a build there meets. */

import assert from 'node:assert/strict';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { DoctorReport, Finding } from '../../src/index.ts';
import {
  type Account,
  type AccountKind,
  type AccountOptions,
  type Outcome,
  whyNoAccount,
  withAccount,
} from '../support/accounts.ts';
import { itUnless } from '../support/missing.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

describe('tsbuild doctor', function () {
  this.timeout(120_000);

  itUnless(whyNoAccount('root'))('finds that root needs nothing', async () => {
    await withDoctor('root', async (doctor) => {
      const { code, stdout } = await doctor([]);
      assert.equal(code, 0, stdout);
      assert.match(stdout, /^RUN\n {2}ok {4}root: RUN uses mount namespaces\n[a-z]/);
      assert.match(stdout, /\nBuilds with RUN work here\.\n$/);
    });
  });

  itUnless(whyNoAccount('user'))('finds that a user with sub-ids needs nothing', async () => {
    await withDoctor('user', async (doctor) => {
      const { code, stdout } = await doctor([]);
      assert.equal(code, 0, stdout);
      assert.match(stdout, /^RUN\n {2}ok {4}subids: RUN uses a user namespace with sub-ids\n[a-z]/);
    });
  });

  itUnless(whyNoAccount('user'))('tells a user without sub-ids how to get some', async () => {
    await withDoctor(
      'user',
      async (doctor) => {
        const { code, stdout } = await doctor([]);
        assert.equal(code, 0, stdout);
        const [, first, above, fix] = stdout.split('\n');
        assert.match(first ?? '', /^ {2}ok {4}single: RUN uses a user namespace with one id/);
        assert.match(above ?? '', /^ {2}warn {2}not subids: no sub-ids: \/etc\/subuid has no line/);
        assert.match(
          fix ?? '',
          /^ {8}fix: sudo usermod --add-subuids \S+ --add-subgids \S+ tester$/,
        );
      },
      { subids: false },
    );
  });

  itUnless(whyNoAccount('confined'))(
    'tells a user without namespaces which setting forbids them, with exit code 4',
    async () => {
      await withDoctor('confined', async (doctor) => {
        const { code, stdout } = await doctor([]);
        assert.equal(code, 4, stdout);
        assert.match(
          stdout,
          /^RUN\n {2}no {4}RUN does not work here; Dockerfiles without RUN build/,
        );
        assert.match(
          stdout,
          /\n {2}no {4}not single: user namespaces are forbidden: user\.max_user_namespaces is 0\n {8}fix: sudo sysctl -w user\.max_user_namespaces=\d+/,
        );
        assert.match(stdout, /\nBuilds with RUN do not work here/);
        const json = reportOf(await doctor(['--json']));
        assert.deepEqual([json.ok, json.isolation], [false, null]);
      });
    },
  );

  itUnless(whyNoAccount('user'))('tells why setuid programs have no effect', async () => {
    await withDoctor('user', async (doctor) => {
      const { code, stdout } = await doctor([], { through: ['setpriv', '--no-new-privs'] });
      assert.equal(code, 0, stdout);
      assert.match(
        stdout,
        /\n {2}warn {2}not subids: ids cannot be mapped: .*\(no_new_privs\)\n {8}fix: /,
      );
    });
  });

  itUnless(whyNoAccount('root'))('ISO-4: tells of a store on overlay to move it', async () => {
    await withDoctor('root', async (doctor, account) => {
      const folders = ['lower', 'upper', 'work', 'merged'].map((name) => join(account.home, name));
      for (const folder of folders) await mkdir(folder);
      const [lower, upper, work, merged = ''] = folders;
      const overlay = `lowerdir=${lower},upperdir=${upper},workdir=${work}`;
      const mount = `mount -t overlay overlay -o ${overlay} ${merged} && exec "$@"`;
      const through = ['unshare', '--mount', 'sh', '-c', mount, 'sh'];
      const { code, stdout } = await doctor([], {
        through,
        env: { TSBUILD_STORE: join(merged, 'store') },
      });
      assert.equal(code, 4, stdout);
      assert.match(
        stdout,
        /\n {2}no {4}not root: the store is itself on overlay, .*\n {8}fix: .*TSBUILD_STORE/,
      );
      assert.match(stdout, /\/store\/v1 on overlay, /);
    });
  });

  itUnless(whyNoAccount('root'))('tells of a /proc that a container has masked', async () => {
    await withDoctor('root', async (doctor) => {
      const mask = 'mount --bind /dev/null /proc/interrupts && exec "$@"';
      const through = ['unshare', '--mount', 'sh', '-c', mask, 'sh'];
      // A root of the machine sees through it; one of a user namespace must not.
      const { code, stdout } = await doctor(['--isolation=single'], { through });
      assert.equal(code, 4, stdout);
      assert.match(stdout, /\n {2}no {4}not single: a new \/proc cannot be mounted.*\n {8}fix: .+/);
    });
  });

  itUnless(whyNoAccount('user'))('looks at the one isolation that is asked for', async () => {
    await withDoctor('user', async (doctor) => {
      const single = reportOf(await doctor(['--json', '--isolation=single']));
      assert.equal(single.isolation, 'single');
      const refused = await doctor(['--isolation', 'root']);
      assert.equal(refused.code, 4);
      assert.match(refused.stdout, /no {4}not root: only root can .* user "tester"\n {8}fix: /);
    });
  });

  itUnless(whyNoAccount('user'))('finds a store that cannot be written', async () => {
    await withDoctor('user', async (doctor) => {
      const outcome = await doctor(['--json'], { env: { TSBUILD_STORE: '/proc/store' } });
      assert.equal(outcome.code, 4);
      const store = findingOf(reportOf(outcome), 'store');
      assert.equal(store.status, 'no');
      assert.match(store.fix ?? '', /TSBUILD_STORE/);
    });
  });

  itUnless(whyNoAccount('root'))(
    'tells of settings where they come from, and no secret',
    async () => {
      await withDoctor('root', async (doctor, account) => {
        const dockerConfig = join(account.home, 'docker');
        await mkdir(dockerConfig);
        const auth = Buffer.from('ann:hunter2').toString('base64');
        const config = {
          auths: { 'registry.example': { auth } },
          credHelpers: { 'other.example': 'nowhere' },
        };
        await writeFile(join(dockerConfig, 'config.json'), JSON.stringify(config));
        const outcome = await doctor(['--json'], {
          env: {
            DOCKER_CONFIG: dockerConfig,
            https_proxy: 'http://me:hunter2@proxy.example:3128',
            NODE_EXTRA_CA_CERTS: '/no/such/file.pem',
          },
        });
        assert.doesNotMatch(outcome.stdout, /hunter2/);
        assert.ok(!outcome.stdout.includes(auth));
        const report = reportOf(outcome);
        const kept = findingOf(report, 'credentials.registry.example');
        assert.match(
          kept.text,
          /^registry\.example: password from .*config\.json \(DOCKER_CONFIG\)$/,
        );
        const lost = findingOf(report, 'credentials.other.example');
        assert.equal(lost.status, 'warn');
        assert.match(lost.text, /docker-credential-nowhere, named in .*, is not in PATH/);
        assert.match(findingOf(report, 'proxy.https_proxy').text, /=http:\/\/proxy\.example:3128/);
        assert.equal(findingOf(report, 'ca.NODE_EXTRA_CA_CERTS').status, 'warn');
      });
    },
  );
});

describe('--isolation', function () {
  this.timeout(120_000);

  itUnless(whyNoAccount('user'))(
    'refuses a RUN before the first step when it is not to be had',
    async () => {
      await withAccount('user', async (account) => {
        const context = join(account.home, 'context');
        await mkdir(context);
        const text = 'FROM scratch\nCOPY Dockerfile /\nRUN ["/true"]\n';
        await writeFile(join(context, 'Dockerfile'), text);
        const { code, stderr } = await account.tsbuild(['--isolation=root', context]);
        assert.equal(code, 4, stderr);
        assert.match(
          stderr,
          /Cannot execute RUN on this machine with the isolation "root": only root/,
        );
        assert.match(stderr, /^hint: To change it: build as root/m);
        assert.doesNotMatch(stderr, /^#\d+ DONE/m, 'no step was done');
      });
    },
  );
});

interface Circumstances {
  /** A command line that the doctor's is appended to. */
  readonly through?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

type Doctor = (args: readonly string[], circumstances?: Circumstances) => Promise<Outcome>;

async function withDoctor(
  kind: AccountKind,
  use: (doctor: Doctor, account: Account) => Promise<void>,
  options: AccountOptions = {},
): Promise<void> {
  const run = async (account: Account): Promise<void> => {
    const node = kind === 'root' ? process.execPath : join(account.home, 'bin/node');
    const cli = join(kind === 'root' ? ROOT : join(account.home, 'tsbuild'), 'dist/cli.js');
    await use(async (args, { through = [], env } = {}) => {
      const [program = '', ...rest] = [...through, node, cli, 'doctor', ...args];
      return await account.run(program, rest, env);
    }, account);
  };
  await withAccount(kind, run, options);
}

type Report = Omit<DoctorReport, 'isolation'> & { readonly isolation: string | null };

function reportOf({ stdout }: Outcome): Report {
  const report = JSON.parse(stdout) as Report & { readonly version: number };
  assert.equal(report.version, 1);
  return report;
}

function findingOf({ findings }: Report, id: string): Finding {
  const finding = findings.find((each) => each.id === id);
  assert.ok(finding !== undefined, `no finding "${id}"`);
  return finding;
}
