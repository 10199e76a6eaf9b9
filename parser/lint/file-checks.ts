/** Checks of what is written, without evaluating anything. */

import type { ArgInstruction, Dockerfile, FromInstruction, Instruction } from '../ast.ts';
import { matchAs, renameStage } from './fixes-from.ts';
import { dropEmptyLines, replaceKeyword, toAuthorsLabel } from './fixes-written.ts';
import type { Fix } from './options.ts';
import type { Reporter } from './reporter.ts';
import { RULES } from './rules.ts';
import type { SourceLines } from './source-lines.ts';
import type { LintStage } from './stages.ts';

/** Reports continuations, casing, stage names, MAINTAINER and description comments. */
export function checkFile(dockerfile: Dockerfile, checks: FileChecks): void {
  const { stages, reporter, lines } = checks;
  for (const { range } of dockerfile.warnings) {
    const fix = (): Fix | undefined => dropEmptyLines(dockerfile, range, lines);
    reporter.atRange(range, fix)(RULES.NoEmptyContinuation);
  }
  for (const instruction of dockerfile.instructions) {
    checkWritten(instruction, { ...checks, dockerfile });
  }
  checkStageNames(stages, reporter);
  checkKeywords(stages, checks);
}

export interface FileChecks {
  readonly stages: readonly LintStage[];
  readonly reporter: Reporter;
  readonly lines: SourceLines;
}

type WrittenChecks = FileChecks & { readonly dockerfile: Dockerfile };

function checkWritten(instruction: Instruction, checks: WrittenChecks): void {
  const { reporter, dockerfile, lines } = checks;
  switch (instruction.kind) {
    case 'maintainer':
      reporter.fixable(instruction, () => toAuthorsLabel(instruction, dockerfile, lines))(
        RULES.MaintainerDeprecated,
      );
      return;
    case 'from':
      checkFromWords(instruction, checks);
      if (instruction.name !== undefined) checkComment(instruction, [instruction.name], reporter);
      return;
    case 'arg':
      checkComment(
        instruction,
        instruction.args.map(({ name }) => name),
        reporter,
      );
      return;
    default:
  }
}

function checkFromWords(from: FromInstruction, checks: WrittenChecks): void {
  const { reporter, dockerfile, lines } = checks;
  if (from.name === undefined) return;
  if (from.name !== from.name.toLowerCase()) {
    reporter.fixable(from, () => renameStage(from, dockerfile, lines))(
      RULES.StageNameCasing,
      from.name,
    );
  }
  const [, as = ''] = /\s(as)\s+\S+$/i.exec(from.text) ?? [];
  const { keyword } = from;
  const isAlike =
    keyword === keyword.toLowerCase()
      ? as === as.toLowerCase()
      : keyword !== keyword.toUpperCase() || as === as.toUpperCase();
  if (isAlike) return;
  reporter.fixable(from, () => matchAs(from, lines))(RULES.FromAsCasing, keyword, as);
}

/** The last comment line above describes what is declared (DIR-9). */
function checkComment(
  instruction: FromInstruction | ArgInstruction,
  names: readonly string[],
  reporter: Reporter,
): void {
  const comment = instruction.leadingComments.at(-1)?.text.trim();
  const [first = ''] = names;
  if (comment === undefined) return;
  const described = comment.split(' ', 1)[0] ?? '';
  const declared = instruction.kind === 'from' ? names.map((name) => name.toLowerCase()) : names;
  if (names.includes(described) || declared.includes(described)) return;
  const keyword = instruction.kind.toUpperCase();
  const example = names.length > 1 ? '<arg_key>' : (declared[0] ?? first);
  reporter.at(instruction)(RULES.InvalidDefinitionDescription, keyword, example);
}

const RESERVED = ['context', 'scratch'];

function checkStageNames(stages: readonly LintStage[], reporter: Reporter): void {
  const seen = new Set<string>();
  for (const { from, name } of stages) {
    if (name === '') continue;
    const warn = reporter.at(from);
    if (RESERVED.includes(name)) warn(RULES.ReservedStageName, name);
    if (seen.has(name)) warn(RULES.DuplicateStageName, name);
    seen.add(name);
  }
}

/** ARGs above the first FROM belong to no stage and are not counted, as in BuildKit. */
function checkKeywords(stages: readonly LintStage[], { reporter, lines }: FileChecks): void {
  const instructions = stages.flatMap(({ from, instructions }) => [from, ...instructions]);
  const keywords = instructions.map(({ keyword }) => keyword);
  const lower = keywords.filter((keyword) => keyword === keyword.toLowerCase()).length;
  const upper = keywords.filter((keyword) => keyword === keyword.toUpperCase()).length;
  const isLower = lower > upper;
  for (const instruction of instructions) {
    const { keyword } = instruction;
    const expected = isLower ? keyword.toLowerCase() : keyword.toUpperCase();
    if (keyword === expected) continue;
    const casing = isLower ? 'lowercase' : 'uppercase';
    const fix = (): Fix | undefined => replaceKeyword(instruction, expected, lines);
    reporter.fixable(instruction, fix)(RULES.ConsistentInstructionCasing, keyword, casing);
  }
}
