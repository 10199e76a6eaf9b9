/** Bad input through the real command: one clear error, a distinct exit code, and nothing left behind. */

import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { chmod, cp, mkdir, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { digestOf, hexOf } from '../../src/oci/digest.ts';
import {
  type Account,
  openAccount,
  type Outcome,
  whyNoAccount,
  withAccount,
} from '../support/accounts.ts';
import { busyboxBase } from '../support/busybox-base.ts';
import { makeImage, type TestImage } from '../support/image.ts';
import { itUnless, missing } from '../support/missing.ts';
import { startRegistry, type TestRegistry } from '../support/registry.ts';
import { BUILD, ENVIRONMENT, type FailureCase, FAILURES } from './failure-cases.ts';

const whyNot = whyNoAccount('root') ?? missing('busybox');
const test = itUnless(whyNot);

describe('bad input', function () {
  this.timeout(120_000);

  let account: Account;
  let registry: TestRegistry;
  let context: string;
  let image: string;
  let untouched: readonly string[];

  before(async () => {
    if (whyNot !== undefined) return;
    account = await openAccount('root');
    context = join(account.home, 'context');
    image = join(account.home, 'image');
    const base = await busyboxBase(account);
    await damageLayout(base.folder, join(account.home, 'damaged'));
    registry = await startRegistry();
    await addImages(registry);
    await writeContext(context, { Dockerfile: 'FROM base\nRUN true\n' });
    const good = await build([context]);
    assert.equal(good.code, 0, good.stderr);
    untouched = await listing(account.home);
  });
  after(async () => {
    if (whyNot !== undefined) return;
    await registry.close();
    await account.close();
  });

  const fill = (text: string) =>
    text.replaceAll('{home}', account.home).replaceAll('{registry}', registry.host);

  const build = async (
    flags: readonly string[],
    env: Readonly<Record<string, string>> = {},
  ): Promise<Outcome> => {
    const base = ['--build-context', `base=oci-layout://${account.home}/busybox`];
    return await account.tsbuild(
      [...base, '-o', `type=oci,tar=false,dest=${image}`, ...flags.map(fill)],
      Object.fromEntries(Object.entries(env).map(([name, value]) => [name, fill(value)])),
    );
  };

  /** The case's context, then the build, then what must hold after every failure. */
  const fail = async ({ dockerfile, files, flags = [], env, exit }: FailureCase) => {
    const all = { ...files, ...(dockerfile !== undefined && { Dockerfile: fill(dockerfile) }) };
    await writeContext(context, all);
    const namesContext = flags.length === 1 && ['', '{home}/nowhere'].includes(flags[0] ?? '');
    const own = namesContext ? flags.filter((flag) => flag !== '') : [...flags, context];
    const outcome = await build(own, env);
    assert.equal(outcome.code, exit, outcome.stderr);
    assert.equal(outcome.stdout, '');
    await account.assertClean();
    assert.deepEqual(await listing(account.home), untouched, 'an output was touched or begun');
    return outcome.stderr;
  };

  for (const failure of FAILURES) {
    test(`reports ${failure.name}, and leaves nothing`, async () => {
      const said = await fail(failure);
      const { error, hint, line } = failure;
      assert.equal(said.match(/^ERROR: /gm)?.length, 1, `one error: ${said}`);
      assert.ok(/^ERROR: .*$/m.exec(said)?.[0]?.endsWith(fill(error)), said);
      if (hint !== undefined) assert.ok(said.endsWith(`hint: ${fill(hint)}\n`), said);
      if (line === undefined) assert.doesNotMatch(said, /^\.?\w+:\d+$/m);
      else assert.match(said, frameOf(failure, fill));
    });
  }

  test('reports a failing RUN with its exit code and last output, and leaves nothing (RUN-5)', async () => {
    const said = await fail({
      name: 'a failing RUN',
      dockerfile: `FROM base
ENV TSBUILD_TEST_HOME={home}
RUN exec >&2; sleep 300 & touch /lost; seq=0; while [ $seq -lt 40 ]; do seq=$((seq+1)); echo line $seq; done; echo oh no; exit 42
RUN true
`,
      exit: BUILD,
      error: '',
    });
    const last = Array.from({ length: 19 }, (_, i) => `line ${i + 22}\n`).join('');
    assert.match(
      said,
      new RegExp(`^------\n > \\[2/3\\] RUN exec .*:\n${last}oh no\n------\n`, 'm'),
    );
    assert.match(said, /^Dockerfile:3\n/m);
    assert.match(
      said,
      /^ERROR: process "\/bin\/sh -c exec .*" did not complete successfully: exit code: 42 \[ERR_STEP_FAILED\]\n$/m,
    );
  });

  test('reports a full disk, and leaves nothing on it', async () => {
    await writeContext(context, { Dockerfile: 'FROM scratch\nCOPY large /\n' });
    await writeFile(join(context, 'large'), randomBytes(4 << 20));
    const disk = join(account.home, 'tmp');
    const script = `mount -t tmpfs -o size=3m none ${disk} && "$@"; code=$?; ls -A ${disk}/v1/tmp ${disk}/v1/blobs/sha256; exit $code`;
    const command = [process.execPath, 'dist/cli.js', context];
    const shell = ['--mount', '--propagation', 'private', 'sh', '-c', script, 'sh', ...command];
    const outcome = await account.run('unshare', shell, { TSBUILD_STORE: disk });
    assert.equal(outcome.code, ENVIRONMENT, outcome.stderr);
    assert.match(outcome.stderr, /^ERROR: .*no space left on device/m);
    assert.match(outcome.stderr, /^hint: The disk is full\./m);
    assert.equal(outcome.stdout, `${disk}/v1/blobs/sha256:\n\n${disk}/v1/tmp:\n`);
    await account.assertClean();
  });

  test('goes on with the next build as if nothing had been', async () => {
    await writeContext(context, { Dockerfile: 'FROM base\nRUN true\n' });
    const good = await build([context]);
    assert.equal(good.code, 0, good.stderr);
    assert.deepEqual(await listing(account.home), untouched);
  });
});

describe('what an ordinary user may not write', function () {
  this.timeout(120_000);
  const whyNotUser = whyNoAccount('user') ?? missing('busybox');
  const testUser = itUnless(whyNotUser);

  for (const [what, flags, env, message] of [
    ['output', ['-o', 'type=oci,dest={forbidden}/image.tar'], {}, 'Cannot write the image to'],
    ['store', [], { TSBUILD_STORE: '{forbidden}/store' }, 'Cannot use the store at'],
  ] as const) {
    testUser(`is told as an ${what} that cannot be, with exit code 4`, async () => {
      await withAccount('user', async (account) => {
        const forbidden = join(account.home, 'forbidden');
        const context = join(account.home, 'context');
        await writeContext(context, { Dockerfile: 'FROM scratch\nCOPY Dockerfile /\n' });
        await chmod(context, 0o755);
        await mkdir(forbidden, { mode: 0o755 });
        const fill = (text: string) => text.replace('{forbidden}', forbidden);
        const outcome = await account.tsbuild(
          [...flags.map(fill), context],
          Object.fromEntries(Object.entries(env).map(([name, value]) => [name, fill(value)])),
        );
        assert.equal(outcome.code, ENVIRONMENT, outcome.stderr);
        assert.match(outcome.stderr, new RegExp(`^ERROR: ${message} "${forbidden}/`, 'm'));
        assert.match(outcome.stderr, /EACCES|permission denied/);
        assert.deepEqual(await readdir(forbidden), []);
      });
    });
  }
});

/** The first failing line, marked, below its place. */
function frameOf(
  { file = 'Dockerfile', line = 0, dockerfile = '', files }: FailureCase,
  fill: (text: string) => string,
): RegExp {
  const text = (files?.[file] ?? fill(dockerfile)).split('\n')[line - 1] ?? '';
  const [name, marked] = [file, text].map((part) => part.replaceAll(/[\\^$.*+?()[\]{}|]/g, '\\$&'));
  const frame = `^${name}:${line}\n-{20}\n(?:.*\n)* +${line} \\| >>> ${marked}\n(?:.*\n)*-{20}\n`;
  return new RegExp(frame, 'm');
}

async function writeContext(
  context: string,
  files: Readonly<Record<string, string>>,
): Promise<void> {
  await rm(context, { recursive: true, force: true });
  await mkdir(context);
  for (const [name, text] of Object.entries(files)) await writeFile(join(context, name), text);
}

/** What is in the home, and all of the image: its index names its blobs by their digests. */
async function listing(home: string): Promise<readonly string[]> {
  const image = join(home, 'image');
  const blobs = await readdir(image, { recursive: true });
  const index = await readFile(join(image, 'index.json'), 'utf8');
  const home_ = (await readdir(home)).filter((name) => !['store', '.cache'].includes(name));
  return [...home_.sort(), ...blobs.sort(), index];
}

/** A copy of a layout whose layer lacks its end. */
async function damageLayout(layout: string, copy: string): Promise<void> {
  await cp(layout, copy, { recursive: true });
  const blobs = join(copy, 'blobs/sha256');
  const sizes = await Promise.all(
    (await readdir(blobs)).map(async (name) => {
      const path = join(blobs, name);
      return { path, size: (await readFile(path)).length };
    }),
  );
  const [layer] = sizes.sort((a, b) => b.size - a.size);
  assert.ok(layer);
  await truncate(layer.path, layer.size - 100);
}

/** `test:damaged`: blobs that were changed on the way; `test:lying`: a config with other diffIDs. */
async function addImages(registry: TestRegistry): Promise<void> {
  const image = await makeImage({ layers: 1 });
  const honest = await makeImage({ layers: 1 });
  registry.add('test', 'damaged', image);
  registry.add('test', 'lying', { ...honest, ...liar(honest, image) });
  for (const { descriptor, bytes } of image.layers) {
    const damaged = Buffer.from(bytes);
    damaged[damaged.length - 9] = ~(damaged.at(-9) ?? 0) & 0xff;
    registry.blobs.set(descriptor.digest, damaged);
  }
  registry.manifests.set(`test@sha256:${'5'.repeat(64)}`, image.manifest);
}

/** An image's own layers under the config of another. */
function liar(image: TestImage, other: TestImage): Pick<TestImage, 'manifest' | 'config'> {
  const text = Buffer.from(image.manifest.bytes).toString();
  const bytes = Buffer.from(
    text
      .replace(hexOf(image.config.descriptor.digest), hexOf(other.config.descriptor.digest))
      .replace(`"size":${image.config.descriptor.size}`, `"size":${other.config.descriptor.size}`),
  );
  const descriptor = { ...image.manifest.descriptor, digest: digestOf(bytes), size: bytes.length };
  return { manifest: { descriptor, bytes }, config: other.config };
}
