/** Arguments that are meant as JSON and are none: BuildKit then reads them as words, without a word. */

import type { Instruction } from '../../ast.ts';
import type { BeyondChecks, BeyondStage } from './context.ts';
import { OWN_RULES } from './rules.ts';

/** Looks at the instructions of a stage, and at its triggers. */
export function checkJson({ stage, triggers }: BeyondStage, { reporter }: BeyondChecks): void {
  const own = stage.instructions.map((instruction) => ({ at: instruction, instruction }));
  for (const { at, instruction } of [...own, ...triggers]) {
    const written = argumentsOf(instruction);
    if (written === undefined || !/^\[\s*["'\u201c\u2018]/.test(written)) continue;
    const problem = problemOf(written);
    if (problem === undefined) continue;
    reporter.at(at)(OWN_RULES.BrokenJson, instruction.keyword, problem);
  }
}

/** What stands where JSON may; undefined for an instruction that takes none, or has read it as such. */
function argumentsOf(instruction: Instruction): string | undefined {
  switch (instruction.kind) {
    case 'run':
    case 'cmd':
    case 'entrypoint':
      return instruction.command.form === 'shell' ? instruction.command.line.trim() : undefined;
    case 'copy':
    case 'add':
    case 'volume': {
      const text = instruction.text.replace(/^\S+(?:\s+--\S+)*\s+/, '').trim();
      return text.startsWith('[') && isStrings(text) ? undefined : text;
    }
    default:
      return undefined;
  }
}

/** The shell has a `[`, too: a blank follows it, and no comma a quotation. */
function problemOf(text: string): string | undefined {
  const mayBeTest = /^\[\s/.test(text) && !/["']\s*,/.test(text);
  if (!text.endsWith(']') || mayBeTest) return undefined;
  if (/^\[\s*['\u2018]/.test(text)) return 'it takes double quotes';
  if (/[\u201c\u201d]/.test(text)) return 'it takes straight quotes';
  if (/,\s*\]$/.test(text)) return 'a comma stands at its end';
  if (/"\s+"/.test(text)) return 'a comma is missing';
  if (/\\[^"\\/bfnrtu]/.test(text)) return 'a backslash is written twice in it';
  return isStrings(text) ? undefined : 'it is not a list of strings';
}

function isStrings(text: string): boolean {
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) && value.every((item) => typeof item === 'string');
  } catch {
    return false;
  }
}
