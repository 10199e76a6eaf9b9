import assert from 'node:assert/strict';
import { hasCode, TsbuildError } from '../../src/errors.ts';
import { formatAll, type Platform, parsePlatform } from '../../src/oci/platform.ts';
import type { BaseImage } from '../../src/plan/options.ts';
import { AMD64, ARM64, configOf, copyOf, image, PATH, plan, runOf } from './support.ts';

describe('planBuild(): stages', () => {
  it('plans only what the target needs, in file order (FROM-8)', async () => {
    const asked: string[] = [];
    const { stages, target } = await plan(
      [
        'FROM debian:12 AS build',
        'FROM unused AS other',
        'FROM golang AS tools',
        'FROM build',
        'COPY --from=tools /go /go',
        'RUN --mount=from=busybox,target=/b true',
      ].join('\n'),
      {
        resolveImage: async (reference) => {
          asked.push(reference);
          return image();
        },
      },
    );
    assert.deepEqual(
      stages.map(({ index }) => index),
      [0, 2, 3],
    );
    assert.equal(stages.at(-1), target);
    assert.deepEqual(asked.sort(), [
      'docker.io/library/busybox:latest',
      'docker.io/library/debian:12',
      'docker.io/library/golang:latest',
    ]);
  });

  it('finds the target by name in any case, and by index (FROM-4)', async () => {
    const text = 'FROM scratch AS a\nFROM scratch AS B\nFROM scratch';
    assert.equal((await plan(text, { target: 'b' })).target.index, 1);
    assert.equal((await plan(text, { target: 'A' })).target.index, 0);
    assert.equal((await plan(text, { target: '2' })).target.index, 2);
    assert.equal((await plan(text)).target.index, 2);
  });

  it('suggests a name for an unknown target (FROM-3)', async () => {
    await assert.rejects(plan('FROM scratch AS build', { target: 'biuld' }), (error) => {
      assert.ok(hasCode(error, 'ERR_STAGE_UNKNOWN'));
      assert.match(error.message, /target stage "biuld" could not be found/);
      assert.match(error.hint ?? '', /"build"/);
      return true;
    });
  });

  it('takes the last of two stages with one name for --from, the one before for FROM (FROM-2)', async () => {
    const text = 'FROM scratch AS a\nFROM a AS a\nFROM scratch\nCOPY --from=A /x /';
    const { origin } = await copyOf(text);
    assert.ok(origin.kind === 'stage');
    assert.equal(origin.stage.index, 1);
    assert.ok(origin.stage.base.kind === 'stage');
    assert.equal(origin.stage.base.stage.index, 0);
  });

  it('takes --from by index (FROM-4)', async () => {
    const { origin } = await copyOf('FROM scratch\nFROM scratch\nCOPY --from=0 /x /');
    assert.ok(origin.kind === 'stage');
    assert.equal(origin.stage.index, 0);
  });

  const failures = [
    {
      it: 'rejects an index out of range (FROM-4)',
      text: 'FROM scratch\nCOPY --from=7 /x /',
      code: 'ERR_STAGE_UNKNOWN',
      message: /invalid stage index 7/,
      line: 2,
    },
    {
      it: 'rejects a later stage (FROM-8)',
      text: 'FROM scratch AS a\nCOPY --from=b /x /\nFROM a AS b',
      code: 'ERR_STAGE_CYCLE',
      message: /cannot copy from stage "b", it needs to be defined before current stage "a"/,
      line: 2,
    },
    {
      it: 'rejects a later stage for a mount (RUN-15)',
      text: 'FROM scratch AS a\nRUN --mount=from=b,target=/m x\nFROM a AS b',
      code: 'ERR_STAGE_CYCLE',
      message: /cannot mount from stage "b" to "\/m", stage needs to be defined before/,
      line: 2,
    },
    {
      it: 'rejects a circle (FROM-8)',
      text: 'FROM scratch AS a\nCOPY --from=b /x /\nFROM scratch AS b\nCOPY --from=a /x /',
      code: 'ERR_STAGE_CYCLE',
      message: /circular dependency detected on stage: a/,
      line: 4,
    },
    {
      it: 'rejects a stage that copies from itself, needed or not (FROM-8)',
      text: 'FROM scratch AS a\nCOPY --from=a /x /\nFROM scratch',
      code: 'ERR_STAGE_CYCLE',
      message: /circular dependency detected on stage: a/,
      line: 2,
    },
    {
      it: 'rejects a blank base (FROM-6)',
      text: 'ARG VERSION=1\nFROM $VERSIO',
      code: 'ERR_INSTRUCTION_INVALID',
      message: /base name \(\$VERSIO\) should not be blank/,
      line: 2,
    },
    {
      it: 'rejects an empty platform (FROM-7)',
      text: 'FROM --platform=$P scratch',
      code: 'ERR_INSTRUCTION_INVALID',
      message: /empty platform value from expression \$P/,
      line: 1,
    },
    {
      it: 'rejects a platform that is none (FROM-7)',
      text: 'FROM --platform=a/b/c/d scratch',
      code: 'ERR_PLATFORM_INVALID',
      message: /a\/b\/c\/d/,
      line: 1,
    },
    {
      it: 'compares the name in FROM as written (FROM-3)',
      text: 'FROM scratch AS build\nFROM Build',
      code: 'ERR_REFERENCE_INVALID',
      message: /"Build"/,
      line: 2,
    },
    {
      it: 'rejects files of scratch',
      text: 'FROM scratch\nCOPY --from=scratch /x /',
      code: 'ERR_INSTRUCTION_INVALID',
      message: /scratch/,
      line: 2,
    },
  ] as const;
  for (const each of failures) {
    it(each.it, async () => {
      await assert.rejects(plan(each.text), (error) => {
        assert.ok(hasCode(error, each.code), String(error));
        assert.match(error.message, each.message);
        assert.equal(error.location?.range.start.line, each.line);
        return true;
      });
    });
  }

  const hints = [
    { text: 'ARG VERSION=1\nFROM $VERSIO', hint: /Did you mean "VERSION"/ },
    { text: 'ARG V\nFROM debian:$V', hint: /--build-arg V=/ },
    { text: 'FROM scratch AS a\nARG V=1\nFROM $V', hint: /Declare "ARG V" there/ },
  ];
  for (const { text, hint } of hints) {
    it(`says what ${JSON.stringify(text)} lacks (FROM-6)`, async () => {
      await assert.rejects(plan(text), (error) => {
        assert.ok(error instanceof TsbuildError);
        assert.match(error.hint ?? '', hint);
        return true;
      });
    });
  }

  it('starts from scratch with a PATH and a working directory (FROM-5, CFG-4)', async () => {
    const { target } = await plan('FROM scratch', { platform: ARM64 });
    assert.deepEqual(target.config, { ...ARM64, config: { Env: [PATH], WorkingDir: '/' } });
    assert.deepEqual(target.base, { kind: 'scratch' });
    assert.equal(target.fromName, undefined);
  });

  it('inherits an image config, and appends a missing PATH (FROM-10, CFG-1)', async () => {
    const config = {
      Env: ['A=1'],
      Cmd: ['sh'],
      User: 'app',
      WorkingDir: '/srv/',
      Labels: { a: 'b' },
      Healthcheck: { Test: ['NONE'] },
      Hostname: 'dropped',
    };
    assert.deepEqual(
      await configOf('FROM base', { images: { 'docker.io/library/base:latest': config } }),
      {
        Env: ['A=1', PATH],
        Cmd: ['sh'],
        User: 'app',
        WorkingDir: '/srv/',
        Labels: { a: 'b' },
        Healthcheck: { Test: ['NONE'] },
      },
    );
  });

  it('inherits all that an image says of its containers, and its author (FROM-10)', async () => {
    const container = {
      User: 'u',
      ExposedPorts: { '80/tcp': {} },
      Env: ['PATH=/p'],
      Entrypoint: ['e'],
      Cmd: ['c'],
      ArgsEscaped: true,
      Volumes: { '/v': {} },
      WorkingDir: '/w',
      Labels: { a: 'b' },
      StopSignal: 'SIGINT',
      Healthcheck: { Test: ['NONE'] },
      Shell: ['s'],
    };
    const { config } = image(container);
    const resolveImage = async (): Promise<BaseImage> => ({
      config: { ...config, author: 'me', created: '2001-01-01T00:00:00Z', 'os.features': ['x'] },
    });
    assert.deepEqual((await plan('FROM a', { resolveImage })).target.config, {
      ...AMD64,
      'os.features': ['x'],
      author: 'me',
      config: container,
    });
  });

  it('leaves out of the config what is empty (CFG-1)', async () => {
    const images = {
      'docker.io/library/a:latest': { User: '', Cmd: [], Labels: {}, ArgsEscaped: false },
    };
    assert.deepEqual(await configOf('FROM a', { images }), { Env: [PATH] });
  });

  it('gives a Windows image no PATH, and its own shell (FROM-11)', async () => {
    const windows = { os: 'windows', architecture: 'amd64' };
    const { target } = await plan('FROM a\nCMD dir', {
      platform: windows,
      resolveImage: async (_, platform) => image({}, platform),
    });
    assert.deepEqual(target.config.config, {
      Cmd: ['cmd', '/S', '/C', 'dir'],
      ArgsEscaped: true,
    });
  });

  it('plans the same for a stage of the machine, whatever platform is built (FROM-13)', async () => {
    const text =
      'FROM --platform=$BUILDPLATFORM tool AS tool\nRUN make\nFROM base\nCOPY --from=tool /x /\nRUN true';
    const resolveImage = async (_: string, platform: Platform): Promise<BaseImage> =>
      image({}, platform);
    const [one, two] = await Promise.all(
      [AMD64, ARM64].map((platform) => plan(text, { platform, resolveImage })),
    );
    assert.deepEqual(one?.stages[0], two?.stages[0]);
    assert.deepEqual(
      [one?.stages[1]?.platform, two?.stages[1]?.platform].map((each) => each?.architecture),
      ['amd64', 'arm64'],
    );
  });

  it('has no FROM in the history, and instructions with a keyword (HIST-7, HIST-1)', async () => {
    const text = 'FROM a AS b\nRUN x\nFROM b\nRUN y';
    const { stages } = await plan(text);
    assert.deepEqual(
      stages.map(({ steps }) => steps.map(({ history }) => history?.created_by)),
      [['RUN /bin/sh -c x # buildkit'], ['RUN /bin/sh -c y # buildkit']],
    );
  });

  it('passes ENV and ARG on to child stages, where ENV wins again (ARG-3, VAR-11)', async () => {
    const text = 'FROM scratch AS a\nENV X=env\nARG X=arg Y=2\nRUN true\nFROM a\nRUN true';
    const child = await runOf(text);
    const parent = await runOf(text, { target: 'a' });
    assert.ok(parent.env.includes('X=arg'));
    assert.ok(child.env.includes('X=env'));
    assert.ok(child.env.includes('Y=2'));
    assert.equal(child.history?.created_by, 'RUN |2 X=env Y=2 /bin/sh -c true # buildkit');
  });

  it('uses the platform of FROM for the image, and of the target for --from (FROM-7)', async () => {
    const asked: string[] = [];
    const { target } = await plan(
      'FROM --platform=$BUILDPLATFORM base\nCOPY --from=tool /x /\nRUN true',
      {
        platform: ARM64,
        resolveImage: async (reference, platform) => {
          asked.push(`${reference} ${platform.architecture}`);
          return image({}, platform);
        },
      },
    );
    assert.deepEqual(asked.sort(), [
      'docker.io/library/base:latest amd64',
      'docker.io/library/tool:latest arm64',
    ]);
    assert.equal(target.platform.architecture, 'amd64');
    assert.equal(target.config.architecture, 'arm64');
  });

  it('keeps the platform of the base when nobody asked for one (FROM-12)', async () => {
    const resolveImage = async (): Promise<BaseImage> => image({}, ARM64);
    const implicit = await plan('FROM a', { resolveImage, isPlatformImplicit: true });
    assert.equal(implicit.target.config.architecture, 'arm64');
    const explicit = await plan('FROM a', { resolveImage });
    assert.equal(explicit.target.config.architecture, 'amd64');
  });

  const platforms: readonly (readonly [string, string, string])[] = [
    ['linux/amd64', 'linux/arm64', 'linux/amd64'],
    ['linux/arm64', 'linux/arm/v7', 'linux/arm64'],
    ['linux/arm/v6', 'linux/arm/v7', 'linux/arm/v6'],
    ['linux/amd64', 'linux/amd64/v2', 'linux/amd64/v2'],
    ['windows/amd64', 'windows(10.0)/amd64', 'windows(10.0)/amd64'],
    ['windows(9.0)/amd64', 'windows(10.0)/amd64', 'windows(9.0)/amd64'],
  ];
  for (const [asked, base, result] of platforms) {
    it(`says ${result} when ${asked} is asked for and the base is for ${base} (FROM-12, CFG-6)`, async () => {
      const { target } = await plan('FROM --platform=$BUILDPLATFORM a', {
        platform: parsePlatform(asked, AMD64),
        resolveImage: async () => image({}, parsePlatform(base, AMD64)),
      });
      assert.equal(formatAll(target.config), result);
    });
  }

  it('normalizes what the base says of its platform (FROM-12)', async () => {
    const { target } = await plan('FROM a', {
      isPlatformImplicit: true,
      resolveImage: async () => image({}, { ...ARM64, variant: 'v8' }),
    });
    assert.deepEqual([target.config.architecture, target.config.variant], ['arm64', undefined]);
  });

  const schemes: readonly (readonly [string, RegExp])[] = [
    ['docker-image://alpine', /--build-context NAME=docker-image:\/\/alpine/],
    ['oci-layout://dir', /--build-context NAME=oci-layout:\/\/dir/],
    ['docker-archive:/x.tar', /no registry host/],
    ['dir:/x', /no registry host/],
  ];
  for (const [reference, hint] of schemes) {
    it(`rejects FROM ${reference} (FROM-15)`, async () => {
      await assert.rejects(plan(`FROM ${reference}`), (error) => {
        assert.ok(hasCode(error, 'ERR_REFERENCE_INVALID'));
        assert.match(error.hint ?? '', hint);
        return true;
      });
    });
  }

  it('does not know the --after of other builders (FROM-14)', async () => {
    await assert.rejects(plan('FROM scratch AS a\nFROM --after=a scratch'), (error) => {
      assert.ok(hasCode(error, 'ERR_INSTRUCTION_INVALID'));
      assert.match(error.message, /unknown flag: --after/);
      return true;
    });
  });

  it('ignores the cache for all stages, or for those named (OPT-1)', async () => {
    const text = 'FROM scratch AS Web\nRUN true';
    assert.equal((await runOf(text)).ignoreCache, false);
    assert.equal((await runOf(text, { noCache: true })).ignoreCache, true);
    assert.equal((await runOf(text, { noCacheFilter: ['web'] })).ignoreCache, true);
    assert.equal((await runOf(text, { noCacheFilter: ['other'] })).ignoreCache, false);
  });

  it('freezes what it answers', async () => {
    const answer = await plan(
      'FROM a AS b\nSHELL ["x"]\nONBUILD RUN x\nENV A=1\nCMD x\nENTRYPOINT ["y"]\nLABEL a=b\nVOLUME /v\nUSER u\nARG B=1\nEXPOSE 80\nHEALTHCHECK CMD x\nRUN --mount=type=cache,target=/c,from=t --mount=target=/b x\nRUN <<S\n#!x\nS\nADD --exclude=z --chmod=1 http://x/y /y\nCOPY --exclude=z --from=t a <<E /\nx\nE\nWORKDIR /w\nFROM b\nCMD ["x"]',
    );
    assertFrozen(answer, 'plan');
  });
});

/** All but the images, which are the caller's, and locations, which are the parser's. */
function assertFrozen(value: unknown, path: string): void {
  if (typeof value !== 'object' || value === null) return;
  assert.ok(Object.isFrozen(value), `${path} is not frozen`);
  for (const [key, member] of Object.entries(value)) {
    if (['image', 'location', 'platform'].includes(key)) continue;
    assertFrozen(member, `${path}.${key}`);
  }
}
