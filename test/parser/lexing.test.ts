import assert from 'node:assert/strict';
import { parseDockerfile } from '../../parser/index.ts';
import { lastOf } from './last-instruction.ts';

/** What is read, the file, and the text of its instructions. */
const LINES: readonly (readonly [id: string, what: string, source: string, texts: string[]])[] = [
  ['LEX-2', 'a last line without an end', 'FROM a\nRUN b', ['FROM a', 'RUN b']],
  ['LEX-2', 'lines that end in several \\r', 'FROM a\r\r\nRUN b\r\n', ['FROM a', 'RUN b']],
  ['LEX-2', 'a \\r that ends no line', 'FROM\ra\nRUN b\rc', ['FROM\ra', 'RUN b\rc']],
  ['LEX-2', 'a byte order mark above an empty line', '\uFEFF\nFROM a', ['FROM a']],
  ['LEX-5', 'any white space before an instruction', '\t\v\f\u00a0\u2003FROM a', ['FROM a']],
  ['LEX-4', 'a comment after any white space', '\v\u00a0# b\nFROM a', ['FROM a']],
  ['LEX-4', 'a number sign that begins no line', 'FROM a#b', ['FROM a#b']],
  ['LEX-4', 'comments in a continuation', 'FROM \\\n# b \\\n  #c\n a', ['FROM  a']],
  ['LEX-6', 'blanks behind a continuation', 'FROM \\ \t\r\n a', ['FROM  a']],
  ['LEX-6', 'no continuation before other white space', 'FROM a\\\v\nRUN b', ['FROM a\\', 'RUN b']],
  ['LEX-6', 'no continuation after two escapes', 'FROM a\\\\\nRUN b', ['FROM a\\\\', 'RUN b']],
  ['LEX-6', 'no continuation after three', 'FROM a\\\\\\\nRUN b', ['FROM a\\\\\\', 'RUN b']],
  ['LEX-6', 'a line of an escape alone', 'FROM\\\n\\\n a', ['FROM a']],
  ['LEX-6', 'words that are continued', 'FR\\\nOM a\\\nb', ['FROM ab']],
  ['LEX-7', 'the end of the file in a continuation', 'FROM a \\', ['FROM a']],
  ['DIR-4', 'a backtick as the escape', '# escape=`\nFROM a`\nb\\\nRUN c', ['FROM ab\\', 'RUN c']],
  ['DIR-2', 'an escape below a blank line as a comment', '\n# escape=`\nFROM a`', ['FROM a`']],
];

describe('parseDockerfile(): lines and characters', () => {
  for (const [id, what, source, texts] of LINES) {
    it(`${id}: reads ${what}`, () => {
      const { instructions } = parseDockerfile(source);
      assert.deepEqual(
        instructions.map(({ text }) => text),
        texts,
      );
    });
  }

  it('LEX-9: keeps NUL and letters of any script in words', () => {
    const { pairs } = lastOf('FROM a\nENV b="\0" ключ=日本 c=é😀', 'env');
    assert.deepEqual(
      pairs.map(({ name, value }) => [name, value]),
      [
        ['b', '"\0"'],
        ['ключ', '日本'],
        ['c', 'é😀'],
      ],
    );
  });
});

describe('parseDockerfile(): JSON', () => {
  for (const [json, argv] of [
    ['["\\u0041\\ud83d\\ude00", "\\ud800"]', ['A😀', '\uFFFD']],
    ['[ "a" ,\t"b" ] ', ['a', 'b']],
    ['["a \\" \\\\ \\/ \\b\\f\\n\\r\\t\\u0000"]', ['a " \\ / \b\f\n\r\t\0']],
    ['["$a"]', ['$a']],
  ] as const) {
    it(`FORM-5, FORM-9: reads ${json}`, () => {
      assert.deepEqual(lastOf(`FROM a\nCMD ${json}`, 'cmd').command, { form: 'exec', argv });
    });
  }

  for (const line of [
    '["a",]',
    '["a" "b"]',
    '["\\x"]',
    '["a\tb"]',
    "['a']",
    '["a"] b',
    '["a"',
    '{"a": "b"}',
  ]) {
    it(`FORM-5: takes ${JSON.stringify(line)} for shell form`, () => {
      assert.deepEqual(lastOf(`FROM a\nCMD ${line}`, 'cmd').command, { form: 'shell', line });
    });
  }

  it('FORM-5: reads an array over several lines', () => {
    const { command } = lastOf('FROM a\nCMD ["b", \\\n# c\n  "d"]', 'cmd');
    assert.deepEqual(command, { form: 'exec', argv: ['b', 'd'] });
  });
});

describe('parseDockerfile(): heredocs and what is around them', () => {
  it('HD-2: reads several, with quotes, blanks, tabs and descriptors, in the order of the line', () => {
    const line = `RUN cat <<-"A" <<'B C' << D 4<<E\\'F`;
    const { heredocs } = lastOf(`FROM a\n${line}\n\t1\n\tA\n2\nB C\n3\nD\n4\nE'F\n`, 'run');
    assert.deepEqual(
      heredocs.map(({ name, content, expand, fileDescriptor }) => [
        name,
        content,
        expand,
        fileDescriptor,
      ]),
      [
        ['A', '1\n', false, 0],
        ['B C', '2\n', false, 0],
        ['D', '3\n', true, 0],
        ["E'F", '4\n', true, 4],
      ],
    );
  });

  it('CP-18: reads several with quotes and tabs as files', () => {
    const { sources } = lastOf('FROM a\nCOPY <<-"A" <<B /c/\n\t1\n\tA\n$2\nB\n', 'copy');
    assert.deepEqual(
      sources.map((found) =>
        found.kind === 'heredoc' ? [found.name, found.content, found.expand] : found.text,
      ),
      [
        ['A', '1\n', false],
        ['B', '$2\n', true],
      ],
    );
  });

  it('HD-3: reads bodies raw: comments, continuations, directives, CRLF', () => {
    const source = '# escape=`\r\nFROM a\r\nRUN <<E\r\n# b\r\nc:\\d `\r\n\r\nE\r\nUSER f`\r\ng\r\n';
    const [, run, user] = parseDockerfile(source).instructions;
    assert.equal(run?.kind === 'run' && run.heredocs[0]?.content, '# b\r\nc:\\d `\r\n\r\n');
    assert.equal(user?.kind === 'user' && user.value, 'fg');
  });

  it('HD-1, DIR-4: reads delimiters with a backslash even where a backtick escapes', () => {
    const { heredocs } = lastOf("# escape=`\nFROM a\nRUN <<E\\'F\nb\nE'F", 'run');
    assert.deepEqual([heredocs[0]?.name, heredocs[0]?.content], ["E'F", 'b\n']);
  });

  it('HC-4: keeps the bodies of triggers as they are, tabs too', () => {
    const { trigger } = lastOf('FROM a\nONBUILD COPY <<-A <<B /c/\n\t1\n\tA\n2\nB', 'onbuild');
    assert.equal(trigger, 'COPY <<-A <<B /c/\n\t1\nA\n2\nB');
  });

  it('HD-9: has the bodies in the AST, so that whoever compares instructions sees them', () => {
    const [one, two] = ['1', '2'].map((body) => lastOf(`FROM a\nRUN <<E\n${body}\nE`, 'run'));
    assert.notDeepEqual(one, two);
  });
});
