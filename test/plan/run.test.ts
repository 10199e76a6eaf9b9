import assert from 'node:assert/strict';
import { hasCode } from '../../src/errors.ts';
import { platformLabel } from '../../src/plan/step-names.ts';
import { AMD64, ARM64, image, plan, runOf, stepsOf } from './support.ts';

describe('RUN', () => {
  const commands = [
    { text: 'RUN a && b', argv: ['/bin/sh', '-c', 'a && b'], ids: 'FORM-8' },
    { text: 'RUN ["a", "$B"]', argv: ['a', '$B'], ids: 'FORM-7, VAR-9' },
    { text: 'SHELL ["bash", "-ec"]\nRUN a', argv: ['bash', '-ec', 'a'], ids: 'CMD-4' },
    { text: 'ENV A=1\nRUN echo $A', argv: ['/bin/sh', '-c', 'echo $A'], ids: 'VAR-9' },
    { text: 'RUN <<EOF\na $B\nb\nEOF', argv: ['/bin/sh', '-c', 'a $B\nb\n'], ids: 'HD-4, HD-6' },
    { text: 'RUN <<-"E"\n\ta\nE', argv: ['/bin/sh', '-c', 'a\n'], ids: 'HD-2, HD-4' },
    {
      text: 'RUN cat <<A - <<B\n1\nA\n2\nB',
      argv: ['/bin/sh', '-c', 'cat <<A - <<B\n1\nA\n2\nB'],
      ids: 'HD-5',
    },
    {
      text: 'RUN <<A <<B\n1\nA\n2\nB',
      argv: ['/bin/sh', '-c', '<<A <<B\n1\nA\n2\nB'],
      ids: 'HD-5',
    },
  ];
  for (const { text, argv, ids } of commands) {
    it(`${JSON.stringify(text)} (${ids})`, async () => {
      const run = await runOf(`FROM scratch\n${text}`);
      assert.deepEqual(run.argv, argv);
      assert.equal(run.script, undefined);
      assert.equal(run.history?.created_by, `RUN ${argv.join(' ')} # buildkit`);
    });
  }

  it('mounts a script that names its interpreter, and has the shell start it (HD-4)', async () => {
    const run = await runOf('FROM scratch\nRUN <<PY\n#!/usr/bin/env python3\nprint(1)\nPY');
    assert.deepEqual(run.argv, ['/bin/sh', '-c', '/dev/pipes/PY']);
    assert.deepEqual(run.script, {
      path: '/dev/pipes/PY',
      content: '#!/usr/bin/env python3\nprint(1)\n',
    });
  });

  it('runs as the user, where WORKDIR says (RUN-4)', async () => {
    const run = await runOf('FROM scratch\nUSER 1:2\nWORKDIR /a\nWORKDIR b\nRUN x');
    assert.deepEqual([run.user, run.cwd], ['1:2', '/a/b']);
  });

  it('takes the network of the build unless it says otherwise (RUN-2)', async () => {
    const allow = new Set(['network.host']);
    const networkOf = async (flag: string): Promise<string> =>
      (await runOf(`FROM scratch\nRUN ${flag} x`, { network: 'none', allow })).network;
    assert.equal(await networkOf(''), 'none');
    assert.equal(await networkOf('--network=default'), 'none');
    assert.equal(await networkOf('--network=host'), 'host');
  });

  it('always makes a layer (RUN-7)', async () => {
    const [first, second] = await stepsOf('FROM scratch\nRUN true\nRUN ["true"]');
    assert.deepEqual([first?.kind, second?.kind], ['run', 'run']);
    assert.equal(first?.history?.empty_layer, undefined);
    assert.equal(second?.history?.empty_layer, undefined);
  });

  it('sees the environment of its image, its ENVs and its ARGs, in this order (RUN-4)', async () => {
    const images = { 'docker.io/library/a:latest': { Env: ['PATH=/p', 'I=1'] } };
    const run = await runOf('FROM a\nENV E=2\nARG A=3\nENV I=4\nRUN x', { images });
    assert.deepEqual(run.env, ['PATH=/p', 'E=2', 'A=3', 'I=4']);
  });

  it('takes each of its scripts for another step (HD-9)', async () => {
    const of = async (body: string) => {
      const { argv, script } = await runOf(`FROM scratch\nRUN <<E\n${body}\nE`);
      return { argv, script };
    };
    assert.notDeepEqual(await of('one'), await of('two'));
    assert.notDeepEqual(await of('#!one'), await of('#!two'));
  });

  it('refuses --security=insecure, unless it is allowed (RUN-2, ENT-1)', async () => {
    const text = 'FROM scratch\nRUN --security=insecure x';
    await assert.rejects(plan(text, { allow: new Set(['network.host']) }), (error) => {
      assert.ok(hasCode(error, 'ERR_INSTRUCTION_INVALID'));
      assert.match(error.message, /security\.insecure is not allowed/);
      assert.match(error.hint ?? '', /--allow security\.insecure/);
      assert.equal(error.location?.range.start.line, 2);
      return true;
    });
    const run = await runOf(text, { allow: new Set(['security.insecure']) });
    assert.equal(run.security, 'insecure');
  });

  it("takes the host's network for a privilege only where the build's is another (RUN-2, ENT-1)", async () => {
    const text = 'FROM scratch\nRUN --network=host x';
    for (const network of ['none', 'private'] as const) {
      await assert.rejects(plan(text, { network }), /network\.host is not allowed/);
    }
    for (const network of ['default', 'host'] as const) {
      assert.equal((await runOf(text, { network })).network, 'host');
    }
  });
});

describe('RUN --mount', () => {
  it('defaults to the build context, read-only (RUN-9, RUN-14)', async () => {
    const [mount] = (await runOf('FROM scratch\nRUN --mount=target=/m x')).mounts;
    assert.deepEqual(mount, {
      mount: { kind: 'bind', target: '/m', from: undefined, source: '/', readonly: true },
      target: '/m',
      from: { kind: 'context' },
    });
  });

  it('sorts by target, joined with the working directory (RUN-13, RUN-23)', async () => {
    const { mounts } = await runOf(
      'FROM scratch\nWORKDIR /w\nRUN --mount=type=tmpfs,target=z --mount=type=cache,target=/w/a/ --mount=target=../b x',
    );
    assert.deepEqual(
      mounts.map(({ target, from }) => [target, from?.kind]),
      [
        ['/b', 'context'],
        ['/w/a', undefined],
        ['/w/z', undefined],
      ],
    );
  });

  it('expands values, commas and all (RUN-12)', async () => {
    const { mounts } = await runOf(
      'FROM scratch\nARG T=/a,b ID=i\nRUN --mount=type=cache,target=$T,id=$ID,uid=${NONE:-7} x',
    );
    const [planned] = mounts;
    assert.equal(planned?.target, '/a,b');
    assert.ok(planned.mount.kind === 'cache');
    assert.deepEqual([planned.mount.id, planned.mount.uid], ['i', 7]);
  });

  it('names a cache after its cleaned target, and puts the namespace before it (RUN-16, ARG-8)', async () => {
    const text = 'FROM scratch\nRUN --mount=type=cache,target=/a//b/ x';
    const idOf = async (buildArgs: Record<string, string>): Promise<string | undefined> => {
      const mount = (await runOf(text, { buildArgs })).mounts[0]?.mount;
      return mount?.kind === 'cache' ? mount.id : undefined;
    };
    assert.equal(await idOf({}), '/a/b');
    assert.equal(await idOf({ BUILDKIT_CACHE_MOUNT_NS: 'ns' }), 'ns//a/b');
  });

  it('finds stages by name and images, never stages by number (RUN-15)', async () => {
    const asked: string[] = [];
    const { mounts } = await runOf(
      'FROM scratch AS A\nFROM scratch\nRUN --mount=from=a,target=/1 --mount=from=0,target=/2 --mount=type=cache,from=scratch,target=/3 x',
      {
        resolveImage: async (reference) => {
          asked.push(reference);
          return image();
        },
      },
    );
    assert.deepEqual(
      mounts.map(({ from }) => from?.kind),
      ['stage', 'image', undefined],
    );
    assert.deepEqual(asked, ['docker.io/library/0:latest']);
  });

  it('finds a stage whose mount can only be read with its variables (RUN-12)', async () => {
    const { stages } = await plan(
      'FROM scratch AS a\nFROM scratch\nARG U=1\nRUN --mount=type=cache,from=a,target=/c,uid=$U x',
    );
    assert.equal(stages.length, 2);
  });

  it('gives secrets and ssh sockets their places (RUN-20, RUN-22)', async () => {
    const { mounts } = await runOf(
      'FROM scratch\nWORKDIR /w\nRUN --mount=type=secret,id=a/b --mount=type=secret,id=e,env=E --mount=type=secret,id=r,target=rel --mount=type=ssh --mount=type=ssh,id=k x',
    );
    assert.deepEqual(
      mounts.map(({ target }) => target),
      ['', '/rel', '/run/buildkit/ssh_agent.0', '/run/buildkit/ssh_agent.1', '/run/secrets/b'],
    );
  });

  const failures = [
    { mount: 'type=tmpfs,target=/', message: /invalid mount target "\/"/ },
    { mount: 'type=cache', message: /invalid mount target "\/"/ },
    { mount: 'type=bind,target=/a,sharing=locked', message: /invalid cache sharing set for bind/ },
    { mount: 'type=$NONE,target=/a', message: /unsupported mount type ""/ },
  ];
  for (const { mount, message } of failures) {
    it(`rejects ${mount} at its line (RUN-8 to RUN-13)`, async () => {
      await assert.rejects(plan(`FROM scratch\nRUN --mount=${mount} x`), (error) => {
        assert.ok(hasCode(error, 'ERR_INSTRUCTION_INVALID'));
        assert.match(error.message, message);
        assert.equal(error.location?.range.start.line, 2);
        return true;
      });
    });
  }

  it('leaves a bad mount alone in a stage that is not built (RUN-12)', async () => {
    await plan('FROM scratch AS no\nRUN --mount=type=$X,target=/a x\nFROM scratch');
  });
});

describe('names of steps', () => {
  const namesOf = async (text: string): Promise<string[]> =>
    (await stepsOf(text)).map(({ name }) => name);

  it('has no stage when there is only one (MP-5)', async () => {
    const { target } = await plan('FROM a\nENV X=1\nRUN x\nWORKDIR /w\nCOPY  a \\\n   b');
    assert.equal(target.fromName, '[1/4] FROM docker.io/library/a:latest');
    assert.deepEqual(
      target.steps.map(({ name }) => name),
      ['ENV X=1', '[2/4] RUN x', '[3/4] WORKDIR /w', '[4/4] COPY a b'],
    );
  });

  it('has the stage, or its number, when there are several (MP-5)', async () => {
    const { stages } = await plan('FROM a AS One\nRUN x\nFROM one\nrun y');
    assert.deepEqual(
      stages.map(({ fromName, steps }) => [fromName, steps[0]?.name]),
      [
        ['[one 1/2] FROM docker.io/library/a:latest', '[one 2/2] RUN x'],
        [undefined, '[stage-1 1/1] RUN y'],
      ],
    );
  });

  it('has the platform where there are several, and whom a step works for once it is told (MP-5)', async () => {
    const text = [
      'FROM --platform=$BUILDPLATFORM a AS One',
      'RUN x',
      'ARG TARGETARCH',
      'RUN y',
      'FROM b',
      'COPY --from=one /a /b',
      'RUN z',
    ].join('\n');
    const { stages } = await plan(text, { platform: ARM64, isOneOfSeveral: true });
    assert.deepEqual(
      stages.map(({ fromName, steps }) => [fromName, ...steps.map(({ name }) => name)]),
      [
        [
          '[linux/amd64 one 1/3] FROM docker.io/library/a:latest',
          '[linux/amd64 one 2/3] RUN x',
          'ARG TARGETARCH',
          '[linux/amd64->arm64 one 3/3] RUN y',
        ],
        [
          '[linux/arm64 stage-1 1/3] FROM docker.io/library/b:latest',
          '[linux/arm64 stage-1 2/3] COPY --from=one /a /b',
          '[linux/arm64 stage-1 3/3] RUN z',
        ],
      ],
    );
  });

  for (const [told, label] of [
    [{ TARGETPLATFORM: 'linux/arm64' }, 'linux/amd64->arm64'],
    [{ TARGETPLATFORM: 'windows(10.0)/amd64' }, 'linux/amd64->windows/amd64'],
    [{ TARGETARCH: 'arm', TARGETVARIANT: 'v6' }, 'linux/amd64->arm/v6'],
    [{ TARGETARCH: 'amd64', TARGETVARIANT: '' }, 'linux/amd64'],
    [{ TARGETOS: 'darwin' }, 'linux/amd64->darwin/amd64'],
    [{}, 'linux/amd64'],
  ] as const) {
    it(`says ${label} where an ARG tells ${JSON.stringify(told)} (MP-5)`, () => {
      const values = new Map(Object.entries(told));
      assert.equal(
        platformLabel(AMD64, (name) => values.get(name)),
        label,
      );
    });
  }

  it('aligns numbers (LIM-4)', async () => {
    const names = await namesOf(`FROM scratch\n${'RUN x\n'.repeat(10)}`);
    assert.deepEqual([names[0], names[9]], ['[ 1/10] RUN x', '[10/10] RUN x']);
  });

  it('shows the first line of a script (HD-7)', async () => {
    assert.deepEqual(await namesOf('FROM scratch\nRUN <<EOF\nset -e\nmake\nEOF'), [
      '[1/1] RUN <<EOF (set -e...)',
    ]);
  });
});
