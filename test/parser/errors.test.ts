import assert from 'node:assert/strict';
import { parseDockerfile, parseInstruction } from '../../parser/index.ts';
import { hasCode } from '../../src/errors.ts';

type Case = readonly [id: string, text: string, problem: string, line?: number];

/** What BuildKit's parser refuses. */
const PARSE: readonly Case[] = [
  [
    'LEX-1',
    `FROM x\nRUN ${'y'.repeat(65532)}`,
    'dockerfile line greater than max allowed size of 65535',
    2,
  ],
  ['LEX-3', '', 'the Dockerfile cannot be empty', 1],
  ['LEX-3', '# only\n\n', 'file with no instructions', 1],
  ['DIR-3', '#escape=`\n#escape=`\nFROM x', 'only one escape parser directive can be used', 2],
  ['DIR-4', '#escape=x\nFROM x', "invalid escape token 'x' does not match ` or \\", 1],
  ['FORM-5', 'FROM x\nRUN ["a", 1]', 'arrays must be comprised of strings only', 2],
  ['FORM-5', 'FROM x\nONBUILD COPY [["a"]]', 'arrays must be comprised of strings only', 2],
  ['ENV-1', 'FROM x\nENV a=b c', `can't find = in "c". Must be of the form: name=value`, 2],
  ['ENV-1', 'FROM x\nENV a=b "c"', `can't find = in "\\"c\\"". Must be of the form`, 2],
  ['ENV-1', 'FROM x\nENV a', 'ENV must have two arguments', 2],
  ['ENV-1', 'FROM x\nLABEL a', 'LABEL must have two arguments', 2],
  ['HD-3', 'FROM x\n\nRUN <<EOF\nEOF \n', 'unterminated heredoc', 3],
  ['HD-2', "FROM x\nRUN <<${x:-\\'}\nE", "missing '}'", 2],
];

/** What BuildKit's list of instructions refuses. */
const INSTRUCTIONS: readonly Case[] = [
  ['LEX-3', 'ARG a', 'dockerfile contains no stages to build'],
  ['LEX-3', 'RUN x\nFROM y', 'no build stage in current context'],
  ['LEX-8', 'FROM x\nFOO y', 'unknown instruction: FOO (did you mean FROM?)', 2],
  ['LEX-8', 'FROM x\nru y', 'unknown instruction: ru (did you mean run?)', 2],
  ['LEX-8', 'FROM x\nFR y', 'unknown instruction: FR (did you mean FROM?)', 2],
  ['LEX-8', 'FROM x\nUNKNOWN y', 'unknown instruction: UNKNOWN', 2],
  ['FORM-2', 'FROM x\nCOPY --from a b', 'missing a value on flag: --from', 2],
  ['FORM-2', 'FROM x\nCOPY --link= a b', 'missing a value on flag: --link', 2],
  ['FORM-2', 'FROM x\nCOPY --link=1 a b', 'expecting boolean value for flag --link, not: 1', 2],
  ['FORM-3', 'FROM x\nCOPY --form=a b c', 'unknown flag: --form (did you mean from?)', 2],
  ['FORM-3', 'FROM x\nCOPY --toString=a b c', 'unknown flag: --toString', 2],
  ['FORM-3', 'FROM x\nCOPY --from=a --from=b c d', 'duplicate flag specified: --from', 2],
  ['FROM-1', 'FROM', 'FROM requires either one or three arguments'],
  ['FROM-1', 'FROM a b', 'FROM requires either one or three arguments'],
  ['FROM-2', 'FROM a AS 1b', 'invalid name for build stage: "1b"'],
  ['FROM-14', 'FROM --after=a x', 'unknown flag: --after'],
  ['FORM-1', 'FROM x\nRUN --" a', 'unknown flag: -- a', 2],
  ['RUN-18', 'FROM x\nRUN --mont=type=cache a', 'unknown flag: --mont (did you mean mount?)', 2],
  ['RUN-1', 'FROM x\nRUN --network=lan y', 'invalid network mode "lan"', 2],
  ['RUN-1', 'FROM x\nRUN --security=y z', 'security "y" is not valid', 2],
  ['RUN-3', 'FROM x\nRUN --device=a/b=c,name=d e', 'device name already set to a/b=c', 2],
  ['VAR-9', 'FROM x\nRUN --mount=from=$a b', "'from' doesn't support variable expansion", 2],
  ['CP-1', 'FROM x\nCOPY a', 'COPY requires at least two arguments, but only one was provided', 2],
  ['CP-2', 'FROM x\nADD --from=a b c', 'unknown flag: --from', 2],
  ['CP-18', 'FROM x\nADD a <<B\nB', 'ADD cannot accept a heredoc as a destination', 2],
  ['CMD-4', 'FROM x\nSHELL sh -c', 'SHELL requires the arguments to be in JSON form', 2],
  ['CMD-4', 'FROM x\nSHELL []', 'SHELL requires at least one argument', 2],
  ['ENV-1', 'FROM x\nENV =a', 'ENV names can not be blank', 2],
  ['ENV-1', 'FROM x\nENV', 'ENV requires at least one argument', 2],
  ['ARG-1', 'FROM x\nARG =a', 'ARG names can not be blank', 2],
  ['META-2', 'FROM x\nVOLUME [""]', 'VOLUME specified can not be an empty string', 2],
  ['META-3', 'FROM x\nSTOPSIGNAL', 'STOPSIGNAL requires exactly one argument', 2],
  ['HC-1', 'FROM x\nHEALTHCHECK NONE x', 'HEALTHCHECK NONE takes no arguments', 2],
  ['HC-1', 'FROM x\nHEALTHCHECK ["y"]', 'Unknown type "[\\"Y\\"]" in HEALTHCHECK (try CMD)', 2],
  ['HC-1', 'FROM x\nHEALTHCHECK x y', 'Unknown type "X" in HEALTHCHECK (try CMD)', 2],
  ['HC-1', 'FROM x\nHEALTHCHECK CMD', 'Missing command after HEALTHCHECK CMD', 2],
  [
    'HC-1',
    'FROM x\nHEALTHCHECK --timeout=1us CMD y',
    'Interval "timeout" cannot be less than 1ms',
    2,
  ],
  ['HC-1', 'FROM x\nHEALTHCHECK --timeout=-1s CMD y', 'cannot be less than 1ms', 2],
  ['HC-1', 'FROM x\nHEALTHCHECK --timeout=1 CMD y', 'time: missing unit in duration "1"', 2],
  ['HC-1', 'FROM x\nHEALTHCHECK --timeout=1d CMD y', 'time: unknown unit "d" in duration "1d"', 2],
  ['HC-1', 'FROM x\nHEALTHCHECK --timeout=.s CMD y', 'time: invalid duration ".s"', 2],
  [
    'HC-1',
    'FROM x\nHEALTHCHECK --retries=a CMD y',
    'strconv.ParseInt: parsing "a": invalid syntax',
    2,
  ],
  ['HC-1', 'FROM x\nHEALTHCHECK --retries=-1 CMD y', '--retries cannot be negative (-1)', 2],
  ['HC-4', 'FROM x\nONBUILD', 'ONBUILD requires at least one argument', 2],
  ['HC-4', 'FROM x\nONBUILD onbuild RUN y', 'Chaining ONBUILD via `ONBUILD ONBUILD`', 2],
  ['HC-4', 'FROM x\nONBUILD from y', "FROM isn't allowed as an ONBUILD trigger", 2],
];

for (const [code, cases] of [
  ['ERR_PARSE', PARSE],
  ['ERR_INSTRUCTION_INVALID', INSTRUCTIONS],
] as const) {
  describe(`parseDockerfile(): ${code}`, () => {
    for (const [id, text, problem, line = 1] of cases) {
      it(`${id}: rejects ${JSON.stringify(text.slice(0, 60))}, and says where`, () => {
        assert.throws(
          () => parseDockerfile(text, { file: 'D' }),
          (error) => {
            assert.ok(hasCode(error, code), String(error));
            assert.ok(error.message.includes(problem), error.message);
            assert.equal(error.location?.file, 'D');
            assert.equal(error.location?.range.start.line, line);
            assert.ok(error.location.range.start.column >= 0);
            return true;
          },
        );
      });
    }
  });
}

describe('parseDockerfile()', () => {
  it('points at the flag that is wrong', () => {
    assert.throws(
      () => parseDockerfile('FROM x\nCOPY --link \\\n --bad=1 a b'),
      (error) =>
        hasCode(error, 'ERR_INSTRUCTION_INVALID') &&
        error.location?.range.start.line === 3 &&
        error.location.range.start.column === 1 &&
        error.location.range.end.column === 8,
    );
  });

  it('LEX-1: takes a line of 65535 bytes', () => {
    assert.equal(parseDockerfile(`FROM x\nRUN ${'y'.repeat(65531)}\n`).instructions.length, 2);
  });

  it('takes what BuildKit takes: flags of ARG and STOPSIGNAL, variables in flags', () => {
    parseDockerfile('FROM x\nARG --a b\nSTOPSIGNAL --x 9\nRUN --mount=type=$x,y=z w\n');
    parseDockerfile('FROM x\nCOPY --from=$a b c\n');
  });
});

describe('parseInstruction()', () => {
  it('rejects several instructions', () => {
    assert.throws(
      () => parseInstruction('RUN a\nRUN b', { file: 'ONBUILD' }),
      (error) => hasCode(error, 'ERR_PARSE') && error.location?.range.start.line === 2,
    );
  });
});
