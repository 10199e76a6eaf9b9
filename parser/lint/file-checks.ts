/** Checks of what is written, without evaluating anything. */

import type { ArgInstruction, Dockerfile, FromInstruction, Instruction } from '../ast.ts';
import type { Reporter } from './reporter.ts';
import { RULES } from './rules.ts';
import type { LintStage } from './stages.ts';

/** Reports continuations, casing, stage names, MAINTAINER and description comments. */
export function checkFile(
  dockerfile: Dockerfile,
  stages: readonly LintStage[],
  reporter: Reporter,
): void {
  for (const { range } of dockerfile.warnings) {
    reporter.atRange(range)(RULES.NoEmptyContinuation);
  }
  for (const instruction of dockerfile.instructions) checkWritten(instruction, reporter);
  checkStageNames(stages, reporter);
  checkKeywords(stages, reporter);
}

function checkWritten(instruction: Instruction, reporter: Reporter): void {
  switch (instruction.kind) {
    case 'maintainer':
      reporter.at(instruction)(RULES.MaintainerDeprecated);
      return;
    case 'from':
      checkFromWords(instruction, reporter);
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

function checkFromWords(from: FromInstruction, reporter: Reporter): void {
  if (from.name === undefined) return;
  const warn = reporter.at(from);
  if (from.name !== from.name.toLowerCase()) warn(RULES.StageNameCasing, from.name);
  const [, as = ''] = /\s(as)\s+\S+$/i.exec(from.text) ?? [];
  const { keyword } = from;
  const isAlike =
    keyword === keyword.toLowerCase()
      ? as === as.toLowerCase()
      : keyword !== keyword.toUpperCase() || as === as.toUpperCase();
  if (!isAlike) warn(RULES.FromAsCasing, keyword, as);
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
function checkKeywords(stages: readonly LintStage[], reporter: Reporter): void {
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
    reporter.at(instruction)(RULES.ConsistentInstructionCasing, keyword, casing);
  }
}
