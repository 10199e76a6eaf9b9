/** Ends a RUN that takes too long. */

import { TsbuildError } from '../errors.ts';
import type { RunStep } from '../plan/step.ts';
import type { BaseImage } from './layer.ts';
import { durationText } from './limits.ts';

/** Starts to count when it is made. Without a time it is the build's signal and nothing else. */
export class StepTimeout {
  readonly signal: AbortSignal;
  readonly #controller = new AbortController();
  readonly #milliseconds: number | undefined;
  readonly #timer: NodeJS.Timeout | undefined;

  constructor(milliseconds: number | undefined, signal: AbortSignal) {
    this.#milliseconds = milliseconds;
    this.signal = AbortSignal.any([signal, this.#controller.signal]);
    if (milliseconds !== undefined) {
      this.#timer = setTimeout(() => this.#controller.abort(new StepTimeoutReason()), milliseconds);
    }
  }

  /** Whether it is what ended the step that failed with this. */
  isOver(error: unknown): boolean {
    return error instanceof StepTimeoutReason;
  }

  failure(step: RunStep<BaseImage>, output: string): TsbuildError {
    const timeout = this.#milliseconds ?? 0;
    return new TsbuildError('ERR_STEP_TIMEOUT', {
      message: `process "${step.argv.join(' ')}" was ended: it took longer than ${durationText(timeout)}`,
      details: { timeout, output },
      location: step.location,
      hint: 'The limit is "--timeout". A process that waits for input never ends by itself.',
    });
  }

  clear(): void {
    clearTimeout(this.#timer);
  }
}

/** What the step's signal is aborted with: known again when it comes back. */
class StepTimeoutReason extends Error {
  override readonly name = 'StepTimeoutReason';
}
