/** The bundle as a runner runs it: `node dist/action.mjs`, with inputs and files in the environment. */

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { createTestRunner, type StepResult, type TestRunner } from '../support/action-runner.ts';
import { openAccount, whyNoAccount } from '../support/accounts.ts';
import { busyboxBase } from '../support/busybox-base.ts';
import { itUnless, missing } from '../support/missing.ts';
import { startRegistry } from '../support/registry.ts';
import { withDirectory } from '../support/temporary.ts';

const BUNDLE = resolve('dist/action.mjs');

interface Ran extends StepResult {
  readonly code: number | null;
  readonly log: string;
  readonly runner: TestRunner;
}

type Texts = Readonly<Record<string, string>>;

/** Runs the action in a workspace with these files; `use` sees what it came to. */
async function withStep(
  {
    files,
    inputs = {},
    env = {},
    bundle = BUNDLE,
  }: {
    readonly files: Texts;
    readonly inputs?: Texts;
    readonly env?: Texts;
    readonly bundle?: string;
  },
  use: (ran: Ran) => Promise<void> | void,
): Promise<void> {
  await withDirectory(async (folder) => {
    const runner = await createTestRunner(folder);
    for (const [name, content] of Object.entries(files)) {
      await mkdir(dirname(join(runner.workspace, name)), { recursive: true });
      await writeFile(join(runner.workspace, name), content);
    }
    const child = spawn(process.execPath, [bundle], {
      cwd: runner.workspace,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        PATH: process.env['PATH'],
        HOME: folder,
        TSBUILD_STORE: join(folder, 'store'),
        ...runner.environment(inputs),
        ...env,
      },
    });
    const [log, stderr] = await Promise.all([
      text(child.stdout),
      text(child.stderr),
      once(child, 'close'),
    ]);
    await use({
      ...(await runner.read(log + stderr)),
      code: child.exitCode,
      log: log + stderr,
      runner,
    });
  });
}

const APP = { 'app/Dockerfile': 'FROM scratch\nCOPY a /b\n', 'app/a': 'text' };

describe('the GitHub action', () => {
  it('builds, and sets its outputs to what it has written (ACT-1)', async () => {
    const inputs = { context: 'app', tags: 'me/app:1', outputs: 'type=oci,tar=false,dest=image' };
    await withStep({ files: APP, inputs }, async ({ code, log, outputs, summary, runner }) => {
      assert.equal(code, 0, log);
      const index = JSON.parse(await readFile(join(runner.workspace, 'image/index.json'), 'utf8'));
      const { digest = '', imageid = '', metadata = '' } = outputs;
      assert.equal(index.manifests[0].digest, digest);
      const [algorithm, hex = ''] = digest.split(':');
      const manifest = join(runner.workspace, 'image/blobs', algorithm ?? '', hex);
      assert.equal(JSON.parse(await readFile(manifest, 'utf8')).config.digest, imageid);
      const { 'containerimage.digest': told, 'image.name': name } = JSON.parse(metadata);
      assert.deepEqual([told, name], [digest, 'docker.io/me/app:1']);
      assert.match(summary, new RegExp(`docker\\.io/me/app:1.*${digest}.*linux/.*built`));
      assert.deepEqual(await readdir(runner.temporary), []);
    });
  });

  it('has a group for the lines of each step, and tells how it ended outside of it', async () => {
    await withStep({ files: APP, inputs: { context: 'app' } }, ({ log, commands }) => {
      const titles = commands.filter(({ name }) => name === 'group').map(({ message }) => message);
      assert.deepEqual(titles, ['#1 [1/1] COPY a /b', 'ImageID', 'Digest', 'Metadata']);
      assert.match(log, /^::group::#1 \[1\/1\] COPY a \/b\n::endgroup::\n#1 DONE \d+\.\ds$/m);
      const ends = commands.filter(({ name }) => name === 'endgroup');
      assert.equal(ends.length, titles.length);
    });
  });

  it('has no id for files (ACT-5), and no summary where none is wanted (ACT-7)', async () => {
    const inputs = { context: 'app', outputs: 'type=local,dest=files' };
    const step = { files: APP, inputs, env: { DOCKER_BUILD_SUMMARY: 'false' } };
    await withStep(step, async ({ code, log, outputs, summary, runner }) => {
      assert.equal(code, 0, log);
      assert.equal(await readFile(join(runner.workspace, 'files/b'), 'utf8'), 'text');
      assert.deepEqual([Object.keys(outputs), summary], [['digest', 'metadata'], '']);
    });
  });

  it('shows warnings at their lines of the repository, or in the log (ACT-7)', async () => {
    const files = { ...APP, 'app/Dockerfile': 'FROM scratch\nCOPY a /b\nLABEL x=$NONE\n' };
    const inputs = { context: 'app' };
    await withStep({ files, inputs }, ({ commands, log }) => {
      const warning = commands.find(({ name }) => name === 'warning');
      assert.deepEqual(warning?.properties, { file: 'app/Dockerfile', line: '3' }, log);
      assert.match(warning?.message ?? '', /^UndefinedVar: .*\$NONE/);
    });
    const env = { DOCKER_BUILD_CHECKS_ANNOTATIONS: 'false' };
    await withStep({ files, inputs, env }, ({ commands, log }) => {
      assert.ok(!commands.some(({ name }) => name === 'warning'), log);
      assert.match(log, /^WARNING: UndefinedVar: /m);
    });
  });

  it('shows a failure at its line, with what to do, and leaves no outputs (ACT-8)', async () => {
    const files = {
      ...APP,
      'app/Dockerfile': 'FROM scratch\nCOPY none /\n',
      'app/.dockerignore': 'none',
    };
    await withStep(
      { files, inputs: { context: 'app' } },
      ({ code, commands, log, outputs, summary }) => {
        assert.equal(code, 1, log);
        const [error, ...others] = commands.filter(({ name }) => name === 'error');
        assert.deepEqual(others, []);
        const place = { title: 'ERR_SOURCE_MISSING', file: 'app/Dockerfile', line: '2' };
        assert.deepEqual(error?.properties, place);
        assert.match(error?.message ?? '', /"none"/);
        assert.match(log, /2 \| .*>>>.* COPY none \//);
        assert.deepEqual(outputs, {});
        assert.match(summary, /failed/);
      },
    );
  });

  it('shows every syntax error', async () => {
    const files = { Dockerfile: 'FROM scratch\nCOPPY a b\nRUNN x\n' };
    await withStep({ files }, ({ code, commands }) => {
      assert.equal(code, 1);
      const lines = commands
        .filter(({ name }) => name === 'error')
        .map(({ properties }) => properties);
      assert.deepEqual(
        lines.map(({ line }) => line),
        ['2', '3'],
      );
    });
  });

  it('refuses an input that is not served yet before anything is built', async () => {
    const inputs = {
      context: 'app',
      'cache-to': 'type=gha,mode=max',
      outputs: 'type=oci,dest=i.tar',
    };
    await withStep({ files: APP, inputs }, async ({ code, commands, log, runner }) => {
      assert.equal(code, 2, log);
      const [error] = commands.filter(({ name }) => name === 'error');
      assert.match(error?.message ?? '', /the input "cache-to"/);
      assert.doesNotMatch(log, /^::group/m);
      assert.deepEqual(await readdir(runner.workspace), ['app']);
    });
  });

  it('says that the workspace is empty when nothing was checked out', async () => {
    await withStep({ files: {} }, ({ code, commands }) => {
      assert.equal(code, 2);
      assert.match(commands.at(-1)?.message ?? '', /actions\/checkout/);
    });
  });

  it('says what to do without a helper', async () => {
    const env = { TSBUILD_HELPER: '/none' };
    await withStep({ files: APP, inputs: { context: 'app' }, env }, ({ code, commands }) => {
      assert.equal(code, 4);
      assert.match(
        commands.at(-1)?.message ?? '',
        /^Cannot find the helper.*a release of the action/,
      );
    });
  });

  it('needs nothing but its file and the helper beside it, as a release has them', async () => {
    await withDirectory(async (release) => {
      const helper = join(release, `dist/helper/linux-${process.arch}/tsbuild-helper`);
      await mkdir(dirname(helper), { recursive: true });
      await copyFile(resolve('native/target/release/tsbuild-helper'), helper);
      const bundle = join(release, 'dist/action.mjs');
      await copyFile(BUNDLE, bundle);
      await withStep({ files: APP, inputs: { context: 'app' }, bundle }, ({ code, log }) => {
        assert.equal(code, 0, log);
      });
      await rm(helper);
      await withStep({ files: APP, inputs: { context: 'app' }, bundle }, ({ code, log }) => {
        assert.match(log, /ERR_HELPER_MISSING/);
        assert.equal(code, 4);
      });
    });
  });

  it('masks secrets, line by line, and writes them nowhere', async () => {
    const files = {
      ...APP,
      'key.pem': '-----BEGIN KEY-----\nc2VjcmV0IGtleQ\n-----END KEY-----\n{\n',
    };
    const inputs = {
      context: 'app',
      secrets: 'token=hunter22',
      'secret-files': 'key=key.pem',
      'github-token': 'ghs_0123456789',
      // So that the log has something to hide.
      target: 'hunter22',
    };
    await withStep({ files, inputs }, ({ commands, log, shown, summary }) => {
      const masks = commands
        .filter(({ name }) => name === 'add-mask')
        .map(({ message }) => message);
      const lines = ['-----BEGIN KEY-----', 'c2VjcmV0IGtleQ', '-----END KEY-----'];
      assert.deepEqual(masks.toSorted(), ['ghs_0123456789', 'hunter22', ...lines].toSorted());
      assert.match(log, /Cannot .*"hunter22"/);
      assert.doesNotMatch(shown, /hunter22|c2VjcmV0/);
      assert.doesNotMatch(summary, /c2VjcmV0|ghs_/);
    });
  });

  it('pushes with what docker/login-action has left behind', async () => {
    const registry = await startRegistry({ auth: 'basic', user: 'ci', password: 'hunter22' });
    try {
      const auth = Buffer.from('ci:hunter22').toString('base64');
      await withDirectory(async (folder) => {
        const config = join(folder, 'config.json');
        await writeFile(config, JSON.stringify({ auths: { [registry.host]: { auth } } }));
        const inputs = { context: 'app', push: 'true', tags: `${registry.host}/me/app:1` };
        await withStep({ files: APP, inputs, env: { DOCKER_CONFIG: folder } }, (ran) => {
          assert.equal(ran.code, 0, ran.log);
          const pushed = registry.manifests.get('me/app:1');
          assert.equal(pushed?.descriptor.digest, ran.outputs['digest']);
          assert.doesNotMatch(ran.log, /hunter22/);
        });
      });
    } finally {
      await registry.close();
    }
  });

  it('checks with a finding at its line, and fails (call)', async () => {
    const files = { 'app/Dockerfile': 'FROM scratch as one\nCOPY Dockerfile /\n' };
    await withStep(
      { files, inputs: { context: 'app', call: 'check' } },
      ({ code, commands, log }) => {
        assert.equal(code, 1, log);
        assert.match(log, /Check complete, 1 warning has been found!/);
        const [warning] = commands.filter(({ name }) => name === 'warning');
        const place = { title: 'FromAsCasing', file: 'app/Dockerfile', line: '1' };
        assert.deepEqual(warning?.properties, place);
      },
    );
  });

  it('lists targets and arguments (call)', async () => {
    const files = { Dockerfile: '# the tools\nFROM scratch AS tools\nARG VERSION=1\n' };
    await withStep({ files, inputs: { call: 'targets' } }, ({ code, log }) => {
      assert.equal(code, 0, log);
      assert.match(log, /tools/);
    });
    await withStep({ files, inputs: { call: 'outline' } }, ({ log }) =>
      assert.match(log, /VERSION +1/),
    );
  });
});

for (const kind of ['root', 'user'] as const) {
  const whyNot = whyNoAccount(kind) ?? missing('busybox');

  describe(`the GitHub action by ${kind === 'root' ? 'root' : 'an ordinary user'}`, function () {
    this.timeout(120_000);
    const test = itUnless(whyNot);

    /** Starts a step that builds this Dockerfile, in which `FROM base` has a shell. */
    const withBuild = async (
      dockerfile: string,
      use: (started: {
        readonly pid: number;
        readonly said: (pattern: RegExp) => Promise<void>;
        readonly ended: Promise<{ code: number | null; log: string } & StepResult>;
        readonly clean: () => Promise<void>;
      }) => Promise<void>,
    ): Promise<void> => {
      const account = await openAccount(kind);
      try {
        await busyboxBase(account);
        const runner = await createTestRunner(account.home);
        await writeFile(join(runner.workspace, 'Dockerfile'), dockerfile);
        await account.own(account.home);
        const inputs = {
          'build-contexts': `base=oci-layout://${account.home}/busybox`,
          outputs: `type=oci,dest=${account.home}/tmp/image.tar`,
          context: runner.workspace,
          secrets: 'token=hunter22hunter',
        };
        const [node = '', cli = ''] = account.command;
        const bundle = join(dirname(cli), 'action.mjs');
        // A shell on the way to a user drops variables with a "-" in their names.
        const variables = Object.entries(runner.environment(inputs)).map((pair) => pair.join('='));
        const command = [...variables, node, bundle];
        const { pid, stdout, outcome } = account.startProgram('env', command);
        await use({
          pid,
          said: async (pattern) => await until(() => pattern.test(stdout()), stdout),
          ended: outcome.then(async ({ code, stdout, stderr }) => {
            const log = stdout + stderr;
            return { ...(await runner.read(log)), code, log };
          }),
          clean: account.assertClean,
        });
      } finally {
        await account.close();
      }
    };

    test('is ended by SIGINT and then SIGTERM, as a runner cancels, and leaves nothing', async () => {
      const busy = `sleep 300 & (trap '' INT TERM; sleep 301) & echo begun; sleep 302`;
      await withBuild(`FROM base\nRUN ${busy}\n`, async ({ pid, said, ended, clean }) => {
        await said(/ begun$/m);
        process.kill(pid, 'SIGINT');
        // While it still cleans up, or at once.
        process.kill(pid, 'SIGTERM');
        const { code, log, outputs, commands } = await ended;
        assert.equal(code, 130, log);
        assert.match(log, /^Cancelled: /m);
        assert.deepEqual([outputs, commands.filter(({ name }) => name === 'error')], [{}, []]);
        await clean();
      });
    });

    if (kind === 'user') return;

    test('takes nothing that a RUN says for a command, and hides its secrets', async () => {
      const evil = String.raw`printf '::set-output name=digest::evil\n##[set-output name=digest]evil\nx\r::error::evil\n'; cat /run/secrets/token; exit 3`;
      const dockerfile = `FROM base\nRUN --mount=type=secret,id=token ${evil}\n`;
      await withBuild(dockerfile, async ({ ended }) => {
        const { code, commands, outputs, shown, log } = await ended;
        assert.equal(code, 1, log);
        assert.match(log, /: :set-output name=digest: *:evil|: :set-output name=digest::evil/);
        const names = new Set(commands.map(({ name }) => name));
        assert.deepEqual([...names].toSorted(), ['add-mask', 'endgroup', 'error', 'group']);
        const errors = commands.filter(({ name }) => name === 'error');
        assert.deepEqual(
          errors.map(({ properties }) => properties['title']),
          ['ERR_STEP_FAILED'],
        );
        assert.deepEqual(outputs, {});
        assert.doesNotMatch(shown, /hunter22/);
      });
    });
  });
}

async function until(isSo: () => boolean, said: () => string): Promise<void> {
  for (let wait = 0; !isSo(); wait++) {
    assert.ok(wait < 600, said());
    await new Promise((settle) => setTimeout(settle, 50));
  }
}
