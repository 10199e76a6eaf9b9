import assert from 'node:assert/strict';
import { lint, lintConfigOf, type LintOptions, parseDockerfile } from '../../../parser/index.ts';
import { hasCode } from '../../../src/errors.ts';

function rulesOf(text: string, options?: LintOptions): string[] {
  return lint(parseDockerfile(text), options).map(({ rule }) => rule);
}

describe('lint', () => {
  it('gives what a report needs, frozen', () => {
    const [warning] = lint(parseDockerfile('FROM scratch\nMAINTAINER me\n'));
    const range = { start: { line: 2, column: 0 }, end: { line: 2, column: 13 } };
    assert.ok(Object.isFrozen(warning));
    assert.deepEqual(warning, {
      rule: 'MaintainerDeprecated',
      level: 'warning',
      message: 'Maintainer instruction is deprecated in favor of using label',
      description:
        'The MAINTAINER instruction is deprecated, use a label instead to define an image author',
      url: 'https://docs.docker.com/go/dockerfile/rule/maintainer-deprecated/',
      range,
      fix: {
        description: 'write a label',
        edits: [{ range, text: 'LABEL org.opencontainers.image.authors="me"' }],
      },
    });
  });

  it('sorts by line', () => {
    const text = 'FROM scratch\nCMD a\nCMD b\nMAINTAINER me\nWORKDIR x\n';
    const lines = lint(parseDockerfile(text)).map(({ range }) => range.start.line);
    assert.deepEqual(lines, [2, 2, 3, 4, 5]);
  });

  it('reports the same mistake at the same place once (CHK-5)', () => {
    assert.deepEqual(rulesOf('FROM scratch\nCOPY $a $a /'), ['UndefinedVar']);
  });

  it('evaluates all stages, or those that the target needs (CHK-1)', () => {
    const text = [
      'FROM scratch AS unused\nCOPY $a /',
      'FROM scratch AS base\nCOPY $b /',
      'FROM scratch AS files\nCOPY $c /',
      'FROM scratch AS mounted\nCOPY $d /',
      'FROM base\nCOPY --from=2 a /\nRUN --mount=from=Mounted,target=/m true',
    ].join('\n');
    const names = (target?: string): string[] =>
      lint(parseDockerfile(text), { target }).map(
        ({ message }) => /\$(\w)/.exec(message)?.[1] ?? '',
      );
    assert.deepEqual(names(), ['a', 'b', 'c', 'd']);
    assert.deepEqual(names(''), ['b', 'c', 'd']);
    assert.deepEqual(names('unused'), ['a']);
    assert.deepEqual(names('2'), ['c']);
  });

  it('reports what is written in every stage, whatever the target is', () => {
    const text = 'FROM scratch as unused\nFROM scratch\n';
    assert.deepEqual(rulesOf(text, { target: '' }), ['FromAsCasing']);
  });

  it('passes over what cannot be evaluated', () => {
    const text =
      'ARG x=${\nFROM ${ AS a\nFROM scratch\nENV a=${b?}\nRUN --mount=type=odd true\nMAINTAINER me';
    assert.ok(rulesOf(text).includes('MaintainerDeprecated'));
  });

  it('runs triggers where the FROM is that sets them off (HC-5)', () => {
    const text = 'FROM scratch AS base\nONBUILD COPY $a /\nFROM base\n';
    const [warning] = lint(parseDockerfile(text));
    assert.equal(warning?.rule, 'UndefinedVar');
    assert.equal(warning.range.start.line, 3);
  });

  it('takes 10,000 instructions', () => {
    const text = `FROM scratch\n${'ENV a=$b\n'.repeat(10_000)}`;
    assert.equal(lint(parseDockerfile(text)).length, 10_000);
  });
});

describe('# check=', () => {
  const BODY = 'FROM scratch as base\ncopy Dockerfile .\n';

  it('skips what it names, or all (DIR-7)', () => {
    assert.deepEqual(rulesOf(BODY), ['FromAsCasing', 'ConsistentInstructionCasing']);
    assert.deepEqual(rulesOf(`# check=skip=FromAsCasing\n${BODY}`), [
      'ConsistentInstructionCasing',
    ]);
    assert.deepEqual(
      rulesOf(`#check=skip= FromAsCasing , ConsistentInstructionCasing\n${BODY}`),
      [],
    );
    assert.deepEqual(rulesOf(`# check=skip=all\n${BODY}`), []);
    assert.equal(rulesOf(`# check=skip=fromascasing,Unknown\n${BODY}`).length, 2);
  });

  it('turns experimental checks on, which skip does not turn off', () => {
    const text =
      '# check=skip=all;experimental=InvalidDefinitionDescription\n# other\nARG foo\nFROM scratch\n';
    assert.deepEqual(rulesOf(text), ['InvalidDefinitionDescription']);
  });

  it('is refused with its place when an option is wrong (DIR-7)', () => {
    for (const [value, wrong] of [
      ['nothing', 'nothing'],
      ['ignore=all', 'ignore'],
      ['error=perhaps', 'error=perhaps'],
      ['skip=a;skip=b;error=true;error=true', 'error=true;error=true'],
    ]) {
      assert.throws(
        () => rulesOf(`# check=${value}\n${BODY}`),
        (error) =>
          hasCode(error, 'ERR_INSTRUCTION_INVALID') &&
          error.message.endsWith(`invalid check option "${wrong}"`) &&
          error.location?.range.start.line === 1,
      );
    }
  });

  it('gives way to the build argument BUILDKIT_DOCKERFILE_CHECK (DIR-8)', () => {
    const buildArgs = { BUILDKIT_DOCKERFILE_CHECK: 'skip=all;error=true' };
    assert.deepEqual(rulesOf(`# check=skip=none\n${BODY}`, { buildArgs }), []);
    assert.equal(lintConfigOf(parseDockerfile(BODY), buildArgs).error, true);
  });

  it('above an instruction holds for that one only (DIR-8)', () => {
    const skip = '# check=skip=JSONArgsRecommended,UndefinedVar for a reason\n';
    const text = `FROM scratch\n${skip}CMD run me\nENV a=$b\n${skip}ENV a=$b\n`;
    assert.deepEqual(rulesOf(text), ['UndefinedVar']);
  });

  it('says whether warnings fail the build, but not above an instruction (CHK-3)', () => {
    const isError = (text: string): boolean => lintConfigOf(parseDockerfile(text)).error;
    assert.equal(isError(`# check=error=true\n${BODY}`), true);
    assert.equal(isError(`# check=skip=all;error=1\n${BODY}`), true);
    assert.equal(isError(BODY), false);
    assert.equal(isError(`# other\n\n# check=error=true\n${BODY}`), false);
  });
});
