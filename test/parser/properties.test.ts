import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import {
  expandWord,
  parseDockerfile,
  parseDockerfileWithErrors,
  parseMount,
  parsePorts,
  print,
} from '../../parser/index.ts';
import { TsbuildError } from '../../src/errors.ts';
import { corpusTexts, whyNoCorpus } from '../support/corpus.ts';
import { itUnless } from '../support/missing.ts';

const FRAGMENTS = [
  ['FROM a', 'RUN', 'COPY', 'ADD', 'ENV', 'LABEL', 'ARG', 'ONBUILD', 'SHELL', 'CMD', 'EXPOSE'],
  ['HEALTHCHECK', 'VOLUME', 'WORKDIR', 'CMD', 'NONE', '#', '# escape=`', '--', '--from=', '=', ','],
  ['"', "'", '\\', '`', '$', '${', '}', ':-', '<<EOF', '<<-', 'EOF', '[', ']', '["a"]', '{', '1'],
  [
    ' ',
    '\t',
    '\n',
    '\n',
    '\r\n',
    '\\\n',
    '\u00a0',
    '\ufeff',
    '\u0085',
    'é',
    '😀',
    '\ud800',
    'x',
    'AS b',
  ],
].flat();

const text = fc.array(fc.oneof(fc.constantFrom(...FRAGMENTS), fc.string({ unit: 'binary' })), {
  maxLength: 40,
});

/** Runs `parse`; any failure must be one of ours. */
function attempt<T>(parse: () => T): T | TsbuildError {
  try {
    return parse();
  } catch (error) {
    assert.ok(error instanceof TsbuildError, String(error));
    return error;
  }
}

/** Reads any text: each error must have a place in it, and the AST must print it. */
function checkAny(source: string): readonly TsbuildError[] {
  const { dockerfile, errors } = parseDockerfileWithErrors(source);
  assert.equal(print(dockerfile), source);
  const lines = source.split('\n').length;
  for (const { location } of errors) {
    assert.ok(location !== undefined && location.source === source);
    assert.ok(location.range.start.line >= 1 && location.range.end.line <= lines);
  }
  const thrown = attempt(() => parseDockerfile(source));
  assert.equal(thrown instanceof TsbuildError, errors.length > 0);
  if (thrown instanceof TsbuildError) assert.equal(thrown.message, errors[0]?.message);
  return errors;
}

describe('any text', () => {
  it('gives an AST with ranges inside the file, or an error with a location', () => {
    fc.assert(
      fc.property(text, (parts) => {
        const source = parts.join('');
        const lines = source.split('\n');
        const result = attempt(() => parseDockerfile(source));
        const ranges =
          result instanceof TsbuildError
            ? [result.location?.range]
            : result.instructions.map((instruction) => instruction.range);
        for (const range of ranges) {
          assert.ok(range !== undefined);
          assert.ok(range.start.line >= 1 && range.start.line <= range.end.line);
          assert.ok(range.end.line <= lines.length);
          assert.ok(range.start.column <= (lines[range.start.line - 1] ?? '').length);
        }
      }),
      { numRuns: 3000 },
    );
  }).timeout(120_000);

  it('expands, or fails with one of our errors', () => {
    fc.assert(
      fc.property(text, (parts) => {
        attempt(() => expandWord(parts.join(''), () => 'a b', { escape: '\\' }));
        attempt(() => parseMount(parts.join('')));
        attempt(() => parsePorts([parts.join('')]));
      }),
      { numRuns: 3000 },
    );
  }).timeout(120_000);

  it('is told apart into errors, each with a location, and an AST that prints it', () => {
    const property = fc.property(text, (parts) => {
      checkAny(parts.join(''));
    });
    fc.assert(property, { numRuns: 2000 });
  }).timeout(120_000);

  const withMistakes =
    'gives an AST or located errors when it is a Dockerfile of ../shared with mistakes';
  itUnless(whyNoCorpus())(withMistakes, async () => {
    const texts = corpusTexts().filter((source) => source.length < 20_000);
    const cut = fc.record({
      at: fc.double({ min: 0, max: 1, noNaN: true }),
      length: fc.nat(30),
      insert: fc.oneof(fc.constant(''), fc.constantFrom(...FRAGMENTS)),
    });
    fc.assert(
      fc.property(fc.constantFrom(...texts), fc.array(cut, { maxLength: 5 }), (source, cuts) => {
        checkAny(
          cuts.reduce((mutated, { at, length, insert }) => {
            const from = Math.floor(at * mutated.length);
            return mutated.slice(0, from) + insert + mutated.slice(from + length);
          }, source),
        );
      }),
      { numRuns: 1500 },
    );
  }).timeout(120_000);

  it('may be bytes that are no UTF-8, decoded or not', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        const decoded = new TextDecoder().decode(bytes);
        checkAny(`FROM a\nRUN ${decoded}\n${decoded}`);
        checkAny(
          `FROM a\nENV ${Array.from(bytes, (byte) => String.fromCharCode(0xd7c0 + byte * 8)).join('')}`,
        );
      }),
      { numRuns: 500 },
    );
    const { dockerfile } = parseDockerfileWithErrors('FROM a\nRUN \ufffd\ud800\udc00\udfff');
    assert.equal(dockerfile.instructions[1]?.text, 'RUN \ufffd\ud800\udc00\udfff');
  }).timeout(120_000);

  it('may nest deeply', () => {
    for (const [open, close] of [
      ['${a:-', '}'],
      ['${a/', '/b}'],
      ['"', '"'],
      ['[', ']'],
      ['["', '"]'],
      ['{"a":', '}'],
      ['ONBUILD ', ''],
    ] as const) {
      const nested = open.repeat(5000) + close.repeat(5000);
      for (const start of ['', 'RUN ', 'RUN <<', 'COPY ', 'ENV a=', 'ENV ', 'HEALTHCHECK CMD ']) {
        checkAny(`FROM a\n${start}${nested}\n`);
      }
      attempt(() => expandWord(nested, () => undefined, { escape: '\\' }));
    }
  }).timeout(120_000);

  it('LEX-1: may have lines of 65535 bytes, no longer ones, in any instruction', () => {
    for (const start of [
      'RUN ',
      'COPY a ',
      'ENV a=',
      'ENV a ',
      'LABEL "',
      'RUN --mount=',
      'SHELL ["',
    ]) {
      for (const unit of ['x', '"', '\\"', "'", '$', '<<', 'é', '😀', '\ud800', '=', ',', ' \t']) {
        const bytes = Buffer.byteLength(unit);
        const fill = Math.floor((65_535 - start.length) / bytes);
        const line = start + unit.repeat(fill) + 'y'.repeat(65_535 - start.length - fill * bytes);
        assert.equal(Buffer.byteLength(line), 65_535);
        const tooLong = (source: string): boolean =>
          checkAny(source).some(({ message }) => message.includes('greater than max'));
        assert.ok(!tooLong(`FROM a\n${line}\n`), `${start}${unit}`);
        assert.ok(tooLong(`FROM a\n${line}z\n`), `${start}${unit}`);
      }
    }
  }).timeout(120_000);

  for (const [what, start, unit, end] of [
    ['instructions', 'FROM a\n', 'RUN echo hello world\n', ''],
    ['wrong instructions', 'FROM a\n', 'RUM echo hello world\n', ''],
    ['comments', '', '# a comment\n', 'FROM a\n'],
    ['blank lines', 'FROM a\n', '\n', ''],
    ['a heredoc', 'FROM a\nRUN <<E\n', 'echo hello world\n', 'E\n'],
    ['heredocs without an end', 'FROM a\n', 'RUN <<E\n', ''],
    ['one RUN', 'FROM a\nRUN a', ' && b \\\n', 'c\n'],
    ['one ENV', 'FROM a\nENV ', 'a="b c" \\\n', 'd=e\n'],
    ['one array', 'FROM a\nRUN [', '"a", \\\n', '"b"]\n'],
    ['one word', 'FROM a\nENV a="', '\\"\\\n', '"\n'],
  ] as const) {
    it(`may be 5 MB of ${what}`, () => {
      const source = start + unit.repeat(5e6 / unit.length) + end;
      const began = performance.now();
      parseDockerfileWithErrors(source);
      // Usually about a second, at most two: generous, because the machine is shared.
      assert.ok(performance.now() - began < 20_000);
    }).timeout(120_000);
  }

  for (const [name, source] of [
    ['white space', `FROM x\nRUN ${' '.repeat(60_000)}y`],
    ['a directive of white space', `# syntax=${' '.repeat(60_000)}y\nFROM x`],
    ['quotes', `FROM x\nENV a=${'"\''.repeat(30_000)}`],
    ['open arrays', `FROM x\nRUN ${'['.repeat(60_000)}`],
    ['nested arrays', `FROM x\nRUN ${'['.repeat(5000)}${']'.repeat(5000)}`],
    ['flags', `FROM x\nRUN ${'--a '.repeat(15_000)}`],
    ['triggers', `FROM x\n${'ONBUILD '.repeat(8000)}RUN y`],
    ['escapes', `FROM x\nENV ${'\\'.repeat(60_000)}`],
    ['heredocs', `FROM x\nRUN ${'<<A '.repeat(10_000)}\n${'A\n'.repeat(10_000)}`],
    ['continuations', `FROM x\nCOPY ${'a \\\n'.repeat(50_000)} b`],
    ['substitutions', `FROM x\nRUN <<${'${a:-'.repeat(10_000)}`],
  ] as const) {
    it(`takes no longer for many ${name}`, () => {
      const start = performance.now();
      attempt(() => parseDockerfile(source));
      const time = performance.now() - start;
      // A few milliseconds; what is quadratic takes far longer than even a busy machine.
      assert.ok(time < 8000, `${time} ms`);
    });
  }

  it('reads 10,000 instructions in a fraction of a second', () => {
    const source = `FROM x\n${'RUN --mount=type=cache,target=/c a && b\nENV a="b c" d=e\nCOPY --from=a b c\nCMD ["a", "b"]\n'.repeat(2500)}`;
    parseDockerfile(source);
    const start = performance.now();
    assert.equal(parseDockerfile(source).instructions.length, 10_001);
    // Usually 60 ms; generous, because the machine is shared.
    assert.ok(performance.now() - start < 8000);
  });
});
