/** What all that this step of a job does is given. */

import type { Environment } from '../cli/environment.ts';
import type { PathOf } from './place.ts';
import type { Runner } from './runner.ts';

export interface Step {
  readonly runner: Runner;
  readonly environment: Environment;
  /** The repository, as checked out. */
  readonly workspace: string;
  /** Names in messages to paths in the workspace. */
  readonly pathOf: PathOf;
  /** Aborted when the runner cancels. */
  readonly signal: AbortSignal;
}
