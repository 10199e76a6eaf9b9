/** Ctrl-C and its relatives: the first asks the build to stop, the second ends the process. */

import { constants } from 'node:os';
import { EXIT } from './exit-code.ts';

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** A signal that the first interrupt aborts, and the end of listening. */
export interface Interrupts {
  readonly signal: AbortSignal;
  readonly release: () => void;
}

/** Listens until released. What was begun is cleaned up before the build's promise settles. */
export function listenForInterrupts(): Interrupts {
  const controller = new AbortController();
  const onSignal = (name: NodeJS.Signals): void => {
    if (controller.signal.aborted) {
      process.stderr.write('Ended at once: the next build removes what was left.\n');
      process.exit(EXIT.interrupted);
    }
    process.stderr.write('\nStopping … (once more: at once)\n');
    controller.abort(new Error(`Interrupted by ${name} (${constants.signals[name]})`));
  };
  for (const name of SIGNALS) process.on(name, onSignal);
  return {
    signal: controller.signal,
    release: () => {
      for (const name of SIGNALS) process.off(name, onSignal);
    },
  };
}
