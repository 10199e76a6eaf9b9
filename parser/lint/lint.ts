/** BuildKit's checks of a Dockerfile, and on demand ours. Start reading here. */

import type { Dockerfile } from '../ast.ts';
import { checkBeyond } from './beyond/beyond.ts';
import { lintConfigOf } from './config.ts';
import { checkFile } from './file-checks.ts';
import { checkFrom } from './from-checks.ts';
import { globalVariables } from './global-args.ts';
import type { LintOptions, LintWarning } from './options.ts';
import { Reporter } from './reporter.ts';
import { SourceLines } from './source-lines.ts';
import { StageChecker } from './stage-checks.ts';
import type { StageScope } from './stage-scope.ts';
import { type LintStage, neededStages, stagesOf } from './stages.ts';

/**
 * The warnings about a Dockerfile, in the order of its lines. Nothing is run or read.
 *
 * What cannot be evaluated is passed over: the build says what is wrong with it. Throws
 * ERR_INSTRUCTION_INVALID when `# check=` itself is wrong (DIR-7).
 */
export function lint(dockerfile: Dockerfile, options: LintOptions = {}): readonly LintWarning[] {
  const buildArgs = options.buildArgs ?? {};
  const reporter = new Reporter(lintConfigOf(dockerfile, buildArgs));
  const globals = globalVariables(dockerfile, options, buildArgs);
  const defaults = globalVariables(dockerfile, options, {});
  const stages = stagesOf(dockerfile, globals.values);
  const lines = new SourceLines(dockerfile);
  checkFile(dockerfile, { stages, reporter, lines });
  for (const stage of stages) checkFrom(stage, { dockerfile, globals, defaults, reporter, lines });
  const needed = neededStages(stages, options.target);
  const checker = new StageChecker({ dockerfile, globals, options, buildArgs, reporter, lines });
  for (const stage of stages) if (needed.has(stage)) checker.check(stage);
  const scopeOf = (stage: LintStage): StageScope | undefined => checker.scopeAfter(stage);
  checkBeyond({ dockerfile, options, globals, reporter, lines, stages, needed, scopeOf });
  return reporter.warnings;
}
