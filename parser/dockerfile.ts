/** The two levels together: text → AST. */

import { TsbuildError } from '../src/errors.ts';
import type { Dockerfile, Instruction } from './ast.ts';
import { lowerInstruction } from './lower.ts';
import { failInstruction } from './lowering.ts';
import { type InstructionList, readInstructions } from './nodes.ts';

/**
 * Parses a Dockerfile.
 *
 * Throws ERR_PARSE when the text cannot be read, ERR_INSTRUCTION_INVALID when an instruction is
 * wrong or no stage is begun (LEX-3); both have a location.
 */
export function parseDockerfile(
  text: string,
  options: { readonly file?: string } = {},
): Dockerfile {
  const list = readInstructions(text, options.file ?? 'Dockerfile');
  return Object.freeze({
    kind: 'dockerfile',
    file: list.file,
    source: list.source,
    escape: list.escape,
    directives: list.directives,
    instructions: Object.freeze(lowerAll(list)),
    comments: list.comments,
    warnings: list.warnings,
  });
}

/**
 * Parses one instruction, such as a trigger of ONBUILD (HC-4). `file` names it in errors.
 *
 * Throws like `parseDockerfile()`, also when the text is more than one instruction.
 */
export function parseInstruction(text: string, options: { readonly file: string }): Instruction {
  const list = readInstructions(text, options.file);
  const [first, second] = list.nodes;
  if (first === undefined || second !== undefined) {
    const node = second ?? first;
    throw new TsbuildError('ERR_PARSE', {
      message: `Cannot parse "${list.file}": expected one instruction, found ${list.nodes.length}`,
      details: undefined,
      location: node && { file: list.file, source: text, range: node.range },
    });
  }
  return lowerInstruction(first, list);
}

function lowerAll(list: InstructionList): Instruction[] {
  let hasStage = false;
  const instructions = list.nodes.map((node) => {
    const instruction = lowerInstruction(node, list);
    if (instruction.kind === 'from') hasStage = true;
    else if (!hasStage && instruction.kind !== 'arg') {
      failInstruction({ node, ...list }, 'no build stage in current context');
    }
    return instruction;
  });
  const last = list.nodes.at(-1);
  if (!hasStage && last !== undefined) {
    failInstruction({ node: last, ...list }, 'dockerfile contains no stages to build');
  }
  return instructions;
}
