/** A build's events in the runner's log: a group for each step's lines, and warnings at their lines. */

import { type BuildEvent, plainProgress } from '../index.ts';
import { type PathOf, placeOf } from './place.ts';
import type { Runner } from './runner.ts';

/** A step as the summary tells it. */
export interface ShownStep {
  readonly name: string;
  state: 'running' | 'done' | 'cached' | 'failed' | 'stopped';
  /** Milliseconds; undefined while it goes on. */
  duration: number | undefined;
}

export interface Display {
  readonly onEvent: (event: BuildEvent) => void;
  /** In the order in which they began. */
  readonly steps: readonly ShownStep[];
  /** The name of the step that failed first; the others were stopped by it. */
  readonly failed: () => string | undefined;
  /** Ends the group that is open: what is said next is not the build's. */
  readonly close: () => void;
}

export interface DisplayOptions {
  /** Warnings are annotations; else lines. */
  readonly annotates: boolean;
  readonly pathOf: PathOf;
}

/** Listens to one build. */
export function createDisplay(runner: Runner, { annotates, pathOf }: DisplayOptions): Display {
  const steps = new Map<number, ShownStep>();
  const headlines = new Set<string>();
  let isOpen = false;
  let failed: string | undefined;
  const close = (): void => {
    if (isOpen) runner.command('endgroup', '');
    isOpen = false;
  };
  const show = plainProgress((text) => {
    const line = text.trim();
    if (headlines.has(line)) {
      close();
      runner.command('group', line);
      isOpen = true;
    } else {
      // How a step ended is to be seen without opening its lines.
      if (END.test(line)) close();
      runner.say(text);
    }
  });
  const onEvent = (event: BuildEvent): void => {
    keep(steps, event);
    if (event.kind === 'step-start') headlines.add(`#${event.step} ${event.name}`.trim());
    if (event.kind === 'step-error' && event.failed) failed ??= steps.get(event.step)?.name;
    if (event.kind === 'notice') {
      close();
      if (event.level === 'warning' && annotates) {
        const { message, location } = event;
        return runner.command('warning', message, placeOf(location, pathOf));
      }
    }
    show(event);
  };
  return {
    onEvent,
    get steps() {
      return [...steps.values()];
    },
    failed: () => failed,
    close,
  };
}

const END = /^#\d+ (?:CACHED|CANCELED|DONE \d+\.\ds|ERROR: .*)$/;

function keep(steps: Map<number, ShownStep>, event: BuildEvent): void {
  switch (event.kind) {
    case 'step-start':
      steps.set(event.step, { name: event.name, state: 'running', duration: undefined });
      return;
    case 'step-end': {
      const step = steps.get(event.step);
      if (step === undefined) return;
      step.state = event.cached ? 'cached' : 'done';
      step.duration = event.duration;
      return;
    }
    case 'step-error': {
      const step = steps.get(event.step);
      if (step !== undefined) step.state = event.failed ? 'failed' : 'stopped';
      return;
    }
    default:
      return;
  }
}
