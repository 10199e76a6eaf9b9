/** What a failure says in the log, and beside the lines that caused it. */

import type { Environment } from '../cli/environment.ts';
import { clean, renderReport } from '../cli/report.ts';
import { TsbuildError } from '../index.ts';
import { type PathOf, placeOf } from './place.ts';
import type { Runner } from './runner.ts';

export interface FailureOptions {
  /** The name of the step that failed. */
  readonly step: string | undefined;
  readonly pathOf: PathOf;
  readonly environment: Environment;
}

/** GitHub shows no more of them for one step. */
const MAX_ANNOTATIONS = 10;

/** The report as on a terminal, then an annotation for each error. */
export function tellFailure(runner: Runner, error: unknown, options: FailureOptions): void {
  const { step, pathOf, environment } = options;
  const debug = Boolean(environment['TSBUILD_DEBUG'] ?? environment['RUNNER_DEBUG']);
  runner.say(renderReport(error, { step, color: true, debug }));
  if (!(error instanceof TsbuildError)) return runner.command('error', failureText(error));
  for (const one of [error, ...error.others].slice(0, MAX_ANNOTATIONS)) {
    runner.command('error', failureText(one), {
      title: one.code,
      ...placeOf(one.location, pathOf),
    });
  }
}

/** The message and what to do, in one text without credentials. */
export function failureText(error: unknown): string {
  if (error instanceof TsbuildError) {
    return clean(error.hint === undefined ? error.message : `${error.message}. ${error.hint}`);
  }
  return clean(`tsbuild failed in a way it should not: ${String(error)}`);
}
