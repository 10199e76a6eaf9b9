/** What there is when a build's steps are done, and what the rest of it works with. */

import type { Input } from '../input.ts';
import type { BuildOptions } from '../options.ts';
import type { BuildPlan } from '../plan/step.ts';
import type { Progress } from '../progress/progress.ts';
import type { Request } from '../request.ts';
import type { BaseImage } from '../solve/layer.ts';
import type { Session } from '../solve/session.ts';
import type { SolvedStages } from '../solve/solve.ts';

/** What a build has after solving. */
export interface Solved {
  readonly plans: readonly BuildPlan<BaseImage>[];
  readonly stages: SolvedStages;
}

/** What finishing needs of a build. */
export interface Finishing {
  readonly options: BuildOptions;
  readonly request: Request;
  readonly input: Input;
  readonly session: Session;
  /** Seconds since the Unix epoch: the time of all that is new. */
  readonly epoch: number | undefined;
  readonly progress: Progress;
  /** Milliseconds since the Unix epoch: when the build began. */
  readonly started: number;
  readonly signal: AbortSignal;
}
