/** One check from the command line: the result on stdout, what makes a build fail on stderr (CHK-2). */

import { check } from '../index.ts';
import type { Call } from './call.ts';
import { checkJson, checkText } from './check-text.ts';
import type { Environment } from './environment.ts';
import { EXIT, exitCodeOf } from './exit-code.ts';
import { listenForInterrupts } from './interrupts.ts';
import { report } from './report.ts';
import type { BuildRequest } from './request.ts';

interface CheckOptions {
  readonly call: Extract<Call, { readonly kind: 'check' }>;
  /** What to tell before. */
  readonly warnings: readonly string[];
  readonly environment: Environment;
}

/** Never rejects: a failure is on stderr, and in the exit code. */
export async function runCheck(
  { options }: Pick<BuildRequest, 'options'>,
  { call, warnings, environment }: CheckOptions,
): Promise<number> {
  for (const message of warnings) process.stderr.write(`WARNING: ${message}\n`);
  const { signal, release } = listenForInterrupts();
  try {
    const result = await check({ ...options, signal });
    await write(call.format === 'json' ? checkJson(result) : checkText(result));
    if (result.error !== undefined) {
      if (call.format === 'text') report(result.error, { step: undefined, environment });
      return exitCodeOf(result.error);
    }
    return result.warnings.length > 0 && !call.ignoreStatus ? EXIT.build : EXIT.ok;
  } catch (error) {
    if (signal.aborted) return EXIT.interrupted;
    report(error, { step: undefined, environment });
    return exitCodeOf(error);
  } finally {
    release();
  }
}

/** Waits: the process ends right afterwards, and a pipe takes its time. */
async function write(text: string): Promise<void> {
  await new Promise<void>((resolve) => {
    process.stdout.write(text, () => resolve());
  });
}
