import assert from 'node:assert/strict';
import { hasCode } from '../../src/errors.ts';
import { configOf, historyOf, PATH, plan, stepsOf } from './support.ts';

const START = { Env: [PATH], WorkingDir: '/' };

describe('config and history', () => {
  const cases = [
    {
      text: 'CMD ["a", "b c"]',
      config: { Cmd: ['a', 'b c'], ArgsEscaped: true },
      history: 'CMD ["a" "b c"]',
      ids: 'CMD-2, CMD-5',
    },
    {
      text: 'CMD echo "$HOME"',
      config: { Cmd: ['/bin/sh', '-c', 'echo "$HOME"'], ArgsEscaped: true },
      history: 'CMD ["/bin/sh" "-c" "echo \\"$HOME\\""]',
      ids: 'CMD-1, VAR-9',
    },
    { text: 'CMD []', config: { ArgsEscaped: true }, history: 'CMD []', ids: 'CMD-3' },
    {
      text: 'ENTRYPOINT ["a"]',
      config: { Entrypoint: ['a'] },
      history: 'ENTRYPOINT ["a"]',
      ids: 'CMD-3',
    },
    {
      text: 'SHELL ["/bin/bash", "-c"]\nENTRYPOINT x',
      config: { Shell: ['/bin/bash', '-c'], Entrypoint: ['/bin/bash', '-c', 'x'] },
      history: 'ENTRYPOINT ["/bin/bash" "-c" "x"]',
      ids: 'CMD-4',
    },
    {
      text: 'SHELL ["/bin/bash", "-c"]',
      config: { Shell: ['/bin/bash', '-c'] },
      history: 'SHELL [/bin/bash -c]',
      ids: 'CMD-5',
    },
    {
      text: 'LABEL a="b c" "x"=$PATH',
      config: { Labels: { a: 'b c', x: PATH.slice(5) } },
      history: `LABEL a=b c x=${PATH.slice(5)}`,
      ids: 'ENV-3, ENV-4',
    },
    {
      text: 'ENV A="x y" B=z\\ z',
      config: { Env: [PATH, 'A=x y', 'B=z z'] },
      history: 'ENV A=x y B=z z',
      ids: 'ENV-2, HIST-3',
    },
    {
      text: 'ENV A some  words',
      config: { Env: [PATH, 'A=some  words'] },
      history: 'ENV A=some  words',
      ids: 'ENV-1',
    },
    {
      text: 'EXPOSE 80 443/udp 8000-8001',
      config: { ExposedPorts: { '443/udp': {}, '80/tcp': {}, '8000/tcp': {}, '8001/tcp': {} } },
      history: 'EXPOSE [443/udp 80/tcp 8000/tcp 8001/tcp]',
      ids: 'META-1',
    },
    {
      text: 'ARG P="1 2"\nEXPOSE $P',
      config: { ExposedPorts: { '1/tcp': {}, '2/tcp': {} } },
      history: 'EXPOSE [1/tcp 2/tcp]',
      ids: 'VAR-7',
    },
    {
      text: 'VOLUME ["/a", "/b"]',
      config: { Volumes: { '/a': {}, '/b': {} } },
      history: 'VOLUME [/a /b]',
      ids: 'META-2',
    },
    {
      text: 'ARG U=app\nUSER $U:0',
      config: { User: 'app:0' },
      history: 'USER app:0',
      ids: 'META-4',
    },
    {
      text: 'STOPSIGNAL sigRTmin+3',
      config: { StopSignal: 'sigRTmin+3' },
      history: 'STOPSIGNAL sigRTmin+3',
      ids: 'META-3',
    },
    { text: 'STOPSIGNAL 9', config: { StopSignal: '9' }, history: 'STOPSIGNAL 9', ids: 'META-3' },
    {
      text: 'HEALTHCHECK NONE',
      config: { Healthcheck: { Test: ['NONE'] } },
      history:
        'HEALTHCHECK {Test:[NONE] Interval:0s Timeout:0s StartPeriod:0s StartInterval:0s Retries:0}',
      ids: 'HC-1, HC-3',
    },
    {
      text: 'HEALTHCHECK --interval=1m30s --retries=3 CMD ["a", "b"]',
      config: { Healthcheck: { Test: ['CMD', 'a', 'b'], Interval: 90e9, Retries: 3 } },
      history:
        'HEALTHCHECK {Test:[CMD a b] Interval:1m30s Timeout:0s StartPeriod:0s StartInterval:0s Retries:3}',
      ids: 'HC-1, HC-3',
    },
    {
      text: 'SHELL ["x"]\nHEALTHCHECK --timeout=250ms CMD a | b',
      config: { Shell: ['x'], Healthcheck: { Test: ['CMD-SHELL', 'a | b'], Timeout: 250e6 } },
      history:
        'HEALTHCHECK {Test:[CMD-SHELL a | b] Interval:0s Timeout:250ms StartPeriod:0s StartInterval:0s Retries:0}',
      ids: 'CMD-4, HC-3',
    },
    {
      text: 'ARG A=1\nEXPOSE 9 $A 080/TCP',
      config: { ExposedPorts: { '1/tcp': {}, '80/tcp': {}, '9/tcp': {} } },
      history: 'EXPOSE [1/tcp 80/tcp 9/tcp]',
      ids: 'META-1',
    },
    { text: 'EXPOSE $NONE', config: {}, history: 'EXPOSE []', ids: 'META-1' },
    {
      text: 'VOLUME /b /a/ /b',
      config: { Volumes: { '/b': {}, '/a/': {} } },
      history: 'VOLUME [/b /a/ /b]',
      ids: 'META-2',
    },
    { text: 'USER a\nUSER $NONE', config: {}, history: 'USER ', ids: 'META-4' },
    {
      text: 'HEALTHCHECK --interval=1h --timeout=1.5s --start-period=2m --start-interval=1ms --retries=2 CMD x',
      config: {
        Healthcheck: {
          Test: ['CMD-SHELL', 'x'],
          Interval: 3600e9,
          Timeout: 15e8,
          StartPeriod: 120e9,
          StartInterval: 1e6,
          Retries: 2,
        },
      },
      history:
        'HEALTHCHECK {Test:[CMD-SHELL x] Interval:1h0m0s Timeout:1.5s StartPeriod:2m0s StartInterval:1ms Retries:2}',
      ids: 'HC-1, HC-3',
    },
    {
      text: 'CMD a\nSHELL ["b", "c"]\nCMD d\nSHELL ["e"]',
      config: { Shell: ['e'], Cmd: ['b', 'c', 'd'], ArgsEscaped: true },
      history: 'SHELL [e]',
      ids: 'CMD-1',
    },
    {
      text: 'ENTRYPOINT ["a"]\nENTRYPOINT []',
      config: {},
      history: 'ENTRYPOINT []',
      ids: 'CMD-1, CMD-3',
    },
    {
      text: "LABEL a=1\nLABEL b='$x' a=2",
      config: { Labels: { a: '2', b: '$x' } },
      history: 'LABEL b=$x a=2',
      ids: 'ENV-3, ENV-4',
    },
    { text: 'WORKDIR /', config: {}, history: 'WORKDIR /', ids: 'META-6' },
    {
      text: 'WORKDIR /a/',
      config: { WorkingDir: '/a/' },
      history: 'WORKDIR /a/',
      ids: 'META-6, META-7',
    },
    {
      text: 'WORKDIR /a/\nWORKDIR $NONE',
      config: { WorkingDir: '/a/' },
      history: 'WORKDIR /a/',
      ids: 'META-6',
    },
    {
      text: 'WORKDIR /a/\nENV D=c\nWORKDIR ./b/../$D',
      config: { Env: [PATH, 'D=c'], WorkingDir: '/a/c' },
      history: 'WORKDIR /a/c',
      ids: 'META-6, META-7',
    },
  ];
  for (const { text, config, history, ids } of cases) {
    it(`${JSON.stringify(text)} (${ids})`, async () => {
      const whole = `FROM scratch\n${text}`;
      assert.deepEqual(await configOf(whole), { ...START, ...config });
      assert.equal((await historyOf(whole)).at(-1), history);
    });
  }

  it('MAINTAINER is the author, unexpanded (ENV-5, VAR-9)', async () => {
    const text = 'FROM scratch\nMAINTAINER $USER <a@b>';
    assert.equal((await plan(text)).target.config.author, '$USER <a@b>');
    assert.deepEqual(await historyOf(text), ['MAINTAINER $USER <a@b>']);
  });

  it('an ENTRYPOINT clears the CMD of the base, and keeps one of its own stage (CMD-2)', async () => {
    const images = { 'docker.io/library/a:latest': { Cmd: ['sh'] } };
    assert.equal((await configOf('FROM a\nENTRYPOINT ["x"]', { images })).Cmd, undefined);
    const own = await configOf('FROM a\nCMD ["y"]\nENTRYPOINT ["x"]', { images });
    assert.deepEqual(own.Cmd, ['y']);
    const parent = 'FROM a AS p\nCMD ["y"]\nFROM p\nENTRYPOINT ["x"]';
    assert.equal((await configOf(parent, { images })).Cmd, undefined);
  });

  it('marks the layers in the history, and names the builder (HIST-1)', async () => {
    const steps = await stepsOf(
      'FROM scratch\nENV A=1\nWORKDIR /w\nWORKDIR /\nRUN x\nCOPY a b\nADD a b\nONBUILD RUN y',
    );
    assert.deepEqual(
      steps.map(({ kind, history }) => [kind, history && (history.empty_layer ?? false)]),
      [
        ['config', true],
        ['workdir', false],
        ['config', true],
        ['run', false],
        ['copy', false],
        ['copy', false],
        ['config', undefined],
      ],
    );
    assert.equal(steps[0]?.history?.comment, 'tsbuild.dockerfile.v0');
  });

  it('makes directories as the user in force (META-6)', async () => {
    const [, step] = await stepsOf('FROM scratch\nUSER app\nWORKDIR /x/../sub/');
    assert.ok(step?.kind === 'workdir');
    assert.deepEqual([step.path, step.user], ['/sub', 'app']);
  });

  const failures = [
    { text: 'STOPSIGNAL NOPE', message: /Invalid signal: NOPE/ },
    { text: 'STOPSIGNAL 0', message: /Invalid signal: 0/ },
    { text: 'STOPSIGNAL RTMIN+16', message: /Invalid signal: RTMIN\+16/ },
    { text: 'STOPSIGNAL 9223372036854775808', message: /Invalid signal: 9223372036854775808/ },
    { text: 'VOLUME $NONE', message: /VOLUME specified can not be an empty string/ },
    { text: 'EXPOSE 80/icmp', message: /invalid proto: icmp/ },
  ];
  for (const { text, message } of failures) {
    it(`rejects ${text}, at its line (META-1 to META-3)`, async () => {
      await assert.rejects(plan(`FROM scratch\n${text}`), (error) => {
        assert.ok(hasCode(error, 'ERR_INSTRUCTION_INVALID'));
        assert.match(error.message, message);
        assert.equal(error.location?.range.start.line, 2);
        return true;
      });
    });
  }
});
