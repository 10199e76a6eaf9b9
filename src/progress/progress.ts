/** Turns a build's doings into events: numbers the steps, takes the times, keeps the reports. */

import type { SourceLocation, TsbuildError } from '../errors.ts';
import type { Digest } from '../oci/digest.ts';
import type { BuildEvent, StepInfo, StepReport } from './event.ts';

/** Something that will be a step of the display: a step of the plan, a FROM, an export. */
export interface Announced {
  readonly name: string;
  readonly location: SourceLocation | undefined;
}

/** Follows one step. Exactly one of `end` and `fail` is called. */
export interface StepReporter {
  readonly output: (stream: 'stdout' | 'stderr', data: Uint8Array) => void;
  /** A part of its work begins; what it answers is called when that is done. */
  readonly status: (name: string) => () => void;
  readonly end: (result: {
    readonly cached: boolean;
    readonly layer?: Digest;
    readonly detail?: string;
  }) => void;
  /** Undefined: stopped because another step failed, or the caller aborted. */
  readonly fail: (error: TsbuildError | undefined) => void;
}

export class Progress {
  readonly #onEvent: (event: BuildEvent) => void;
  readonly #numbers = new Map<Announced, number>();
  readonly #reports = new Map<number, StepReport>();
  readonly #told = new Set<string>();
  #last = 0;

  constructor(onEvent: ((event: BuildEvent) => void) | undefined) {
    this.#onEvent = onEvent ?? (() => undefined);
  }

  /** What there will be, in the order of the plan. */
  plan(steps: readonly Announced[]): void {
    this.#onEvent({ kind: 'plan', steps: steps.map((step) => this.#info(step)) });
  }

  start(step: Announced): StepReporter {
    const info = this.#info(step);
    const started = performance.now();
    this.#onEvent({ kind: 'step-start', time: Date.now(), ...info });
    return {
      output: (stream, data) =>
        this.#onEvent({ kind: 'step-output', step: info.step, stream, data }),
      status: (name) => {
        const began = performance.now();
        const tell = (duration: number | undefined): void =>
          this.#onEvent({ kind: 'step-status', step: info.step, name, duration });
        tell(undefined);
        return () => tell(Math.round(performance.now() - began));
      },
      end: ({ cached, layer, detail }) => {
        const duration = Math.round(performance.now() - started);
        this.#reports.set(info.step, { name: info.name, cached, duration, layer });
        this.#onEvent({ kind: 'step-end', step: info.step, cached, duration, detail });
      },
      fail: (error) =>
        this.#onEvent({ kind: 'step-error', step: info.step, error, failed: error !== undefined }),
    };
  }

  /** Once for each place, however many platforms it is true of. */
  notice(level: 'info' | 'warning', message: string, location?: SourceLocation): void {
    const { line, column } = location?.range.start ?? { line: 0, column: 0 };
    const key = `${level} ${location?.file} ${line}:${column} ${message}`;
    if (this.#told.has(key)) return;
    this.#told.add(key);
    this.#onEvent({ kind: 'notice', level, message, location });
  }

  /** The finished steps, in the order of the plan. */
  get reports(): readonly StepReport[] {
    return [...this.#reports].sort(([a], [b]) => a - b).map(([, report]) => report);
  }

  #info(step: Announced): StepInfo {
    const number = this.#numbers.get(step) ?? ++this.#last;
    this.#numbers.set(step, number);
    return { step: number, name: step.name, location: step.location };
  }
}
