import assert from 'node:assert/strict';
import { hasCode } from '../../src/errors.ts';
import { configOf, PATH, plan } from './support.ts';

describe('variables', () => {
  it('are those of the image, of ENV and of ARG, wherever words are expanded (VAR-7)', async () => {
    const text = [
      'ARG G=global',
      'FROM a',
      'ARG A=arg G',
      'ENV E=env',
      'LABEL $I=${A}-$E "x$G"=1',
      'EXPOSE 1${A:+0}',
      'STOPSIGNAL SIG${NONE:-TERM}',
      'USER $A:$E',
      'VOLUME /$I ["/$E"]',
      'VOLUME ["/$E"]',
      'WORKDIR $I/$A',
      'ONBUILD RUN $A',
      'CMD $A',
    ].join('\n');
    const images = { 'docker.io/library/a:latest': { Env: ['I=image'] } };
    assert.deepEqual(await configOf(text, { images }), {
      Env: ['I=image', PATH, 'E=env'],
      Labels: { image: 'arg-env', xglobal: '1' },
      ExposedPorts: { '10/tcp': {} },
      StopSignal: 'SIGTERM',
      User: 'arg:env',
      Volumes: { '/image': {}, '[/env]': {}, '/env': {} },
      WorkingDir: '/image/arg',
      OnBuild: ['RUN $A'],
      Cmd: ['/bin/sh', '-c', '$A'],
      ArgsEscaped: true,
    });
  });

  it('stay as they are in commands, shells and health checks (VAR-9)', async () => {
    const text =
      'FROM scratch\nENV A=1\nSHELL ["$A"]\nENTRYPOINT ["$A"]\nCMD ["$A"]\nHEALTHCHECK CMD $A';
    const { Env: _, WorkingDir: __, ...config } = await configOf(text);
    assert.deepEqual(config, {
      Shell: ['$A'],
      Entrypoint: ['$A'],
      Cmd: ['$A'],
      ArgsEscaped: true,
      Healthcheck: { Test: ['CMD-SHELL', '$A'] },
    });
  });

  it('are refused in --from, also of a trigger (VAR-9)', async () => {
    const message = /variable expansion is not supported for --from, define a new stage with FROM/;
    const images = { 'docker.io/library/a:latest': { OnBuild: ['COPY --from=$A / /'] } };
    for (const text of ['ARG A=x\nFROM scratch\nCOPY --from=$A / /', 'ARG A=x\n\nFROM a']) {
      await assert.rejects(plan(text, { images }), (error) => {
        assert.ok(hasCode(error, 'ERR_INSTRUCTION_INVALID'));
        assert.match(error.message, message);
        assert.equal(error.location?.range.start.line, 3);
        return true;
      });
    }
  });
});
