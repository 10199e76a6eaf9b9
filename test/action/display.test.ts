import assert from 'node:assert/strict';
import { createDisplay } from '../../src/action/display.ts';
import { createPathOf } from '../../src/action/place.ts';
import { createRunner } from '../../src/action/runner.ts';
import type { BuildEvent } from '../../src/index.ts';

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

/** What events leave in the log, with all times alike. */
function shown(events: readonly BuildEvent[]): readonly string[] {
  let log = '';
  const runner = createRunner({}, (text) => (log += text));
  const display = createDisplay(runner, { annotates: true, pathOf: (file) => `app/${file}` });
  for (const event of events) display.onEvent(event);
  display.close();
  return log.split('\n').map((line) => line.replace(/ \d+\.\d+ /, ' TIME '));
}

const start = (step: number, name: string): BuildEvent => ({
  ...{ kind: 'step-start', step, name, location: undefined },
  time: Date.now(),
});
const output = (step: number, text: string): BuildEvent => ({
  ...{ kind: 'step-output', step, stream: 'stdout' },
  data: bytes(text),
});
const end = (step: number): BuildEvent => ({
  ...{ kind: 'step-end', step, cached: false, duration: 100 },
  detail: undefined,
});

describe('createDisplay() of an action', () => {
  it('ends the group of a step when another one speaks, and never has one in another', () => {
    const events = [start(1, '[a 1/1] RUN x'), start(2, '[b 1/1] RUN y')];
    const lines = shown([...events, output(1, 'one\n'), output(2, 'two\n'), end(2), end(1)]);
    assert.deepEqual(
      lines.filter((line) => line !== ''),
      [
        '::group::#1 [a 1/1] RUN x',
        '#1 TIME one',
        '#1 ...',
        '::endgroup::',
        '::group::#2 [b 1/1] RUN y',
        '#2 TIME two',
        '::endgroup::',
        '#2 DONE 0.1s',
        '::group::#1 [a 1/1] RUN x',
        '::endgroup::',
        '#1 DONE 0.1s',
      ],
    );
  });

  it('takes nothing that is said for a command', () => {
    const lines = shown([
      start(1, 'RUN echo ##[error]%0A::x'),
      output(1, '::error::a\n##[set-output name=digest]b\n\r::c::d\n'),
      { kind: 'notice', level: 'info', message: 'a\n::error::b', location: undefined },
    ]);
    const commands = lines.filter((line) => /^\s*::|##\[/.test(line));
    assert.deepEqual(commands, ['::group::#1 RUN echo ##[error]%250A::x', '::endgroup::']);
  });

  it('shows a warning of several lines at all of them', () => {
    const range = { start: { line: 2, column: 0 }, end: { line: 4, column: 3 } };
    const location = { file: 'Dockerfile', source: '', range };
    const lines = shown([{ kind: 'notice', level: 'warning', message: 'a: 100%\nb', location }]);
    assert.equal(lines[0], '::warning file=app/Dockerfile,line=2,endLine=4::a: 100%25%0Ab');
  });
});

describe('createPathOf()', () => {
  const own = { GITHUB_REPOSITORY: 'me/app' };
  const cases = [
    ['a file of the context, in the workspace', { context: '/w/app' }, 'app/Dockerfile'],
    ['a file that was named', { context: '/w', dockerfile: '/w/x/y' }, 'x/y'],
    ['none for a file outside of the workspace', { context: '/other' }, undefined],
    ['none for a file from elsewhere', { context: 'https://example.com/a.git' }, undefined],
    [
      'a file of the repository',
      { context: 'https://github.com/me/app.git#1:sub' },
      'sub/Dockerfile',
    ],
  ] as const;
  for (const [what, options, path] of cases) {
    it(`answers ${what}`, () => {
      const file = 'dockerfile' in options ? options.dockerfile : 'Dockerfile';
      assert.equal(createPathOf(options, '/w', own)(file), path);
    });
  }
});
