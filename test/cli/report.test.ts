import assert from 'node:assert/strict';
import { parseDockerfile } from '../../parser/index.ts';
import { renderReport } from '../../src/cli/report.ts';
import { type SourceLocation, TsbuildError } from '../../src/index.ts';

const PLAIN = { step: undefined, color: false, debug: false };
const SOURCE = 'FROM base\n\nCOPY a b\nRUN one && \\\n  two\nCMD x\nCMD y\nCMD z\nCMD w\n';

function at(first: number, last: number): SourceLocation {
  const range = { start: { line: first, column: 0 }, end: { line: last, column: 5 } };
  return { file: 'Dockerfile', range, source: SOURCE };
}

const failure = (message: string, hint?: string): TsbuildError =>
  new TsbuildError('ERR_REGISTRY_UNREACHABLE', {
    message,
    details: { registry: 'registry.example' },
    hint,
  });

function syntaxError(text: string): unknown {
  try {
    return parseDockerfile(text);
  } catch (error) {
    return error;
  }
}

describe('renderReport()', () => {
  it("shows the step's output, the place, the error and the hint, as BuildKit does (LEX-10, LIM-3)", () => {
    const error = new TsbuildError('ERR_STEP_FAILED', {
      message: 'process "/bin/sh -c one && two" did not complete successfully: exit code: 7',
      details: { exitCode: 7, output: 'first\nlast words\n' },
      location: at(4, 5),
      hint: 'Try again.',
    });
    assert.equal(
      renderReport(error, { ...PLAIN, step: '[build 3/3] RUN one &&   two' }),
      `------
 > [build 3/3] RUN one &&   two:
first
last words
------
Dockerfile:4
--------------------
   1 |     FROM base
   2 |
   3 |     COPY a b
   4 | >>> RUN one && \\
   5 | >>>   two
   6 |     CMD x
   7 |     CMD y
   8 |     CMD z
--------------------
ERROR: process "/bin/sh -c one && two" did not complete successfully: exit code: 7 [ERR_STEP_FAILED]
hint: Try again.
`,
    );
  });

  it('shows a frame at the edges of the file', () => {
    const text = (location: SourceLocation) =>
      renderReport(
        new TsbuildError('ERR_PARSE', { message: 'x', details: undefined, location }),
        PLAIN,
      );
    assert.match(text(at(1, 1)), /^Dockerfile:1\n-{20}\n {3}1 \| >>> FROM base\n/);
    assert.match(text(at(9, 9)), / {3}9 \| >>> CMD w\n {2}10 \|\n-{20}\n/);
  });

  it('underlines the part of a line that is meant, not all of it', () => {
    const part = renderReport(syntaxError('FROM a\n\tCOPY --chwon=1 a b\n'), PLAIN);
    const under = `     |     \t     ${'^'.repeat('--chwon=1'.length)}\n`;
    assert.ok(part.includes(`   2 | >>> \tCOPY --chwon=1 a b\n${under}   3 |\n`), part);
    const all = renderReport(syntaxError('FROM a\n  ODD\n'), PLAIN);
    assert.ok(all.includes('   2 | >>>   ODD\n   3 |\n'), all);
  });

  it('keeps only the last lines of a long output', () => {
    const output = Array.from({ length: 1000 }, (_, i) => `line ${i}`).join('\n');
    const error = new TsbuildError('ERR_STEP_FAILED', {
      message: 'x',
      details: { exitCode: 1, output },
    });
    const report = renderReport(error, PLAIN);
    assert.match(report, /line 999/);
    assert.equal(report.match(/^line /gm)?.length, 20);
  });

  it('removes control characters and escape sequences', () => {
    const report = renderReport(failure('a\u001b[2Jb\u0007c\rd'), PLAIN);
    assert.equal(report, 'ERROR: abcd [ERR_REGISTRY_UNREACHABLE]\n');
  });

  const secrets = [
    'https://user:hunter2@registry.example/v2/',
    'https://hunter2@registry.example/v2/',
    'https://user:hun\rter2@registry.example/v2/',
    'Authorization: Bearer hunter2hunter2',
    'https://x.example/b?X-Amz-Signature=hunter2&y=1',
    'https://x.example/b?y=1&token=hunter2',
  ];
  for (const secret of secrets) {
    it(`hides the credential of ${JSON.stringify(secret)}, also in the hint and the cause`, () => {
      const cause = new Error(secret);
      const error = new TsbuildError('ERR_REGISTRY_UNREACHABLE', {
        message: `Cannot reach "${secret}"`,
        hint: secret,
        cause,
        details: { registry: 'registry.example' },
      });
      assert.doesNotMatch(renderReport(error, { ...PLAIN, debug: true }), /hun\r?ter2/);
    });
  }

  it('paints only when asked to', () => {
    const error = failure('x', 'y');
    assert.ok(
      renderReport(error, { ...PLAIN, color: true }).startsWith('\u001b[31mERROR:\u001b[39m x'),
    );
    assert.ok(!renderReport(error, PLAIN).includes('\u001b'));
  });

  it('shows every syntax error at its place, from top to bottom, then how many there are', () => {
    const text = renderReport(syntaxError('FROM a\nRUM b\nENV c\n'), PLAIN);
    assert.match(
      text,
      /^Dockerfile:2\n[^]*>>> RUM b\n[^]*mean RUN\?\) \[ERR_INSTRUCTION_INVALID\]\n\n/,
    );
    assert.match(
      text,
      /\n\nDockerfile:3\n[^]*ERROR: .*ENV must have two arguments \[ERR_PARSE\]\n\n/,
    );
    assert.match(text, /\n\n2 errors\n$/);
    assert.doesNotMatch(renderReport(syntaxError('FROM a\nRUM c\n'), PLAIN), /errors/);
  });

  it('calls anything else a bug, with the stack only for debugging', () => {
    const error = new TypeError('x is not a function', { cause: new Error('deeper') });
    const short = renderReport(error, PLAIN);
    assert.match(
      short,
      /^ERROR: tsbuild failed .*TypeError: x is not a function\nhint: This is a bug/,
    );
    assert.doesNotMatch(short, /\n +at /);
    const long = renderReport(error, { ...PLAIN, debug: true });
    assert.match(long, /report\.test\.ts/);
    assert.match(long, /caused by: Error: deeper/);
  });
});
