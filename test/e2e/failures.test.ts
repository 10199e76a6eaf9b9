/** Bad input through the real command: one clear error, a distinct exit code, and nothing left behind. */

import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { chmod, cp, mkdir, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { digestOf, hexOf } from '../../src/oci/digest.ts';
import { type Account, openAccount, type Outcome, whyNoAccount } from '../support/accounts.ts';
import { busyboxBase } from '../support/busybox-base.ts';
import { makeImage, type TestImage } from '../support/image.ts';
import { itUnless, missing } from '../support/missing.ts';
import { startRegistry, type TestRegistry } from '../support/registry.ts';

interface FailureCase {
  readonly name: string;
  /** Undefined: there is no Dockerfile. */
  readonly dockerfile?: string;
  readonly files?: Readonly<Record<string, string>>;
  readonly flags?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly exit: number;
  /** The error's line: message and code. */
  readonly error: string;
  /** The line of the file (default: the Dockerfile), if the error has one. */
  readonly line?: number;
  readonly file?: string;
  readonly hint?: string;
}

const USAGE = 2;
const BUILD = 1;
const REGISTRY = 3;
const ENVIRONMENT = 4;

const CASES: readonly FailureCase[] = [
  {
    name: 'a missing Dockerfile',
    exit: USAGE,
    error:
      'Cannot read the Dockerfile "{home}/context/Dockerfile": no such file [ERR_DOCKERFILE_MISSING]',
    hint: 'Name it with -f; its path is relative to the working directory, not to the context.',
  },
  {
    name: 'an unknown instruction',
    dockerfile: 'FROM scratch\n# a comment\nCOPPY a b\n',
    exit: BUILD,
    line: 3,
    error:
      'Cannot parse line 3: unknown instruction: COPPY (did you mean COPY?) [ERR_INSTRUCTION_INVALID]',
  },
  {
    name: 'an unknown flag of an instruction',
    dockerfile: 'FROM scratch\nCOPY --chwon=1 a b\n',
    exit: BUILD,
    line: 2,
    error:
      'Cannot parse line 2: unknown flag: --chwon (did you mean chown?) [ERR_INSTRUCTION_INVALID]',
  },
  {
    name: 'an unknown flag of the command',
    dockerfile: 'FROM scratch\n',
    flags: ['--targt=x'],
    exit: USAGE,
    error: 'Cannot understand the flag "--targt" [ERR_USAGE]',
    hint: 'Did you mean "--target"?',
  },
  {
    name: 'a COPY source that is not there',
    dockerfile: 'FROM base\n\nCOPY one.tx \\\n  two.txt /x/\n',
    files: { 'one.txt': '1', 'two.txt': '2' },
    exit: BUILD,
    line: 3,
    error: 'Cannot copy "one.tx": not found [ERR_SOURCE_MISSING]',
    hint: 'Did you mean "one.txt"?',
  },
  {
    name: 'a COPY source that the other stage does not have',
    dockerfile: 'FROM base AS one\nRUN touch /here\nFROM base\nCOPY --from=one /there /\n',
    exit: BUILD,
    line: 4,
    error: 'Cannot copy "/there": not found [ERR_SOURCE_MISSING]',
  },
  {
    name: 'a stage that is not there, by number',
    dockerfile: 'FROM base AS one\nCOPY --from=3 /there /\n',
    exit: BUILD,
    line: 2,
    error: '[ERR_STAGE_UNKNOWN]',
  },
  {
    name: 'a target that is not there',
    dockerfile: 'FROM base AS build\nRUN true\n',
    flags: ['--target=biuld'],
    exit: USAGE,
    error: 'Cannot build "biuld": target stage "biuld" could not be found [ERR_STAGE_UNKNOWN]',
    hint: 'Did you mean "build"?',
  },
  {
    name: 'a program that is not there',
    dockerfile: 'FROM base\nRUN ["/nope", "x"]\n',
    exit: BUILD,
    line: 2,
    error: 'process "/nope x" did not complete successfully: exit code: 127 [ERR_STEP_FAILED]',
  },
  {
    name: 'a USER that is not there',
    dockerfile: 'FROM base\nUSER nosuch\nRUN id\n',
    exit: BUILD,
    line: 3,
    error: 'unable to find user nosuch: no matching entries in passwd file [ERR_OWNER_UNKNOWN]',
    hint: 'Add it in an earlier RUN, or write its number: only names must be in /etc/passwd.',
  },
  {
    name: 'a secret that was not given',
    dockerfile: 'FROM base\nRUN --mount=type=secret,id=key,required cat /run/secrets/key\n',
    exit: USAGE,
    line: 2,
    error: 'Cannot mount secret key: not found [ERR_SECRET_MISSING]',
    hint: 'Give it with --secret id=key,src=FILE or --secret id=key,env=NAME.',
  },
  {
    name: 'a registry that is not there',
    dockerfile: 'FROM 127.0.0.1:1/some/image:1\nRUN true\n',
    exit: REGISTRY,
    line: 1,
    error: '127.0.0.1:1 is not reachable (ECONNREFUSED) [ERR_REGISTRY_UNREACHABLE]',
    hint: 'Nothing listens there. Check the host and the port.',
  },
  {
    name: 'an image that the registry does not have',
    dockerfile: 'FROM {registry}/some/image:9\nRUN true\n',
    exit: REGISTRY,
    line: 1,
    error: '[ERR_IMAGE_NOT_FOUND]',
  },
  {
    name: 'a registry that answers with another digest',
    dockerfile: `FROM {registry}/test@sha256:${'5'.repeat(64)}\nRUN true\n`,
    exit: REGISTRY,
    line: 1,
    error: '[ERR_DIGEST_MISMATCH]',
  },
  {
    name: 'a registry whose blobs are damaged',
    dockerfile: 'FROM {registry}/test:damaged\nRUN true\n',
    exit: REGISTRY,
    line: 2,
    error: '[ERR_DIGEST_MISMATCH]',
  },
  {
    name: 'a layer that is not what its image says',
    dockerfile: 'FROM {registry}/test:lying\nRUN true\n',
    exit: REGISTRY,
    line: 2,
    error: '[ERR_DIGEST_MISMATCH]',
  },
  {
    name: 'a layer of a layout that was cut off',
    dockerfile: 'FROM damaged\nRUN true\n',
    flags: ['--build-context', 'damaged=oci-layout://{home}/damaged'],
    // The other store has the layer from an image that is whole.
    env: { TSBUILD_STORE: '{home}/.cache/store' },
    exit: REGISTRY,
    line: 2,
    error: '[ERR_DIGEST_MISMATCH]',
  },
  {
    name: 'a missing context',
    flags: ['{home}/nowhere'],
    exit: USAGE,
    error:
      'Cannot read the build context "{home}/nowhere": no such directory [ERR_CONTEXT_MISSING]',
    hint: 'The last argument of tsbuild is a directory; the Dockerfile is named with -f.',
  },
  {
    name: 'no context at all',
    flags: [''],
    exit: USAGE,
    error: 'Cannot build without a context [ERR_USAGE]',
    hint: 'Name the directory with your files, e.g. "tsbuild .".',
  },
  {
    name: 'a bad pattern in .dockerignore',
    dockerfile: 'FROM base\nCOPY . /\n',
    files: { '.dockerignore': 'good\n[z-a]\n' },
    exit: BUILD,
    file: '.dockerignore',
    line: 2,
    error: 'Cannot use the ignore pattern "[z-a]": syntax error in pattern [ERR_IGNORE_PATTERN]',
    hint: 'Write a backslash before a "[" that is part of a name.',
  },
  {
    name: 'a named context without a source',
    dockerfile: 'FROM base\n',
    flags: ['--build-context', 'more'],
    exit: USAGE,
    error: 'Cannot use "more" as a build context [ERR_USAGE]',
    hint: 'Write "--build-context name=directory", or oci-layout://PATH for the directory.',
  },
  {
    name: 'a named context that is no directory',
    dockerfile: 'FROM base\nCOPY --from=more a /\n',
    flags: ['--build-context', 'more={home}/nowhere'],
    exit: USAGE,
    line: 2,
    error:
      'Cannot read the build context "{home}/nowhere": no such directory [ERR_CONTEXT_MISSING]',
  },
  {
    name: 'a named context that is no layout',
    dockerfile: 'FROM more\nRUN true\n',
    flags: ['--build-context', 'more=oci-layout://{home}/context'],
    exit: REGISTRY,
    line: 1,
    error: 'Cannot find the image "oci-layout://{home}/context" [ERR_IMAGE_NOT_FOUND]',
    hint: 'The directory has no index.json, so it is no OCI image layout.',
  },
  {
    name: 'an output of an unknown type',
    dockerfile: 'FROM base\n',
    flags: ['-o', 'type=oic,dest=x'],
    exit: USAGE,
    error: 'unsupported output type: oic [ERR_USAGE]',
    hint: 'Did you mean "oci"?',
  },
  {
    name: 'an output without a place',
    dockerfile: 'FROM base\n',
    flags: ['-o', 'type=oci'],
    exit: USAGE,
    error: 'Cannot use type=oci without a destination [ERR_USAGE]',
    hint: 'Say dest=PATH.',
  },
  {
    name: 'an output that this version does not write',
    dockerfile: 'FROM base\n',
    flags: ['-o', '{home}/files'],
    exit: USAGE,
    error: 'Cannot use the output type "local" [ERR_UNSUPPORTED]',
    hint: 'This version writes type=oci,dest=FILE and type=oci,tar=false,dest=DIRECTORY.',
  },
  {
    name: 'an output where a directory is',
    dockerfile: 'FROM base\nRUN true\n',
    flags: ['-o', 'type=oci,dest={home}/context'],
    exit: ENVIRONMENT,
    error: 'Cannot write the image to "{home}/context" [ERR_OUTPUT_FAILED]',
    hint: 'It is a directory.',
  },
  {
    name: 'an output below a file',
    dockerfile: 'FROM base\nRUN true\n',
    flags: ['-o', 'type=oci,tar=false,dest={home}/context/Dockerfile/x'],
    exit: ENVIRONMENT,
    error: 'Cannot write the image to "{home}/context/Dockerfile/x" [ERR_OUTPUT_FAILED]',
  },
  {
    name: 'a name that no image can have',
    dockerfile: 'FROM base\n',
    flags: ['-t', 'Some/Name'],
    exit: USAGE,
    error: 'Cannot use "Some/Name" as an image name [ERR_REFERENCE_INVALID]',
    hint: 'Repository names are lower case.',
  },
  {
    name: 'a store that cannot be made',
    dockerfile: 'FROM base\nRUN true\n',
    env: { TSBUILD_STORE: '{home}/context/Dockerfile/store' },
    exit: ENVIRONMENT,
    error:
      'Cannot use the store at "{home}/context/Dockerfile/store/v1" (ENOTDIR) [ERR_STORE_UNUSABLE]',
    hint: 'Set TSBUILD_STORE to a directory that you may write to, on a local disk.',
  },
  {
    name: 'a helper that is not there',
    dockerfile: 'FROM base\nRUN : the helper\n',
    env: { TSBUILD_HELPER: '{home}/nowhere' },
    exit: ENVIRONMENT,
    line: 2,
    error: '[ERR_HELPER_MISSING]',
    hint: 'There is no executable file "{home}/nowhere".',
  },
  {
    name: 'a helper that is something else',
    dockerfile: 'FROM base\nRUN : the helper\n',
    env: { TSBUILD_HELPER: '/bin/true' },
    exit: ENVIRONMENT,
    line: 2,
    error: '[ERR_HELPER_FAILED]',
  },
];

const whyNot = whyNoAccount('root') ?? missing('busybox');
const test = itUnless(whyNot);

describe('bad input', function () {
  this.timeout(30_000);

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

  for (const failure of CASES) {
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

  test('reports a failing RUN with its exit code and last output, and leaves nothing', async () => {
    const said = await fail({
      name: 'a failing RUN',
      dockerfile: `FROM base
ENV TSBUILD_TEST_HOME={home}
RUN sleep 300 & touch /lost; seq=0; while [ $seq -lt 40 ]; do seq=$((seq+1)); echo line $seq; done; echo oh no >&2; exit 42
RUN true
`,
      exit: BUILD,
      error: '',
    });
    const last = Array.from({ length: 19 }, (_, i) => `line ${i + 22}\n`).join('');
    assert.match(
      said,
      new RegExp(`^------\n > \\[2/3\\] RUN sleep .*:\n${last}oh no\n------\n`, 'm'),
    );
    assert.match(said, /^Dockerfile:3\n/m);
    assert.match(
      said,
      /^ERROR: process "\/bin\/sh -c sleep .*" did not complete successfully: exit code: 42 \[ERR_STEP_FAILED\]\n$/m,
    );
  });

  test('goes on with the next build as if nothing had been', async () => {
    await writeContext(context, { Dockerfile: 'FROM base\nRUN true\n' });
    const good = await build([context]);
    assert.equal(good.code, 0, good.stderr);
    assert.deepEqual(await listing(account.home), untouched);
  });
});

describe('what an ordinary user may not write', function () {
  this.timeout(30_000);
  const whyNotUser = whyNoAccount('user') ?? missing('busybox');
  const testUser = itUnless(whyNotUser);

  for (const [what, flags, env, message] of [
    ['output', ['-o', 'type=oci,dest={forbidden}/image.tar'], {}, 'Cannot write the image to'],
    ['store', [], { TSBUILD_STORE: '{forbidden}/store' }, 'Cannot use the store at'],
  ] as const) {
    testUser(`is told as an ${what} that cannot be, with exit code 4`, async () => {
      const account = await openAccount('user');
      try {
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
      } finally {
        await account.close();
      }
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
