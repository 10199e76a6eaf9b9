/** What a check may say when not everything is known. */

import type { Dockerfile, FromInstruction, LintWarning } from '../parser/index.ts';
import type { TsbuildError } from './errors.ts';
import type { PlannedStage } from './plan/step.ts';
import { isOnUnseen, type LookedAt } from './unseen-images.ts';

/**
 * The warnings that hold although the build would fail (CHK-4), or an image was not looked at. Below a
 * line that could not be read nobody knows what is set; nor in a stage whose base was not found out.
 * Advice can wait until the Dockerfile is right, but not for an image.
 */
export function certainWarnings(
  warnings: readonly LintWarning[],
  { dockerfile, stages, errors, error }: Uncertain,
): readonly LintWarning[] {
  const firstError = Math.min(...errors.map(({ location }) => location?.range.start.line ?? 1));
  const froms = dockerfile.instructions.filter((each) => each.kind === 'from');
  const all = error === undefined ? [] : [error, ...error.others];
  const isElsewhere = all.every(({ code }) => ELSEWHERE.test(code));
  return warnings.filter(({ rule, level, range }) => {
    const { line } = range.start;
    if (level === 'note') return isElsewhere;
    if (line > firstError && EVALUATED.includes(rule)) return false;
    if (rule !== 'UndefinedVar') return true;
    const index = froms.findLastIndex((from) => from.range.start.line <= line);
    const stage = stages.find((each) => each.index === index);
    return stage === undefined ? isFromScratch(index, froms) : !isOnUnseen(stage);
  });
}

interface Uncertain {
  readonly dockerfile: Dockerfile;
  /** Those that could be planned. */
  readonly stages: readonly PlannedStage<LookedAt>[];
  /** What could not be read. */
  readonly errors: readonly TsbuildError[];
  /** All that would fail a build. */
  readonly error: TsbuildError | undefined;
}

/** Failures that no Dockerfile is to blame for. */
const ELSEWHERE = /^ERR_(?:IMAGE_|PLATFORM_MISSING)/;

/** Checks for which every line above counts. */
const EVALUATED = [
  'UndefinedVar',
  'JSONArgsRecommended',
  'UndefinedArgInFrom',
  'InvalidDefaultArgInFrom',
  'WorkdirRelativePath',
  'RedundantTargetPlatform',
];

function isFromScratch(index: number, froms: readonly FromInstruction[]): boolean {
  const base = froms[index]?.image.text;
  if (base === undefined) return false;
  const parent = froms.slice(0, index).findLastIndex(({ name }) => name?.toLowerCase() === base);
  return parent < 0 ? base === 'scratch' : isFromScratch(parent, froms);
}
