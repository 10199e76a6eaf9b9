/** What every run from the command line begins and ends with: Ctrl-C, the report of a failure, the exit code. */

import type { Environment } from './environment.ts';
import { EXIT, exitCodeOf } from './exit-code.ts';
import { listenForInterrupts } from './interrupts.ts';
import { report } from './report.ts';

/**
 * Never rejects: a failure is on stderr, and in the exit code. The run is given a signal that Ctrl-C aborts.
 * @param stepOf names the step that failed, for a run that has steps
 */
export async function runReported(
  environment: Environment,
  run: (signal: AbortSignal) => Promise<number>,
  stepOf: () => string | undefined = () => undefined,
): Promise<number> {
  const { signal, release } = listenForInterrupts();
  try {
    return await run(signal);
  } catch (error) {
    if (signal.aborted) return EXIT.interrupted;
    report(error, { step: stepOf(), environment });
    return exitCodeOf(error);
  } finally {
    release();
  }
}
