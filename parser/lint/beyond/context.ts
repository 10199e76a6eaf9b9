/** What our own checks share: the stages, what their RUNs call, and where the file's text stands. */

import type { Dockerfile, Instruction, RunInstruction } from '../../ast.ts';
import { splitCsv } from '../../csv.ts';
import type { GlobalVariables } from '../global-args.ts';
import type { BaseImageFacts, Edit, LintOptions } from '../options.ts';
import type { Reporter } from '../reporter.ts';
import type { SourceLines } from '../source-lines.ts';
import type { StageScope } from '../stage-scope.ts';
import { type LintStage, usedStages } from '../stages.ts';
import { isPosixShell, readRun, type RunCalls, type RunScript } from './run-scripts.ts';
import type { ShellWord } from './shell-commands.ts';

/** The same for a whole run. */
export interface BeyondChecks {
  readonly dockerfile: Dockerfile;
  readonly options: LintOptions;
  readonly globals: GlobalVariables;
  readonly reporter: Reporter;
  readonly lines: SourceLines;
  /** Those that the target needs. */
  readonly stages: readonly BeyondStage[];
  readonly allStages: readonly BeyondStage[];
}

export interface BeyondStage {
  readonly stage: LintStage;
  /** Its bases, the first one first, and itself. */
  readonly chain: readonly LintStage[];
  /** Its layers are part of an image: of the target's, or of a stage's that no other one uses. */
  readonly isImage: boolean;
  /** About the image that the chain begins with. */
  readonly facts: BaseImageFacts | undefined;
  /** What holds at its end; undefined when it was not evaluated. */
  readonly scope: StageScope | undefined;
  readonly runs: readonly StageRun[];
}

export interface StageRun extends RunCalls {
  /** SHELL has `-o pipefail`. */
  readonly hasPipefail: boolean;
}

interface StageSource {
  readonly stages: readonly LintStage[];
  readonly lines: SourceLines;
  readonly options: LintOptions;
  readonly escape: Dockerfile['escape'];
  readonly scopeOf: (stage: LintStage) => StageScope | undefined;
}

/** Prepares all stages of a file. */
export function beyondStages(source: StageSource): readonly BeyondStage[] {
  const { stages, options, scopeOf } = source;
  const imageStages = findImageStages(stages, options.target);
  return stages.map((stage) => {
    const chain = chainOf(stage);
    const [first = stage] = chain;
    const facts = first.isScratch ? undefined : options.baseImage?.(first.index);
    const isImage = imageStages.has(stage);
    const runs = readRuns(chain, { ...source, facts });
    return { stage, chain, isImage, facts, scope: scopeOf(stage), runs };
  });
}

function chainOf(stage: LintStage): readonly LintStage[] {
  const chain: LintStage[] = [];
  for (let at: LintStage | undefined = stage; at !== undefined; at = at.base) chain.unshift(at);
  return chain;
}

function findImageStages(
  stages: readonly LintStage[],
  target: string | undefined,
): ReadonlySet<LintStage> {
  const used = new Set(stages.flatMap((stage) => usedStages(stages, stage)));
  const wanted = target?.toLowerCase();
  return new Set(
    stages
      .filter(
        (stage) =>
          !used.has(stage) ||
          stage === stages.at(-1) ||
          (wanted !== undefined && (wanted === stage.name || wanted === String(stage.index))),
      )
      .flatMap(chainOf),
  );
}

function readRuns(
  chain: readonly LintStage[],
  { lines, options, escape, facts }: StageSource & Pick<BeyondStage, 'facts'>,
): readonly StageRun[] {
  const runs: StageRun[] = [];
  const isWindows = escape === '`' || options.platform?.startsWith('windows') === true;
  let shell: readonly string[] = facts?.shell ?? [];
  const own = chain.at(-1);
  for (const { instructions } of chain) {
    for (const instruction of instructions) {
      if (instruction.kind === 'shell') shell = instruction.argv;
      if (instruction.kind !== 'run' || !own?.instructions.includes(instruction)) continue;
      const [command] = shell;
      const isPosix = command === undefined ? !isWindows : isPosixShell(command);
      const hasPipefail = shell.includes('pipefail');
      runs.push({ ...readRun(instruction, { lines, isPosix }), hasPipefail });
    }
  }
  return runs;
}

/** Whether a mount of these types covers a directory, or may: its target has a variable. */
export function isMounted(
  run: RunInstruction,
  directory: string,
  types: readonly string[] = ['cache', 'tmpfs'],
): boolean {
  return run.mounts.some((mount) => {
    const fields = splitCsv(mount);
    if (typeof fields === 'string') return false;
    const valueOf = (pattern: RegExp): string | undefined =>
      fields.map((field) => pattern.exec(field)?.[1]).find((value) => value !== undefined);
    const target = valueOf(/^\s*(?:target|dst|destination)\s*=(.*)$/i) ?? '';
    if (!types.includes(valueOf(/^\s*type\s*=(.*)$/i) ?? 'bind')) return false;
    const path = target.replace(/\/+$/, '');
    return target.includes('$') || path === directory || directory.startsWith(`${path}/`);
  });
}

/** An edit that writes something behind a word; undefined where the word is not in the file. */
export function insertBehind(
  word: Pick<ShellWord, 'start' | 'end'>,
  { locate }: RunScript,
  text: string,
): Edit | undefined {
  const end = locate(word.start, word.end)?.end;
  return end && { range: { start: end, end }, text };
}

/** Instructions of a chain, the base's first. */
export function instructionsOf({ chain }: BeyondStage): readonly Instruction[] {
  return chain.flatMap(({ instructions }) => instructions);
}
