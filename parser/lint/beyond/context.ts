/** What our own checks share: the stages, what their RUNs call, and where the file's text stands. */

import type { Dockerfile, Instruction, WordInstruction } from '../../ast.ts';
import type { GlobalVariables } from '../global-args.ts';
import type { BaseImageFacts, Edit, LintOptions } from '../options.ts';
import type { Reporter } from '../reporter.ts';
import type { SourceLines } from '../source-lines.ts';
import type { StageScope } from '../stage-scope.ts';
import { type LintStage, usedStages } from '../stages.ts';
import { readTrigger } from '../triggers.ts';
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
  /** What is built; undefined when there is no such stage. */
  readonly target: LintStage | undefined;
  /** Something in the file, such as a configuration that it writes, decides it for all. */
  readonly decides: { readonly aptRecommends: boolean; readonly pipCache: boolean };
  /** Somebody installs from package lists that an earlier RUN left there. */
  readonly needsAptLists: () => boolean;
}

export interface BeyondStage {
  readonly stage: LintStage;
  /** What it begins with: the base of its base, and so on. */
  readonly root: LintStage;
  /** Its layers are part of an image: of the target's, or of a stage's that no other one uses. */
  readonly isImage: boolean;
  /** About the image that the chain begins with. */
  readonly facts: BaseImageFacts | undefined;
  /** What holds at its end; undefined when it was not evaluated. */
  readonly scope: StageScope | undefined;
  readonly runs: readonly StageRun[];
  /** What its ONBUILDs leave to do. */
  readonly triggers: readonly Trigger[];
  /** The RUNs among them. */
  readonly triggerRuns: readonly StageRun[];
}

/** What stands behind ONBUILD. It has no places: whatever is found is reported at the ONBUILD. */
export interface Trigger {
  readonly at: Instruction;
  readonly instruction: Instruction;
}

export interface StageRun extends RunCalls {
  /** Where to report: the RUN, or the ONBUILD before it. */
  readonly at: Instruction;
  /** SHELL has `-o pipefail`. */
  readonly hasPipefail: boolean;
  /** The last USER before, of the stage or its bases. */
  readonly user: WordInstruction | undefined;
}

/** What holds between a stage's instructions. */
interface RunState {
  readonly shell: readonly string[];
  readonly user: WordInstruction | undefined;
}

interface StageSource {
  readonly stages: readonly LintStage[];
  readonly target: LintStage | undefined;
  readonly lines: SourceLines;
  readonly options: LintOptions;
  readonly escape: Dockerfile['escape'];
  readonly scopeOf: (stage: LintStage) => StageScope | undefined;
}

/** Prepares all stages of a file. */
export function beyondStages(source: StageSource): readonly BeyondStage[] {
  const { stages, target, options, scopeOf } = source;
  const imageStages = findImageStages(stages, target);
  const done = new Map<LintStage, RunState & { readonly root: LintStage }>();
  return stages.map((stage) => {
    const base = stage.base && done.get(stage.base);
    const root = base?.root ?? stage;
    const facts = root.isScratch ? undefined : options.baseImage?.(root.index);
    const before = base ?? { shell: facts?.shell ?? [], user: undefined };
    const { after, ...read } = readRuns(stage, before, source);
    done.set(stage, { root, ...after });
    const isImage = imageStages.has(stage);
    return { stage, root, isImage, facts, scope: scopeOf(stage), ...read };
  });
}

/** A stage's bases, the first one first, and the stage. */
export function chainOf(stage: LintStage): readonly LintStage[] {
  const chain: LintStage[] = [];
  for (let at: LintStage | undefined = stage; at !== undefined; at = at.base) chain.push(at);
  return chain.toReversed();
}

function findImageStages(
  stages: readonly LintStage[],
  target: LintStage | undefined,
): ReadonlySet<LintStage> {
  const used = new Set(stages.flatMap((stage) => usedStages(stages, stage)));
  const found = new Set<LintStage>();
  for (const stage of stages) {
    if (used.has(stage) && stage !== stages.at(-1) && stage !== target) continue;
    for (let at: LintStage | undefined = stage; at && !found.has(at); at = at.base) found.add(at);
  }
  return found;
}

/** With what is in force at the end. */
function readRuns(
  { instructions }: LintStage,
  before: RunState,
  { lines, options, escape }: StageSource,
): Pick<BeyondStage, 'runs' | 'triggers' | 'triggerRuns'> & { readonly after: RunState } {
  const runs: StageRun[] = [];
  const triggers: Trigger[] = [];
  const triggerRuns: StageRun[] = [];
  const hasOtherShell = isWindows({ escape }, options);
  let { shell, user } = before;
  for (const instruction of instructions) {
    if (instruction.kind === 'shell') shell = instruction.argv;
    if (instruction.kind === 'user') user = instruction;
    const trigger = instruction.kind === 'onbuild' ? readTrigger(instruction.trigger) : undefined;
    if (trigger !== undefined) triggers.push({ at: instruction, instruction: trigger });
    const run = trigger ?? instruction;
    if (run.kind !== 'run') continue;
    const [command] = shell;
    const isPosix = command === undefined ? !hasOtherShell : isPosixShell(command);
    const hasPipefail = shell.includes('pipefail');
    const calls = readRun(run, { lines: trigger === undefined ? lines : undefined, isPosix });
    const list = trigger === undefined ? runs : triggerRuns;
    // Not by spreading: that would ask for the calls.
    list.push(Object.assign(calls, { at: instruction, hasPipefail, user }));
  }
  return { runs, triggers, triggerRuns, after: { shell, user } };
}

/** As far as the file says. */
export function isWindows(
  { escape }: Pick<Dockerfile, 'escape'>,
  { platform }: LintOptions,
): boolean {
  return escape === '`' || platform?.startsWith('windows') === true;
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

/** The instructions of a stage and of its bases, the first base's first. */
export function instructionsOf({ stage }: BeyondStage): readonly Instruction[] {
  return chainOf(stage).flatMap(({ instructions }) => instructions);
}
