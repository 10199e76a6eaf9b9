import assert from 'node:assert/strict';
import * as fc from 'fast-check';
import { expandWord, parseDockerfile, parseMount, parsePorts } from '../../parser/index.ts';
import { TsbuildError } from '../../src/errors.ts';

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
  }).timeout(30_000);

  it('expands, or fails with one of our errors', () => {
    fc.assert(
      fc.property(text, (parts) => {
        attempt(() => expandWord(parts.join(''), () => 'a b', { escape: '\\' }));
        attempt(() => parseMount(parts.join('')));
        attempt(() => parsePorts([parts.join('')]));
      }),
      { numRuns: 3000 },
    );
  }).timeout(30_000);

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
      assert.ok(time < 1000, `${time} ms`);
    });
  }

  it('reads 10,000 instructions in a fraction of a second', () => {
    const source = `FROM x\n${'RUN --mount=type=cache,target=/c a && b\nENV a="b c" d=e\nCOPY --from=a b c\nCMD ["a", "b"]\n'.repeat(2500)}`;
    parseDockerfile(source);
    const start = performance.now();
    assert.equal(parseDockerfile(source).instructions.length, 10_001);
    // Usually 60 ms; generous, because the machine is shared.
    assert.ok(performance.now() - start < 1000);
  });
});
