import assert from 'node:assert/strict';
import { hasCode } from '../../src/errors.ts';
import { configOf, historyOf, plan } from './support.ts';

describe('ONBUILD', () => {
  it('stores triggers without a history entry (HC-4)', async () => {
    const text = 'FROM scratch\nONBUILD RUN a\nONBUILD COPY . /x';
    assert.deepEqual((await configOf(text)).OnBuild, ['RUN a', 'COPY . /x']);
    assert.deepEqual(await historyOf(text), []);
  });

  it('runs the triggers of an image first, and clears them (HC-5)', async () => {
    const images = {
      'docker.io/library/a:latest': { OnBuild: ['ARG V=1', 'RUN one $V', 'ENV A=1'] },
    };
    const text = 'FROM a\nRUN two';
    const { target, unusedBuildArgs } = await plan(text, { images, buildArgs: { V: '2' } });
    assert.deepEqual(
      target.steps.map(({ name }) => name),
      ['ONBUILD ARG V=1', '[2/3] ONBUILD RUN one $V', 'ONBUILD ENV A=1', '[3/3] RUN two'],
    );
    assert.equal(target.config.config.OnBuild, undefined);
    assert.ok(target.steps.every(({ history }) => history !== undefined));
    assert.equal(target.steps[0]?.location.range.start.line, 1);
    assert.deepEqual(unusedBuildArgs, []);
  });

  it("runs a stage's triggers in its children, not in theirs (HC-5)", async () => {
    const text = 'FROM scratch AS a\nONBUILD ENV X=1\nFROM a AS b\nFROM b';
    const { stages } = await plan(text);
    assert.deepEqual(
      stages.map(({ steps, config }) => [steps.length, config.config.OnBuild]),
      [
        [1, ['ENV X=1']],
        [1, undefined],
        [0, undefined],
      ],
    );
  });

  it('finds stages and images that only triggers need (HC-5)', async () => {
    const images = {
      'docker.io/library/a:latest': {
        OnBuild: ['COPY --from=dep /x /', 'RUN --mount=from=busybox,target=/b true'],
      },
    };
    const { stages } = await plan('FROM scratch AS dep\nFROM scratch AS no\nFROM a', { images });
    assert.deepEqual(
      stages.map(({ index }) => index),
      [0, 2],
    );
  });

  it('runs a trigger with a heredoc (HC-4)', async () => {
    const images = { 'docker.io/library/a:latest': { OnBuild: ['RUN <<EOF\necho 1\nEOF\n'] } };
    assert.deepEqual(await historyOf('FROM a', { images }), ['RUN /bin/sh -c echo 1\n # buildkit']);
  });

  it('rejects a bad trigger at the FROM that runs it (HC-4)', async () => {
    for (const trigger of ['NOPE x', 'FROM scratch', 'ONBUILD RUN x', 'RUN a\nRUN b']) {
      const images = { 'docker.io/library/a:latest': { OnBuild: [trigger] } };
      await assert.rejects(plan('ARG X\nFROM a', { images }), (error) => {
        assert.ok(hasCode(error, 'ERR_INSTRUCTION_INVALID') || hasCode(error, 'ERR_PARSE'));
        assert.equal(error.location?.file, 'Dockerfile');
        assert.equal(error.location.range.start.line, 2);
        return true;
      });
    }
  });
});
