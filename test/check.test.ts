import assert from 'node:assert/strict';
import { type BuildEvent, type BuildOptions, build, check, hasCode } from '../src/index.ts';
import { type Files, inContext } from './support/in-context.ts';

async function rulesOf(files: Files, more?: Partial<BuildOptions>): Promise<readonly string[]> {
  const { warnings, error } = await inContext(files, check, more);
  assert.equal(error, undefined);
  return warnings.map(({ rule }) => rule);
}

const WRONG = 'FROM scratch as base\nCOPY Dockerfile /\n';

describe('check', () => {
  it('answers with warnings, the file and no error', async () => {
    const { warnings, error, file, source } = await inContext({ Dockerfile: WRONG }, check);
    assert.deepEqual(
      warnings.map(({ rule, range }) => [rule, range.start.line]),
      [['FromAsCasing', 1]],
    );
    assert.deepEqual([error, file, source], [undefined, 'Dockerfile', WRONG]);
  });

  it('evaluates all stages, with a target the ones it needs (CHK-1)', async () => {
    const files = { Dockerfile: 'FROM scratch AS one\nWORKDIR a\nFROM scratch\nENV b $c\n' };
    const all = ['UnusedStage', 'WorkdirRelativePath', 'UndefinedVar', 'LegacyKeyValueFormat'];
    assert.deepEqual(await rulesOf(files), all);
    assert.deepEqual(await rulesOf(files, { target: 'one' }), ['WorkdirRelativePath']);
  });

  it('reads the ignore file that a build would read (IGN-1)', async () => {
    const files = { Dockerfile: 'FROM scratch\nCOPY tmp/a /\n', '.dockerignore': 'tmp\n' };
    assert.deepEqual(await rulesOf(files), ['CopyIgnoredFile']);
    assert.deepEqual(await rulesOf({ ...files, 'Dockerfile.dockerignore': '' }), []);
  });

  it('runs nothing and copies nothing', async () => {
    const files = { Dockerfile: 'FROM scratch\nCOPY missing /\nRUN ["false"]\n' };
    assert.deepEqual(await rulesOf(files), []);
  });

  it('answers with what would fail a build, and with the warnings there are (CHK-4)', async () => {
    const files = { Dockerfile: 'FROM scratch as one\nCOPY --from=9 a /\n' };
    const { warnings, error } = await inContext(files, check);
    assert.ok(hasCode(error, 'ERR_STAGE_UNKNOWN'));
    assert.deepEqual(
      warnings.map(({ rule }) => rule),
      ['FromAsCasing'],
    );
  });

  it('finds a failure in a stage that nothing needs', async () => {
    const files = { Dockerfile: 'FROM scratch\nSTOPSIGNAL SIGODD\nFROM scratch\n' };
    const { error } = await inContext(files, check);
    assert.equal(error?.location?.range.start.line, 2);
  });

  it('points at the flag that is wrong, on whatever line it stands', async () => {
    const text = 'FROM scratch\nRUN --mount=type=tmpfs,target=/a \\\n  --mount=type=odd make\n';
    const { error } = await inContext({ Dockerfile: text }, check);
    const { start, end } = error?.location?.range ?? {};
    assert.deepEqual(
      [start, end],
      [
        { line: 3, column: 2 },
        { line: 3, column: 18 },
      ],
    );
    const trigger = 'FROM scratch AS a\nONBUILD RUN --mount=type=odd x\nFROM a\n';
    const { error: triggered } = await inContext({ Dockerfile: trigger }, check);
    assert.equal(triggered?.location?.range.start.line, 3);
  });

  it('finds every failure of a stage, not only the first', async () => {
    const text = `FROM scratch
RUN --mount=type=cahce,target=/a x
STOPSIGNAL SIGTREM
EXPOSE 80/tpc
COPY --from=9 a /
COPY --chmod=999 a /
FROM scratch
USER $a
EXPOSE x
`;
    const { error } = await inContext({ Dockerfile: text }, check);
    const found = [error, ...(error?.others ?? [])].map((each) => each?.location?.range.start.line);
    assert.deepEqual(
      found.toSorted((a = 0, b = 0) => a - b),
      [2, 3, 4, 5, 6, 9],
    );
  });

  it('finds the failures of all stages, each once', async () => {
    const Dockerfile =
      'FROM scratch AS a\nSTOPSIGNAL SIGODD\nFROM scratch\nSTOPSIGNAL SIGEVEN\nFROM a\n';
    const { error } = await inContext({ Dockerfile }, check);
    const all = error === undefined ? [] : [error, ...error.others];
    assert.deepEqual(
      all.map(({ location }) => location?.range.start.line),
      [2, 4],
    );
  });

  it('answers with every syntax error, and with the warnings about what can be read (CHK-4)', async () => {
    const text =
      'FROM scratch as one\nENV a $b\nODD\nENV c $d\nMAINTAINER me\nCOPY onlyone\nWORKDIR x\n';
    const { warnings, error } = await inContext({ Dockerfile: text }, check);
    assert.deepEqual(
      warnings.map(({ rule, range }) => [rule, range.start.line]),
      [
        ['FromAsCasing', 1],
        ['UndefinedVar', 2],
        ['LegacyKeyValueFormat', 2],
        ['LegacyKeyValueFormat', 4],
        ['MaintainerDeprecated', 5],
      ],
    );
    assert.ok(hasCode(error, 'ERR_INSTRUCTION_INVALID'));
    const lines = [error, ...error.others].map(({ location }) => location?.range.start.line);
    assert.deepEqual(lines, [3, 6]);
  });

  it('does not guess what an image sets that nobody asked for (CHK-4)', async () => {
    const text = 'FROM registry.invalid/a AS one\nFROM one\nENV b=$c\nCMD x\nODD\n';
    const { warnings } = await inContext({ Dockerfile: text }, check);
    assert.deepEqual(
      warnings.map(({ rule }) => rule),
      ['JSONArgsRecommended'],
    );
  });

  it('rejects when there is nothing to check, and with the reason of an abort', async () => {
    await assert.rejects(inContext({}, check), (error) => hasCode(error, 'ERR_DOCKERFILE_MISSING'));
    const signal = AbortSignal.abort(new Error('enough'));
    await assert.rejects(inContext({ Dockerfile: WRONG }, check, { signal }), /enough/);
  });

  it('makes an error of warnings where the file says so, rules sorted (CHK-3)', async () => {
    const text =
      '# check=error=true\nFROM scratch as base\nCOPY Dockerfile /\ncopy Dockerfile /a\n';
    const { error } = await inContext({ Dockerfile: text }, check);
    const rules = 'ConsistentInstructionCasing, FromAsCasing';
    assert.ok(error?.message.endsWith(`lint violation found for rules: ${rules}`));
    assert.equal(error?.location?.range.start.line, 2);
  });
});

describe('build, for a Dockerfile with warnings', () => {
  async function noticesOf(text: string): Promise<readonly string[]> {
    const notices: string[] = [];
    const onEvent = (event: BuildEvent): void => {
      if (event.kind !== 'notice' || event.level !== 'warning') return;
      notices.push(`${event.location?.range.start.line} ${event.message}`);
    };
    await inContext({ Dockerfile: text }, build, { onEvent });
    return notices;
  }

  it('tells them as notices with their place (CHK-1)', async () => {
    assert.deepEqual(await noticesOf(`FROM scratch AS unused\nWORKDIR x\n${WRONG}`), [
      "3 FromAsCasing: 'as' and 'FROM' keywords' casing do not match",
    ]);
  });

  it('tells none that the file skips', async () => {
    assert.deepEqual(await noticesOf(`# check=skip=all\n${WRONG}`), []);
  });

  it('fails before the first step where the file says so (CHK-3)', async () => {
    const events: string[] = [];
    const onEvent = ({ kind }: BuildEvent): void => void events.push(kind);
    const files = { Dockerfile: `# check=error=true\n${WRONG}` };
    await assert.rejects(
      inContext(files, build, { onEvent }),
      (error) =>
        hasCode(error, 'ERR_INSTRUCTION_INVALID') &&
        error.message.endsWith('lint violation found for rules: FromAsCasing'),
    );
    assert.deepEqual(events, ['notice']);
  });
});
