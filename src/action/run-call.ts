/** What is asked for instead of an image: checks, outlines, targets (`call`). */

import type { CheckCall, ListCall } from '../cli/call.ts';
import { EXIT, exitCodeOf } from '../cli/exit-code.ts';
import { checkOutput } from '../cli/run-check.ts';
import { listText } from '../cli/run-list.ts';
import { type BuildOptions, check } from '../index.ts';
import { tellFailure } from './failure.ts';
import { placeOf } from './place.ts';
import type { Step } from './step.ts';

/** A check: its text, and an annotation for each finding. Resolves to the exit code. */
export async function runCheck(
  options: BuildOptions,
  call: CheckCall,
  { runner, pathOf, environment, signal }: Step,
): Promise<number> {
  const result = await check({ ...options, signal });
  runner.say(await checkOutput(result, call.format, options));
  for (const { level, rule, message, range } of result.warnings) {
    const place = placeOf({ file: result.file, range }, pathOf);
    runner.command(level === 'note' ? 'notice' : 'warning', message, { title: rule, ...place });
  }
  if (result.error !== undefined) {
    tellFailure(runner, result.error, { step: undefined, pathOf, environment });
    return exitCodeOf(result.error);
  }
  const isClean = result.warnings.every(({ level }) => level === 'note');
  return isClean || call.ignoreStatus ? EXIT.ok : EXIT.build;
}

/** A list, into the log. Resolves to the exit code. */
export async function runList(
  options: BuildOptions,
  call: ListCall,
  { runner, signal }: Step,
): Promise<number> {
  runner.say(await listText({ ...options, signal }, call));
  return EXIT.ok;
}
