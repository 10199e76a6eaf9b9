/** Fixes of how something is written: keywords, empty lines, an instruction that has another name now. */

import type { SourceRange } from '../../src/errors.ts';
import type { Dockerfile, Instruction, MaintainerInstruction } from '../ast.ts';
import { parseDockerfileWithErrors } from '../dockerfile.ts';
import { expandWord } from '../expand.ts';
import type { Edit, Fix } from './options.ts';
import type { SourceLines } from './source-lines.ts';

/** Another keyword; undefined when a line ends within the old one. */
export function replaceKeyword(
  { keyword, range: { start } }: Instruction,
  text: string,
  lines: SourceLines,
): Fix | undefined {
  const range = { start, end: { line: start.line, column: start.column + keyword.length } };
  if (lines.slice(range) !== keyword) return undefined;
  return { description: `write ${text} instead of ${keyword}`, edits: [{ range, text }] };
}

/** Without the empty lines of the instruction that ends where the warning is. */
export function dropEmptyLines(
  { instructions }: Dockerfile,
  { end }: SourceRange,
  lines: SourceLines,
): Fix | undefined {
  // The last one that begins above.
  let [low, high] = [0, instructions.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((instructions[middle]?.range.start.line ?? 0) <= end.line) low = middle + 1;
    else high = middle;
  }
  const instruction = instructions[low - 1];
  if (instruction === undefined) return undefined;
  const edits: Edit[] = [];
  for (let line = instruction.range.start.line + 1; line <= end.line; line++) {
    const range = { start: { line, column: 0 }, end: { line: line + 1, column: 0 } };
    if (lines.slice(range).trim() === '') edits.push({ range, text: '' });
  }
  return { description: 'remove the empty lines', edits };
}

/** MAINTAINER as the label that replaces it. */
export function toAuthorsLabel(
  { keyword, name, range }: MaintainerInstruction,
  { escape }: Dockerfile,
  lines: SourceLines,
): Fix | undefined {
  if (lines.slice(range).includes('\n')) return undefined;
  const label = keyword === keyword.toLowerCase() ? 'label' : 'LABEL';
  const quoted = name.replace(/["$\\`]/g, (character) =>
    /["$]/.test(character) || character === escape ? escape + character : character,
  );
  const text = `${label} org.opencontainers.image.authors="${quoted}"`;
  const written = parseLine(text, escape);
  if (written?.kind !== 'label' || written.pairs.length !== 1) return undefined;
  const value = expandWord(written.pairs[0]?.value ?? '', () => undefined, { escape });
  if (value !== name) return undefined;
  return { description: 'write a label', edits: [{ range, text }] };
}

/** One instruction as it would be read in a file with this escape character. */
export function parseLine(text: string, escape: Dockerfile['escape']): Instruction | undefined {
  const source = `# escape=${escape}\nFROM scratch\n${text}\n`;
  const { dockerfile, errors } = parseDockerfileWithErrors(source);
  const [, instruction, more] = dockerfile.instructions;
  return errors.length > 0 || more !== undefined ? undefined : instruction;
}
