import assert from 'node:assert/strict';
import { TsbuildError } from '../../src/errors.ts';
import { digestOf } from '../../src/oci/digest.ts';
import type { BuildEvent } from '../../src/progress/event.ts';
import { Progress } from '../../src/progress/progress.ts';

const FIRST = { name: '[1/2] FROM scratch', location: undefined };
const SECOND = { name: '[2/2] COPY a b', location: undefined };

function recorded(): { readonly progress: Progress; readonly events: BuildEvent[] } {
  const events: BuildEvent[] = [];
  return { progress: new Progress((event) => events.push(event)), events };
}

describe('Progress', () => {
  it('numbers steps in the order of the plan, whenever they start', () => {
    const { progress, events } = recorded();
    progress.plan([FIRST, SECOND]);
    progress.start(SECOND);
    progress.start(FIRST);
    progress.start({ name: 'exporting', location: undefined });
    assert.deepEqual(events[0], {
      kind: 'plan',
      steps: [
        { step: 1, ...FIRST },
        { step: 2, ...SECOND },
      ],
    });
    const started = events.flatMap((event) => (event.kind === 'step-start' ? [event.step] : []));
    assert.deepEqual(started, [2, 1, 3]);
  });

  it('takes the time of a start, in milliseconds since the Unix epoch', () => {
    const { progress, events } = recorded();
    const before = Date.now();
    progress.start(FIRST);
    const [event] = events;
    assert.ok(event?.kind === 'step-start' && event.time >= before && event.time <= Date.now());
    assert.equal(event.name, FIRST.name);
  });

  it('passes output on as it comes', () => {
    const { progress, events } = recorded();
    const data = Buffer.from([0xff, 0x0a]);
    progress.start(FIRST).output('stderr', data);
    assert.deepEqual(events[1], { kind: 'step-output', step: 1, stream: 'stderr', data });
  });

  it('tells how a step ended, and keeps reports in the order of the plan', () => {
    const { progress, events } = recorded();
    progress.plan([FIRST, SECOND]);
    const first = progress.start(FIRST);
    const layer = digestOf('layer');
    progress.start(SECOND).end({ cached: false, layer });
    first.end({ cached: true, detail: 'sha256:…' });
    const last = events.at(-1);
    assert.ok(last?.kind === 'step-end' && last.duration >= 0);
    assert.deepEqual(
      { ...last, duration: 0 },
      { kind: 'step-end', step: 1, cached: true, duration: 0, detail: 'sha256:…' },
    );
    assert.deepEqual(
      progress.reports.map(({ name, cached, layer: made }) => ({ name, cached, made })),
      [
        { name: FIRST.name, cached: true, made: undefined },
        { name: SECOND.name, cached: false, made: layer },
      ],
    );
  });

  it('tells a step that failed from one that was stopped, and reports neither', () => {
    const { progress, events } = recorded();
    const error = new TsbuildError('ERR_USAGE', { message: 'no', details: undefined });
    progress.start(FIRST).fail(error);
    progress.start(SECOND).fail(undefined);
    assert.deepEqual(
      events.filter(({ kind }) => kind === 'step-error'),
      [
        { kind: 'step-error', step: 1, error, failed: true },
        { kind: 'step-error', step: 2, error: undefined, failed: false },
      ],
    );
    assert.deepEqual(progress.reports, []);
  });

  it('passes notices on', () => {
    const { progress, events } = recorded();
    progress.notice('warning', 'careful');
    assert.deepEqual(events, [
      { kind: 'notice', level: 'warning', message: 'careful', location: undefined },
    ]);
  });

  it('needs nobody who listens', () => {
    const progress = new Progress(undefined);
    progress.start(FIRST).end({ cached: false });
    assert.equal(progress.reports.length, 1);
  });
});
