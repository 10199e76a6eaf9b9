import assert from 'node:assert/strict';
import { hasCode, TsbuildError } from '../../src/errors.ts';
import type { BaseImage, NamedContext } from '../../src/plan/options.ts';
import { ARM64, configOf, copyOf, image, PATH, plan, runOf } from './support.ts';

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
        WorkingDir: '/srv',
        Labels: { a: 'b' },
        Healthcheck: { Test: ['NONE'] },
      },
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

describe('planBuild(): images', () => {
  it('asks for all images at once, and once for each', async () => {
    let open = 0;
    let most = 0;
    let count = 0;
    await plan(
      'FROM a AS x\nFROM b AS y\nFROM a\nCOPY --from=x / /\nCOPY --from=y / /\nCOPY --from=c / /',
      {
        resolveImage: async () => {
          count += 1;
          open += 1;
          most = Math.max(most, open);
          await new Promise((resolve) => setImmediate(resolve));
          open -= 1;
          return image();
        },
      },
    );
    assert.equal(count, 3);
    assert.equal(most, 3);
  });

  it('hints at a stage when its misspelt name leads to no registry', async () => {
    const building = plan('FROM scratch AS tools\nFROM scratch\nCOPY --from=toolz / /', {
      resolveImage: async () => {
        throw new TsbuildError('ERR_REGISTRY_UNREACHABLE', {
          message: 'Cannot reach it',
          details: { registry: 'docker.io' },
        });
      },
    });
    await assert.rejects(building, { hint: 'Did you mean the stage "tools"?' });
  });

  it('locates a failure at its FROM, hints at a stage, and waits for the others', async () => {
    let isOther = false;
    const building = plan('FROM scratch AS tools\nFROM toolz\nCOPY --from=other / /', {
      resolveImage: async (reference) => {
        if (reference.includes('other')) {
          await new Promise((resolve) => setTimeout(resolve, 20));
          isOther = true;
        }
        throw new TsbuildError('ERR_IMAGE_NOT_FOUND', {
          message: `Cannot pull "${reference}"`,
          details: { reference },
        });
      },
    });
    await assert.rejects(building, (error) => {
      assert.ok(hasCode(error, 'ERR_IMAGE_NOT_FOUND'));
      assert.equal(error.location?.range.start.line, 2);
      assert.match(error.hint ?? '', /stage "tools"/);
      return true;
    });
    assert.ok(isOther);
  });
});

describe('planBuild(): named contexts', () => {
  const directory: NamedContext<BaseImage> = { kind: 'directory' };
  const other = (config: Record<string, unknown>): NamedContext<BaseImage> => ({
    kind: 'image',
    reference: 'oci-layout://other',
    resolve: async () => image(config),
  });
  const refuse = async (): Promise<BaseImage> => {
    throw new Error('asked a registry');
  };

  it('copies from a directory (FROM-9)', async () => {
    const { origin } = await copyOf('FROM scratch\nCOPY --from=assets /x /', {
      namedContexts: new Map([['assets', directory]]),
      resolveImage: refuse,
    });
    assert.deepEqual(origin, { kind: 'named-context', name: 'assets' });
  });

  it('takes the place of an image, its name normalised (CTX-6)', async () => {
    const { target } = await plan('FROM docker.io/library/alpine:latest', {
      namedContexts: new Map([['alpine', other({ User: 'u' })]]),
      resolveImage: refuse,
    });
    assert.equal(target.config.config.User, 'u');
    assert.ok(target.base.kind === 'image');
    assert.equal(target.base.reference, 'oci-layout://other');
  });

  it('takes the place of a stage, whose instructions are then not planned (FROM-9)', async () => {
    const { target } = await plan('FROM debian AS build\nRUN make\nFROM build\nUSER x', {
      namedContexts: new Map([['build', other({ StopSignal: 'TERM' })]]),
      resolveImage: refuse,
    });
    assert.equal(target.config.config.StopSignal, 'TERM');
    assert.ok(target.base.kind === 'stage');
    assert.deepEqual(target.base.stage.steps, []);
  });

  it('takes the place of a stage with a directory (FROM-9)', async () => {
    const { origin } = await copyOf('FROM debian AS build\nFROM scratch\nCOPY --from=0 /x /', {
      namedContexts: new Map([['build', directory]]),
      resolveImage: refuse,
    });
    assert.deepEqual(origin, { kind: 'named-context', name: 'build' });
  });

  it('refuses a directory as a base', async () => {
    await assert.rejects(
      plan('FROM base', { namedContexts: new Map([['base', directory]]) }),
      (error) => hasCode(error, 'ERR_UNSUPPORTED') && error.location !== undefined,
    );
  });

  it('never takes the place of scratch (FROM-9)', async () => {
    const { target } = await plan('FROM scratch', {
      namedContexts: new Map([['scratch', directory]]),
    });
    assert.equal(target.base.kind, 'scratch');
  });
});

describe('planBuild(): # syntax', () => {
  const accepted = [
    'docker/dockerfile:1',
    'docker/dockerfile:1.7-labs',
    'docker.io/docker/dockerfile',
    'docker/dockerfile-upstream:master',
    'mirror.example/docker/dockerfile:1',
    'dockerfile.v0',
  ];
  for (const frontend of accepted) {
    it(`takes ${frontend} for the built-in grammar (DIR-6)`, async () => {
      await plan(`# syntax=${frontend}\nFROM scratch`);
    });
  }

  it('refuses another frontend at its line (DIR-6)', async () => {
    await assert.rejects(plan('# syntax=example/other:1\nFROM scratch'), (error) => {
      assert.ok(hasCode(error, 'ERR_UNSUPPORTED'));
      assert.equal(error.location?.range.start.line, 1);
      return true;
    });
  });

  it('goes by BUILDKIT_SYNTAX first (DIR-5)', async () => {
    const buildArgs = { BUILDKIT_SYNTAX: 'docker/dockerfile:1' };
    await plan('# syntax=example/other:1\nFROM scratch', { buildArgs });
    await assert.rejects(
      plan('FROM scratch', { buildArgs: { BUILDKIT_SYNTAX: 'example/other' } }),
      (error) => hasCode(error, 'ERR_UNSUPPORTED'),
    );
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
