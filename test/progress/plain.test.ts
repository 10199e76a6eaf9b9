import assert from 'node:assert/strict';
import type { BuildEvent } from '../../src/progress/event.ts';
import { plainProgress } from '../../src/progress/plain.ts';

const start = (step: number, name: string): BuildEvent => ({
  kind: 'step-start',
  step,
  name,
  location: undefined,
  time: 1e3,
});
const output = (
  step: number,
  text: string,
  stream: 'stdout' | 'stderr' = 'stdout',
): BuildEvent => ({
  kind: 'step-output',
  step,
  stream,
  data: Buffer.from(text),
});
const end = (step: number, cached = false, detail?: string): BuildEvent => ({
  kind: 'step-end',
  step,
  cached,
  duration: 440,
  detail,
});

function render(events: readonly BuildEvent[], now = 1123): string {
  let text = '';
  const show = plainProgress(
    (more) => (text += more),
    () => now,
  );
  for (const event of events) show(event);
  return text;
}

describe('plainProgress() (LIM-4)', () => {
  it('tells the parts of a step when they begin and when they are done, as BuildKit does', () => {
    const part = (duration: number | undefined): BuildEvent => ({
      ...{ kind: 'step-status', step: 1, name: 'pushing layers', duration },
    });
    assert.equal(
      render([start(1, 'exporting to image'), part(undefined), part(210), end(1)]),
      `#1 exporting to image
#1 pushing layers
#1 pushing layers 0.2s done
#1 DONE 0.4s
`,
    );
  });

  it('names a step, shows its output with the time, and how it ended', () => {
    const events = [start(1, '[1/2] FROM base'), end(1, true), start(2, '[2/2] RUN make')];
    const text = render([...events, output(2, 'cc main.c\n'), end(2, false, 'layer sha256:1')]);
    assert.equal(
      text,
      `#1 [1/2] FROM base
#1 CACHED

#2 [2/2] RUN make
#2 0.123 cc main.c
#2 layer sha256:1
#2 DONE 0.4s
`,
    );
  });

  it('repeats the name when another step has spoken in between, and lets one wait that has nothing to say', () => {
    const text = render([start(1, 'one'), start(2, 'two'), output(1, 'a\n'), end(2), end(1)]);
    assert.equal(
      text,
      `#1 one
#1 0.123 a
#1 ...

#2 two
#2 DONE 0.4s

#1 one
#1 DONE 0.4s
`,
    );
  });

  it('makes lines of output that comes in any pieces, per step and stream', () => {
    const text = render([
      start(1, 'one'),
      ...[output(1, 'he'), output(1, 'err', 'stderr'), output(1, 'llo\nwor'), output(1, 'ld')],
      end(1),
    ]);
    assert.deepEqual(text.split('\n').slice(1, 4), [
      '#1 0.123 hello',
      '#1 0.123 world',
      '#1 0.123 err',
    ]);
  });

  it('does not cut a character that is split between two pieces', () => {
    const bytes = Buffer.from('grün\n');
    const pieces = [bytes.subarray(0, 3), bytes.subarray(3)].map(
      (data): BuildEvent => ({ kind: 'step-output', step: 1, stream: 'stdout', data }),
    );
    assert.match(render([start(1, 'one'), ...pieces]), /#1 0\.123 grün\n/);
  });

  it('shows the last text of a line that was overwritten, and no carriage return', () => {
    const text = render([start(1, 'one'), output(1, '10%\r50%\r100%\r\nnext\r\n')]);
    assert.equal(text, '#1 one\n#1 0.123 100%\n#1 0.123 next\n');
  });

  it('cuts a line that does not end, so that it is not kept in memory', () => {
    const text = render([start(1, 'one'), output(1, 'x'.repeat(200_000))]);
    assert.ok(text.length > 190_000);
  });

  it('tells what failed from what was stopped', () => {
    const failed: BuildEvent = { kind: 'step-error', step: 1, error: undefined, failed: true };
    const stopped: BuildEvent = { kind: 'step-error', step: 2, error: undefined, failed: false };
    const text = render([start(1, 'one'), start(2, 'two'), failed, stopped]);
    assert.match(text, /^#1 ERROR: failed$/m);
    assert.match(text, /^#2 CANCELED$/m);
  });

  it('shows times in five characters', () => {
    const times = [1000, 1100, 2234, 13_345, 124_456, 1_001_000, 1_235_567].map((now) => {
      const text = render([start(1, 'one'), output(1, 'x\n')], now);
      return /#1 (\S+) x/.exec(text)?.[1];
    });
    assert.deepEqual(times, ['0.000', '0.100', '1.234', '12.35', '123.5', '1000', '1235']);
  });

  it('shows notices between steps', () => {
    const range = { start: { line: 3, column: 0 }, end: { line: 3, column: 1 } };
    const location = { file: 'Dockerfile', range, source: '' };
    const text = render([
      { kind: 'notice', level: 'warning', message: 'Careful', location },
      start(1, 'one'),
      { kind: 'notice', level: 'info', message: 'By the way', location: undefined },
      end(1),
    ]);
    assert.equal(
      text,
      'WARNING: Careful (Dockerfile:3)\n#1 one\nNOTE: By the way\n\n#1 one\n#1 DONE 0.4s\n',
    );
  });
});
