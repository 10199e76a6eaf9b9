import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from '../../src/cli/args.ts';
import type { Environment } from '../../src/cli/environment.ts';
import { createRequest } from '../../src/cli/request.ts';

const request = (argv: readonly string[], environment: Environment = {}) => {
  const command = parseArgs([...argv, '.']);
  assert.ok(command.kind === 'build');
  return createRequest(command.flags, environment);
};
const options = async (argv: readonly string[], environment: Environment = {}) =>
  (await request(argv, environment)).options;

describe('createRequest()', () => {
  it('leaves out what was not given', async () => {
    const environment = { HOME: '/home/me', XDG_CACHE_HOME: '/cache' };
    const { options } = await request([], environment);
    assert.deepEqual(options, {
      context: '.',
      store: '/cache/tsbuild',
      dockerConfig: '/home/me/.docker',
      environment,
      insecureRegistries: [],
      buildArgs: {},
      labels: {},
      tags: [],
      outputs: [],
      buildContexts: {},
      secrets: {},
      addHosts: [],
      annotations: [],
      attests: [],
      ulimits: [],
      noCache: false,
      noCacheFilter: [],
    });
  });

  it('takes a build argument without a value from the environment, and leaves out what is not there (OPT-1)', async () => {
    const argv = ['--build-arg', 'A=1=2', '--build-arg', 'B', '--build-arg', 'C', '--build-arg=D='];
    assert.deepEqual((await options(argv, { B: 'b' })).buildArgs, { A: '1=2', B: 'b', D: '' });
  });

  it('reads registries for which plain HTTP will do, as kaniko and dockerd name them', async () => {
    const argv = ['--insecure-registry', 'a.example:5000', '--insecure-registry=10.0.0.0/8'];
    assert.deepEqual((await options(argv)).insecureRegistries, ['a.example:5000', '10.0.0.0/8']);
  });

  it('reads sizes as docker does', async () => {
    const sizes = {
      '64m': 67108864,
      '1g': 1073741824,
      '134217728': 134217728,
      '1.5KiB': 1536,
      '2b': 2,
    };
    for (const [text, bytes] of Object.entries(sizes)) {
      assert.equal((await options(['--shm-size', text])).shmSize, bytes);
    }
    await assert.rejects(options(['--shm-size', 'much']), { code: 'ERR_USAGE' });
  });

  it('reads labels, contexts, platform, network and the rest', async () => {
    const given = await options([
      '--label',
      'a=b',
      '--label',
      'c',
      '--build-context',
      'base=oci-layout:///x',
      '-f',
      'Df',
      '--platform',
      'linux/arm64',
      '--network',
      'none',
      '--no-cache-filter',
      'a,b',
      '--jobs=3',
    ]);
    assert.deepEqual(given.labels, { a: 'b', c: '' });
    assert.deepEqual(given.buildContexts, { base: 'oci-layout:///x' });
    assert.equal(given.platform, 'linux/arm64');
    assert.equal(given.network, 'none');
    assert.deepEqual(given.noCacheFilter, ['a', 'b']);
    assert.equal(given.concurrency, 3);
    assert.equal(given.dockerfile, 'Df');
  });

  it('takes the platform from DOCKER_DEFAULT_PLATFORM unless a flag says otherwise (ENVV-1, MP-1)', async () => {
    const environment = { DOCKER_DEFAULT_PLATFORM: 'linux/arm64' };
    assert.equal((await options([], environment)).platform, 'linux/arm64');
    assert.equal((await options(['--platform=linux/amd64'], environment)).platform, 'linux/amd64');
    assert.equal((await options(['--platform=local'], environment)).platform, 'local');
    const several = await options(['--platform=linux/386,local', '--platform', 'arm'], environment);
    assert.equal(several.platform, 'linux/386,local,arm');
    assert.equal((await options([], {})).platform, undefined);
  });

  it('passes SOURCE_DATE_EPOCH of the environment as a build argument, unless there is one (ARG-9)', async () => {
    const environment = { SOURCE_DATE_EPOCH: '10' };
    const epochOf = async (argv: readonly string[], given: Environment = environment) =>
      (await options(argv, given)).buildArgs?.['SOURCE_DATE_EPOCH'];
    assert.equal(await epochOf([]), '10');
    assert.equal(await epochOf([], { SOURCE_DATE_EPOCH: '' }), undefined);
    for (const value of ['20', 'context', '']) {
      assert.equal(await epochOf(['--build-arg', `SOURCE_DATE_EPOCH=${value}`]), value);
    }
  });

  it('shows plain progress unless a flag or BUILDKIT_PROGRESS says otherwise', async () => {
    const kind = async (argv: readonly string[], environment: Environment = {}) =>
      (await request(argv, environment)).progress;
    assert.equal(await kind([]), 'plain');
    assert.equal(await kind(['-q']), 'quiet');
    assert.equal(await kind(['--progress=none']), 'none');
    assert.equal(await kind([], { BUILDKIT_PROGRESS: 'quiet' }), 'quiet');
    assert.equal(await kind(['--progress=plain'], { BUILDKIT_PROGRESS: 'quiet' }), 'plain');
    assert.equal(await kind([], { BUILDKIT_PROGRESS: 'tty' }), 'plain');
    await assert.rejects(kind(['--progress=fancy']), { code: 'ERR_USAGE' });
  });

  const refused: readonly (readonly [string, readonly string[], string])[] = [
    ['--pull=never', ['--pull=never'], 'ERR_UNSUPPORTED'],
    ['an unknown pull policy', ['--pull=perhaps'], 'ERR_USAGE'],
    ['an unknown network', ['--network=mine'], 'ERR_USAGE'],
    ['a context without a name', ['--build-context', '=x'], 'ERR_USAGE'],
    ['no jobs at all', ['--jobs=0'], 'ERR_USAGE'],
  ];
  for (const [what, argv, code] of refused) {
    it(`rejects ${what}`, async () => {
      await assert.rejects(options(argv), { code });
    });
  }

  const given = async (...argv: readonly string[]) => {
    const command = parseArgs(argv);
    assert.ok(command.kind === 'build');
    return (await createRequest(command.flags, {})).options;
  };

  for (const context of ['.', 'https://x.example/y.tar', 'git@x.example:y', 'github.com/x/y']) {
    it(`hands on the context "${context}" as it is (CTX-1)`, async () => {
      assert.equal((await given(context)).context, context);
    });
  }

  it('takes "-" for standard input: the context, or the Dockerfile, not both (CTX-1)', async () => {
    assert.equal((await given('-')).context, process.stdin);
    assert.equal((await given('-f', '-', '.')).dockerfile, process.stdin);
    assert.equal((await given('-f', 'https://x.example/D', '.')).dockerfile, 'https://x.example/D');
    await assert.rejects(given('-f', '-', '-'), { code: 'ERR_USAGE' });
  });

  it('names the ignore file (IGN-9)', async () => {
    assert.equal((await given('--ignorefile', 'x', '.')).ignoreFile, 'x');
    assert.equal((await given('.')).ignoreFile, undefined);
  });
});

describe('--secret (BXS-5)', () => {
  let folder = '';
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'tsbuild-secret-'));
    await writeFile(join(folder, 'token'), 'from the file');
  });
  afterEach(() => rm(folder, { recursive: true }));
  const secret = async (flag: string, environment: Environment = {}) => {
    const { secrets } = await options(['--secret', flag], environment);
    return Object.entries(secrets ?? {}).map(([id, bytes]) => [id, Buffer.from(bytes).toString()]);
  };

  it('reads a file, a variable, or what there is by the name', async () => {
    const file = join(folder, 'token');
    assert.deepEqual(await secret(`id=a,src=${file}`), [['a', 'from the file']]);
    assert.deepEqual(await secret(`type=file,id=a,"source=${file}"`), [['a', 'from the file']]);
    assert.deepEqual(await secret('id=a,env=B', { B: 'b' }), [['a', 'b']]);
    assert.deepEqual(await secret('id=a,type=env', { a: 'x' }), [['a', 'x']]);
    assert.deepEqual(await secret('id=a', { a: 'x' }), [['a', 'x']]);
    assert.deepEqual(await secret(`id=${file}`), [[file, 'from the file']]);
  });

  it('rejects a secret that is not there', async () => {
    const details = { code: 'ERR_SECRET_MISSING', details: { id: 'a' } };
    await assert.rejects(secret(`id=a,src=${folder}/none`), details);
    await assert.rejects(secret('id=a,env=NONE'), details);
  });

  it('rejects what is no secret, and one over 500 KiB (LIM-2, RUN-21)', async () => {
    for (const flag of ['src=x', 'id=a,colour=red', 'id=a,type=magic']) {
      await assert.rejects(secret(flag), { code: 'ERR_USAGE' });
    }
    await assert.rejects(secret('id=a', { a: 'x'.repeat(500 * 1024 + 1) }), { code: 'ERR_USAGE' });
  });
});

describe('--secret', () => {
  it('says whose change counts, and which may be seen (T-54, T-55)', async () => {
    const flags = ['id=a,cache=rotate', 'id=b,guard=off', 'id=c,guard=on'];
    const argv = flags.flatMap((flag) => ['--secret', flag]);
    const given = await options(argv, { a: '1', b: '2', c: '3' });
    assert.deepEqual([given.rotatingSecrets, given.unguardedSecrets], [['a'], ['b']]);
    for (const flag of ['id=a,cache=no', 'id=a,guard=maybe']) {
      await assert.rejects(options(['--secret', flag], { a: '1' }), { code: 'ERR_USAGE' });
    }
  });
});

describe('--ssh', () => {
  it('names the agent of the environment, another, or keys, by id (RUN-22)', async () => {
    const flags = ['default', 'other', 'socket=/run/agent', 'keys=a,b', '=/run/agent'];
    const read = async (flag: string) =>
      (await options(['--ssh', flag], { SSH_AUTH_SOCK: '/s' })).ssh;
    assert.deepEqual(await Promise.all(flags.map(read)), [
      { default: ['/s'] },
      { other: ['/s'] },
      { socket: ['/run/agent'] },
      { keys: ['a', 'b'] },
      { default: ['/run/agent'] },
    ]);
  });

  it('rejects the agent of the environment when there is none', async () => {
    await assert.rejects(options(['--ssh', 'default']), {
      code: 'ERR_SSH_MISSING',
      details: { id: 'default' },
    });
  });
});
