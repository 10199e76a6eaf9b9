import assert from 'node:assert/strict';
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

  it('stops after 100 errors', () => {
    assert.equal(errorsOf(`FROM a\n${'ENV b\n'.repeat(200)}`).length, 100);
    assert.equal(errorsOf(`FROM a\n${'FOO b\n'.repeat(200)}`).length, 100);
  });

  it('does not look for the ends of many heredocs again and again', () => {
    const text = `FROM a\n${Array.from({ length: 20_000 }, (_, i) => `RUN <<E${i}\n`).join('')}`;
    assert.equal(errorsOf(text).length, 11);
  }).timeout(5000);
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
