/** The checks that BuildKit does not have. Start reading here. */

import type { Dockerfile } from '../../ast.ts';
import type { GlobalVariables } from '../global-args.ts';
import type { LintOptions } from '../options.ts';
import type { Reporter } from '../reporter.ts';
import type { SourceLines } from '../source-lines.ts';
import type { StageScope } from '../stage-scope.ts';
import { type LintStage, targetStage } from '../stages.ts';
import { checkPinned, checkUser } from './base.ts';
import { checkJson } from './broken-json.ts';
import { type BeyondChecks, beyondStages } from './context.ts';
import { checkLayers } from './layers.ts';
import { checkPackages, decidedBy, needsAptLists } from './packages.ts';
import { checkGlobalSecrets, checkSecrets } from './secrets.ts';
import { checkShellUse } from './shell-use.ts';
import { checkBuildArgs, checkStages } from './usage.ts';

interface BeyondRun {
  readonly dockerfile: Dockerfile;
  readonly options: LintOptions;
  readonly globals: GlobalVariables;
  readonly reporter: Reporter;
  readonly lines: SourceLines;
  readonly stages: readonly LintStage[];
  readonly needed: ReadonlySet<LintStage>;
  readonly scopeOf: (stage: LintStage) => StageScope | undefined;
}

/** Runs those that `options.beyond` asks for, in the stages that the target needs. */
export function checkBeyond({ stages, needed, scopeOf, ...run }: BeyondRun): void {
  const { options, lines, dockerfile } = run;
  if (options.beyond === undefined || options.beyond === 'none') return;
  const { escape } = dockerfile;
  const target = targetStage(stages, options.target);
  const allStages = beyondStages({ stages, target, lines, options, escape, scopeOf });
  const own = allStages.filter(({ stage }) => needed.has(stage));
  let isNeeded: boolean | undefined;
  const checks: BeyondChecks = {
    ...run,
    allStages,
    target,
    stages: own,
    decides: decidedBy(dockerfile),
    needsAptLists: () => (isNeeded ??= needsAptLists(allStages, dockerfile)),
  };
  checkGlobalSecrets(checks);
  for (const stage of own) {
    checkSecrets(stage, checks);
    checkJson(stage, checks);
  }
  if (options.beyond === 'severe') return;
  for (const stage of own) {
    checkPinned(stage, checks);
    checkPackages(stage, checks);
    checkLayers(stage, checks);
    checkShellUse(stage, checks);
    checkUser(stage, checks);
  }
  checkStages(checks);
  checkBuildArgs(checks);
}
