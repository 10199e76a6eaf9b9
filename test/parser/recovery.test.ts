import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { parseDockerfile, parseDockerfileWithErrors } from '../../parser/index.ts';
import { hasCode, type TsbuildError } from '../../src/errors.ts';

/** `LINE problem` of each error. */
function problems(errors: readonly TsbuildError[]): readonly string[] {
  return errors.map(({ message, location }) => {
    assert.ok(message.startsWith(`Cannot parse line ${location?.range.start.line}: `), message);
    return message.slice('Cannot parse line '.length);
  });
}

function errorsOf(text: string): readonly string[] {
  return problems(parseDockerfileWithErrors(text).errors);
}

const WRONG = `FROM a
ENV b
COPYY c d
RUN ok
WORKDIR
ENV =e
RUN ["f", 1]
EXPOSE 80
`;

/** Instructions that are right, and lines that are wrong wherever they are put among them. */
const GOOD = [
  'ARG v=1',
  'FROM a:$v AS b',
  'RUN c \\\n  # d\n  && e',
  'COPY <<F /g\nh\nF',
  'ENV i=j k="l m"',
  'ONBUILD RUN <<N\n  n\nN',
  'HEALTHCHECK --timeout=1s CMD o',
  'FROM b',
  'CMD ["p"]',
];
const MISTAKES = [
  'FOO q',
  'runn q',
  '&& q',
  'ENV q',
  'LABEL a=b q',
  'COPY q',
  'ADD <<Q\nq\nQ',
  'CMD ["q", 1]',
  'WORKDIR',
  'FROM q r',
  'FROM q AS 1r',
  'RUN --q r',
  'COPY --link=q r s',
  'EXPOSE',
  'SHELL q',
  'HEALTHCHECK --interval=q CMD r',
  'ONBUILD FROM q',
  'ARG =q',
  'RUN --mount=from=$q r',
  'RUN <<NEVER\n  q\n  r',
];

describe('parseDockerfileWithErrors()', () => {
  it('reports every wrong line, those first that BuildKit reports first', () => {
    assert.deepEqual(errorsOf(WRONG), [
      '2: ENV must have two arguments',
      '7: when using JSON array syntax, arrays must be comprised of strings only',
      '3: unknown instruction: COPYY (did you mean COPY?)',
      '5: WORKDIR requires exactly one argument',
      '6: ENV names can not be blank',
    ]);
  });

  it('gives an AST of the instructions that are right', () => {
    const { dockerfile } = parseDockerfileWithErrors(WRONG);
    assert.deepEqual(
      dockerfile.instructions.map(({ text }) => text),
      ['FROM a', 'RUN ok', 'EXPOSE 80'],
    );
  });

  it('gives no error for a file that is right', () => {
    const { dockerfile, errors } = parseDockerfileWithErrors('FROM a\n', { file: 'D' });
    assert.deepEqual([errors.length, dockerfile.file], [0, 'D']);
  });

  for (const [what, text, expected] of [
    [
      'DIR-3, DIR-4: wrong directives',
      '# escape=x\n# escape=`\n# escape=`\nFROM a\nFO b\n',
      ["1: invalid escape token 'x'", '3: only one escape', '5: unknown instruction: FO'],
    ],
    [
      'LEX-1: a long line, its continuations with it',
      `FROM a\nRUN ${'x'.repeat(70_000)} \\\n  y\nCOPY b\n`,
      ['2: dockerfile line greater than', '4: COPY requires at least two'],
    ],
    [
      'LEX-3: a first line that may have been FROM',
      'FRO a\nRUN b\nRUN c\n',
      ['1: unknown instruction: FRO'],
    ],
    ['LEX-3: a missing stage, once', 'RUN a\nRUN b\n', ['1: no build stage']],
    [
      'HD-3: a heredoc without an end, up to the next instruction',
      'FROM a\nRUN <<EOF\nfoo\n  bar\nCOPY x\n',
      ['2: unterminated heredoc "EOF"', '5: COPY requires'],
    ],
    [
      'HD-1: a delimiter that cannot be read',
      "FROM a\nRUN <<${x:-\\'}\nbody\nE\nUSER\n",
      ['2: Cannot expand', '5: USER requires exactly one argument'],
    ],
  ] as const) {
    it(`goes on after ${what}`, () => {
      const found = errorsOf(text);
      assert.equal(found.length, expected.length, found.join('\n'));
      for (const [index, start] of expected.entries()) {
        assert.ok(found[index]?.startsWith(start), found[index]);
      }
    });
  }

  for (const [what, text, expected] of [
    [
      'a command that lost a backslash',
      'FROM a\nENV b\n  # why\n  c=d \\\n  e=f\nRUN g\n',
      ['2: ENV must have two arguments'],
    ],
    [
      'a command that lost its heredoc',
      'FROM a\n--mount=x <<EOT\nset -e\nmkdir b && \\\n  cd b\n[ c ]\nEOT\nCOPY d\n',
      ['2: unknown instruction: --mount=x', '8: COPY requires'],
    ],
    [
      'one typing error above the other',
      'FROM a\nRUNN b\nCOPPY c d\n\nfoo\n',
      ['2: unknown instruction: RUNN', '3: unknown instruction: COPPY', '5: unknown instruct'],
    ],
    [
      'the same in small letters',
      'from a\nrunn b\ncoppy c d\n',
      ['2: unknown instruction: runn', '3: unknown instruction: coppy'],
    ],
  ] as const) {
    it(`reports once ${what}`, () => {
      const found = errorsOf(text);
      assert.equal(found.length, expected.length, found.join('\n'));
      for (const [index, start] of expected.entries()) {
        assert.ok(found[index]?.startsWith(start), found[index]);
      }
    });
  }

  it('reports each of several mistakes once, and nothing else', () => {
    const mistakes = fc.array(fc.option(fc.constantFrom(...MISTAKES), { freq: 3 }), {
      minLength: GOOD.length,
      maxLength: GOOD.length,
    });
    fc.assert(
      fc.property(mistakes, (chosen) => {
        const lines: string[] = [];
        const expected: number[] = [];
        for (const [index, good] of GOOD.entries()) {
          const mistake = chosen[index] ?? null;
          if (mistake !== null) {
            expected.push(lines.length + 1);
            lines.push(...mistake.split('\n'));
          }
          lines.push(...good.split('\n'));
        }
        const { errors, dockerfile } = parseDockerfileWithErrors(lines.join('\n'));
        const found = errors.map(({ location }) => location?.range.start.line ?? 0);
        assert.deepEqual(
          found.toSorted((a, b) => a - b),
          expected,
        );
        assert.equal(dockerfile.instructions.length, GOOD.length);
      }),
      { numRuns: 300 },
    );
  }).timeout(120_000);

  it('stops after 100 errors', () => {
    assert.equal(errorsOf(`FROM a\n${'ENV b\n'.repeat(200)}`).length, 100);
    assert.equal(errorsOf(`FROM a\n${'FOO b\n'.repeat(200)}`).length, 100);
  });

  it('does not look for the ends of many heredocs again and again', () => {
    const text = `FROM a\n${Array.from({ length: 20_000 }, (_, i) => `RUN <<E${i}\n`).join('')}`;
    assert.equal(errorsOf(text).length, 11);
  }).timeout(120_000);
});

describe('parseDockerfile()', () => {
  it('throws what BuildKit would report, with the other errors', () => {
    assert.throws(
      () => parseDockerfile(WRONG),
      (error) => {
        assert.ok(hasCode(error, 'ERR_PARSE'));
        const all = parseDockerfileWithErrors(WRONG).errors;
        assert.deepEqual(problems([error, ...error.others]), problems(all));
        assert.ok(error.others.every(({ others }) => others.length === 0));
        return true;
      },
    );
  });
});
