import assert from 'node:assert/strict';
import { hasCode } from '../../src/errors.ts';
import { parsePlatform } from '../../src/oci/platform.ts';
import { AMD64, ARM64, configOf, historyOf, PATH, plan, runOf } from './support.ts';

describe('ARG and ENV', () => {
  const cases = [
    {
      it: 'a global ARG reaches a stage that declares it without a default (ARG-2)',
      text: 'ARG A=1\nFROM scratch\nARG A\nRUN x',
      env: ['A=1'],
    },
    {
      it: 'a global ARG is not seen in a stage that does not declare it (ARG-2)',
      text: 'ARG A=1\nFROM scratch\nRUN x',
      env: [],
    },
    {
      it: "a stage's default goes before a global one (ARG-2)",
      text: 'ARG A=1\nFROM scratch\nARG A=2\nRUN x',
      env: ['A=2'],
    },
    {
      it: 'a build argument goes before defaults, and is not expanded (ARG-2)',
      text: 'ARG A=1\nFROM scratch\nARG A=2 B\nRUN x',
      buildArgs: { A: '$B', B: '' },
      env: ['A=$B', 'B='],
    },
    {
      it: 'an ARG without a value sets no variable (ARG-1)',
      text: 'FROM scratch\nARG A\nRUN x',
      env: [],
    },
    {
      it: "a default sees the stage's environment (ARG-1)",
      text: 'FROM scratch\nENV E=env\nARG A="$E ${NONE:-x}"\nRUN x',
      env: ['E=env', 'A=env x'],
    },
    {
      it: 'a global value is not expanded again (ARG-2)',
      text: "ARG A='$PATH'\nFROM scratch\nARG A\nRUN x",
      env: ['A=$PATH'],
    },
    {
      it: 'an ARG is not seen before its line, nor in other stages that copy from its own (ARG-3)',
      text: 'FROM scratch AS a\nARG A=1\nFROM scratch\nCOPY --from=a /$A /\nRUN x',
      env: [],
    },
    {
      it: 'one ARG sees the ARGs to its left (VAR-10)',
      text: 'FROM scratch\nARG a=1 b=$a\nRUN x',
      env: ['a=1', 'b=1'],
    },
    {
      it: 'one ENV sees what was before it (VAR-10)',
      text: 'FROM scratch\nENV a=1\nENV a=2 b=$a\nRUN x',
      env: ['a=2', 'b=1'],
    },
    {
      it: 'the later of ENV and ARG wins (VAR-11)',
      text: 'FROM scratch\nENV X=1\nARG X=2\nRUN x',
      env: ['X=2'],
    },
    {
      it: 'ENV names are expanded (VAR-7)',
      text: 'FROM scratch\nARG N=name\nENV $N=1\nRUN x',
      env: ['N=name', 'name=1'],
    },
    {
      it: 'a global ARG sees platforms and global ARGs above it (ARG-5)',
      text: 'ARG A=$TARGETARCH\nARG B=${A}-b\nFROM scratch\nARG B\nRUN x',
      env: ['B=amd64-b'],
    },
    {
      it: 'SBOM arguments are declared, not exported (ARG-10)',
      text: 'FROM scratch\nARG BUILDKIT_SBOM_SCAN_STAGE=true\nRUN x',
      env: [],
    },
  ];
  for (const { it: name, text, buildArgs = {}, env } of cases) {
    it(name, async () => {
      const run = await runOf(text, { buildArgs });
      assert.deepEqual(run.env, [PATH, ...env]);
    });
  }

  it('ARG is not in the config (VAR-12)', async () => {
    const { Env: env } = await configOf('FROM scratch\nENV X=1\nARG X=2 Y=3');
    assert.deepEqual(env, [PATH, 'X=1']);
  });

  it('ENV is replaced in place (ENV-3)', async () => {
    const { Env: env } = await configOf('FROM scratch\nENV A=1 B=2\nENV A=3 PATH=/p:$PATH');
    assert.deepEqual(env, [PATH.replace('=', '=/p:'), 'A=3', 'B=2']);
  });

  it('FROM sees global ARGs and build arguments, not those of stages (VAR-8)', async () => {
    const text = 'ARG IMAGE=a\nFROM ${IMAGE}:1\nARG IMAGE=b\nENV IMAGE=c\nFROM $IMAGE:2';
    const { target } = await plan(text);
    assert.ok(target.base.kind === 'image');
    assert.equal(target.base.reference, 'docker.io/library/a:2');
    const { target: other } = await plan(text, { buildArgs: { IMAGE: 'z' } });
    assert.ok(other.base.kind === 'image');
    assert.equal(other.base.reference, 'docker.io/library/z:2');
  });

  it('predefines platforms and the target stage (ARG-5, ARG-6)', async () => {
    const names = [
      'BUILDPLATFORM BUILDOS BUILDOSVERSION BUILDARCH BUILDVARIANT',
      'TARGETPLATFORM TARGETOS TARGETOSVERSION TARGETARCH TARGETVARIANT TARGETSTAGE',
    ].join(' ');
    const run = await runOf(`FROM scratch AS Final\nARG ${names}\nRUN x`, {
      platform: { os: 'linux', architecture: 'arm', variant: 'v7' },
      buildPlatform: AMD64,
      buildArgs: { TARGETOS: 'plan9' },
    });
    assert.deepEqual(run.env.slice(1), [
      'BUILDPLATFORM=linux/amd64',
      'BUILDOS=linux',
      'BUILDOSVERSION=',
      'BUILDARCH=amd64',
      'BUILDVARIANT=',
      'TARGETPLATFORM=linux/arm/v7',
      'TARGETOS=plan9',
      'TARGETOSVERSION=',
      'TARGETARCH=arm',
      'TARGETVARIANT=v7',
      'TARGETSTAGE=final',
    ]);
  });

  it('calls an unnamed target "default" (ARG-5)', async () => {
    const run = await runOf('FROM scratch\nARG TARGETSTAGE\nRUN x', { platform: ARM64 });
    assert.deepEqual(run.env.slice(1), ['TARGETSTAGE=default']);
  });

  it('calls a target that was asked for as it was asked for (ARG-5)', async () => {
    const text = 'FROM scratch AS Final\nARG TARGETSTAGE\nRUN x\nFROM scratch';
    const run = await runOf(text, { target: 'FINAL' });
    assert.deepEqual(run.env.slice(1), ['TARGETSTAGE=FINAL']);
  });

  it("has the system's version in TARGETPLATFORM, not in BUILDPLATFORM (ARG-5)", async () => {
    const version = { 'os.version': '10.0.17763' };
    const run = await runOf(
      'FROM scratch\nARG BUILDPLATFORM TARGETPLATFORM TARGETOSVERSION TARGETARCH\nRUN x',
      {
        platform: { os: 'windows', architecture: 'amd64', ...version },
        buildPlatform: { ...AMD64, ...version },
      },
    );
    assert.deepEqual(run.env.slice(1), [
      'BUILDPLATFORM=linux/amd64',
      'TARGETPLATFORM=windows(10.0.17763)/amd64',
      'TARGETOSVERSION=10.0.17763',
      'TARGETARCH=amd64',
    ]);
  });

  it('does not name the variant that goes without saying (ARG-6)', async () => {
    const platform = parsePlatform('linux/arm64/v8', AMD64);
    const run = await runOf('FROM scratch\nARG TARGETPLATFORM TARGETVARIANT\nRUN x', { platform });
    assert.deepEqual(run.env.slice(1), ['TARGETPLATFORM=linux/arm64', 'TARGETVARIANT=']);
  });

  it('keeps proxies apart, in both spellings with one value (ARG-7)', async () => {
    const run = await runOf('FROM scratch\nRUN x', {
      buildArgs: {
        no_proxy: 'a',
        HTTP_PROXY: 'http://p',
        NO_PROXY: 'b',
        All_Proxy: 'c',
        ftp_proxy: '',
      },
    });
    assert.deepEqual(run.env, [PATH]);
    assert.deepEqual(run.proxyEnv, [
      'HTTP_PROXY=http://p',
      'http_proxy=http://p',
      'NO_PROXY=a',
      'no_proxy=a',
      'ALL_PROXY=c',
      'all_proxy=c',
    ]);
    assert.equal(run.history?.created_by, 'RUN /bin/sh -c x # buildkit');
  });

  it('takes a proxy that is declared for an ARG like any other (ARG-7)', async () => {
    const run = await runOf('FROM scratch\nARG https_proxy\nRUN x', {
      buildArgs: { https_proxy: 'http://p' },
    });
    assert.deepEqual(run.env, [PATH, 'https_proxy=http://p']);
    assert.deepEqual(run.proxyEnv, ['HTTPS_PROXY=http://p', 'https_proxy=http://p']);
    assert.equal(run.history?.created_by, 'RUN |1 https_proxy=http://p /bin/sh -c x # buildkit');
  });

  it('gives RUNs the name of the machine that was asked for (ARG-8)', async () => {
    const buildArgs = { BUILDKIT_SANDBOX_HOSTNAME: 'mine' };
    assert.equal((await runOf('FROM scratch\nRUN x', { buildArgs })).hostname, 'mine');
    assert.equal((await runOf('FROM scratch\nRUN x')).hostname, undefined);
  });

  it('takes the names that steer BuildKit without a word, and keeps them from RUN (ARG-8)', async () => {
    const names = [
      'BUILD_NAME CACHE_MOUNT_NS CONTEXT_KEEP_GIT_DIR INLINE_CACHE MULTI_PLATFORM',
      'SANDBOX_HOSTNAME DOCKERFILE_CHECK SBOM_SCAN_CONTEXT SBOM_SCAN_STAGE',
    ].flatMap((line) => line.split(' ').map((name) => `BUILDKIT_${name}`));
    const buildArgs = Object.fromEntries(names.map((name) => [name, '1']));
    const { target, unusedBuildArgs } = await plan('FROM scratch\nRUN x', { buildArgs });
    assert.deepEqual(unusedBuildArgs, []);
    const [run] = target.steps;
    assert.deepEqual(run?.kind === 'run' && run.env, [PATH]);
    assert.equal(run?.history?.created_by, 'RUN /bin/sh -c x # buildkit');
  });

  it('names the build arguments that nothing uses (ARG-4)', async () => {
    const { unusedBuildArgs } = await plan('ARG A\nFROM scratch AS x\nARG B\nFROM scratch', {
      buildArgs: {
        A: '1',
        B: '1',
        C: '1',
        http_proxy: '1',
        BUILDKIT_INLINE_CACHE: '1',
        SOURCE_DATE_EPOCH: '1',
        TARGETOS: 'linux',
      },
    });
    assert.deepEqual(unusedBuildArgs, ['C']);
  });

  it('records effective values once, in order of declaration (HIST-2, ARG-11)', async () => {
    const text = 'FROM scratch\nARG A=1 B\nARG C=3\nENV A=9\nARG B=2\nRUN x';
    assert.deepEqual(await historyOf(text), [
      'ARG A=1 B',
      'ARG C=3',
      'ENV A=9',
      'ARG B=2',
      'RUN |3 A=9 B=2 C=3 /bin/sh -c x # buildkit',
    ]);
  });

  it('rejects a blank name that only expansion shows (ENV-1)', async () => {
    await assert.rejects(plan('FROM scratch\nENV $NONE=1'), (error) => {
      assert.ok(hasCode(error, 'ERR_INSTRUCTION_INVALID'));
      assert.equal(error.location?.range.start.line, 2);
      return true;
    });
  });

  it('locates a bad substitution (VAR-3)', async () => {
    await assert.rejects(plan('FROM scratch\nLABEL a=${x:?missing}'), (error) => {
      assert.ok(hasCode(error, 'ERR_VARIABLE'));
      assert.equal(error.location?.range.start.line, 2);
      return true;
    });
  });
});

describe('SOURCE_DATE_EPOCH', () => {
  const values = [
    { text: 'ARG SOURCE_DATE_EPOCH=7', value: undefined, env: ['SOURCE_DATE_EPOCH=7'] },
    { text: 'ARG SOURCE_DATE_EPOCH=7', value: '8', env: ['SOURCE_DATE_EPOCH=8'] },
    { text: 'ARG SOURCE_DATE_EPOCH=7', value: '', env: [] },
    { text: 'ARG SOURCE_DATE_EPOCH=context', value: undefined, env: [] },
    { text: 'ARG SOURCE_DATE_EPOCH=', value: undefined, env: ['SOURCE_DATE_EPOCH='] },
  ];
  for (const { text, value, env } of values) {
    it(`is ${env[0] ?? 'not set'} in a stage that declares it, for ${text} and ${value ?? 'no'} build argument (ARG-9)`, async () => {
      const run = await runOf(`${text}\nFROM scratch\nARG SOURCE_DATE_EPOCH\nRUN x`, {
        ...(value !== undefined && { buildArgs: { SOURCE_DATE_EPOCH: value } }),
      });
      assert.deepEqual(run.env, [PATH, ...env]);
    });
  }

  const cases = [
    { text: 'FROM scratch', value: '12', seconds: 12 },
    { text: 'ARG SOURCE_DATE_EPOCH=7\nFROM scratch', value: undefined, seconds: 7 },
    { text: 'ARG SOURCE_DATE_EPOCH=7\nFROM scratch', value: '8', seconds: 8 },
    { text: 'FROM scratch', value: '', seconds: undefined },
    { text: 'FROM scratch', value: 'context', seconds: undefined },
  ];
  for (const { text, value, seconds } of cases) {
    it(`is ${seconds} for ${value ?? 'a default'} (ARG-9)`, async () => {
      const buildArgs = value === undefined ? undefined : { SOURCE_DATE_EPOCH: value };
      const { sourceDateEpoch } = await plan(text, { ...(buildArgs && { buildArgs }) });
      assert.equal(sourceDateEpoch, seconds);
    });
  }

  it('is the time of a context that has one for "context", also as a default (ARG-9)', async () => {
    const contextEpoch = 99;
    const given = await plan('FROM scratch', {
      contextEpoch,
      buildArgs: { SOURCE_DATE_EPOCH: 'context' },
    });
    const written = await plan('ARG SOURCE_DATE_EPOCH=context\nFROM scratch', { contextEpoch });
    assert.deepEqual([given.sourceDateEpoch, written.sourceDateEpoch], [99, 99]);
    assert.equal((await plan('FROM scratch', { contextEpoch })).sourceDateEpoch, undefined);
  });

  const named: readonly (readonly [why: string, text: string, isNamed: boolean])[] = [
    ['a stage that is one download', 'FROM scratch AS x\nADD https://a/b /\nFROM scratch', true],
    [
      'a stage that is one repository',
      'FROM scratch AS X\nADD https://a/b.git /\nFROM scratch',
      true,
    ],
    [
      'a stage that does more',
      'FROM scratch AS x\nADD https://a/b /\nENV A=1\nFROM scratch',
      false,
    ],
    ['a stage of files', 'FROM scratch AS x\nADD a /\nFROM scratch', false],
    ['a stage on an image', 'FROM busybox AS x\nADD https://a/b /\nFROM scratch', false],
  ];
  for (const [why, text, isNamed] of named) {
    it(`is ${isNamed ? 'the time of' : 'not the name of'} ${why} (ARG-9)`, async () => {
      const planned = plan(text, { buildArgs: { SOURCE_DATE_EPOCH: 'x' }, namedEpoch: 5 });
      if (isNamed) assert.equal((await planned).sourceDateEpoch, 5);
      else await assert.rejects(planned, (error) => hasCode(error, 'ERR_USAGE'));
    });
  }

  for (const value of ['today', '1.5', '253402300800', '-62135596801']) {
    it(`rejects ${value}, which is no time that an image can have (ARG-9)`, async () => {
      await assert.rejects(
        plan('FROM scratch', { buildArgs: { SOURCE_DATE_EPOCH: value } }),
        (error) =>
          hasCode(error, 'ERR_USAGE') && error.message.endsWith(`SOURCE_DATE_EPOCH: ${value}`),
      );
    });
  }
});
