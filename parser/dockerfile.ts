/** The two levels together: text → AST. */

import { joinErrors, TsbuildError } from '../src/errors.ts';
import type { Dockerfile, Instruction } from './ast.ts';
import { lowerInstruction } from './lower.ts';
import { failInstruction } from './lowering.ts';
import { type ErrorSink, type InstructionList, readInstructions } from './nodes.ts';

/**
 * Parses a Dockerfile.
 *
 * Throws ERR_PARSE when the text cannot be read, ERR_INSTRUCTION_INVALID when an instruction is
 * wrong or no stage is begun (LEX-3). What is thrown is the error that BuildKit would report; the
 * file's further errors are its `others`. All have a location.
 */
export function parseDockerfile(
  text: string,
  options: { readonly file?: string } = {},
): Dockerfile {
  const { dockerfile, errors } = parseDockerfileWithErrors(text, options);
  const failure = joinErrors(errors);
  if (failure !== undefined) throw failure;
  return dockerfile;
}

/** A Dockerfile as far as it can be read. */
export interface ParseResult {
  /** Without the instructions that are wrong. */
  readonly dockerfile: Dockerfile;
  /**
   * At most one for each instruction, 100 in all. First come those that make BuildKit refuse the
   * text (ERR_PARSE), then those in what instructions say, each in file order.
   */
  readonly errors: readonly TsbuildError[];
}

/** Parses a Dockerfile that may be wrong, for an editor or a report. Throws nothing. */
export function parseDockerfileWithErrors(
  text: string,
  options: { readonly file?: string } = {},
): ParseResult {
  const errors: TsbuildError[] = [];
  const sink: ErrorSink = {
    report: (error) => errors.push(error),
    isFull: () => errors.length >= MAX_ERRORS,
  };
  const list = readInstructions(text, options.file ?? 'Dockerfile', sink);
  // Where a line could not be read, nobody knows whether it began a stage.
  const instructions = lowerAll(list, sink, errors.length > 0);
  const dockerfile: Dockerfile = Object.freeze({
    kind: 'dockerfile',
    file: list.file,
    source: list.source,
    escape: list.escape,
    directives: list.directives,
    instructions: Object.freeze(instructions),
    comments: list.comments,
    warnings: list.warnings,
  });
  return { dockerfile, errors: Object.freeze(errors) };
}

/** Whoever has more has given us something else than a Dockerfile. */
const MAX_ERRORS = 100;

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

/** `mayHaveStage`: leave out the complaint that there is no stage, which may be untrue. */
function lowerAll(list: InstructionList, sink: ErrorSink, mayHaveStage: boolean): Instruction[] {
  const instructions: Instruction[] = [];
  let hasStage = mayHaveStage;
  for (const node of list.nodes) {
    if (sink.isFull()) return instructions;
    try {
      const instruction = lowerInstruction(node, list);
      if (instruction.kind === 'from') hasStage = true;
      else if (!hasStage && instruction.kind !== 'arg') {
        failInstruction({ node, ...list }, 'no build stage in current context');
      }
      instructions.push(instruction);
    } catch (error) {
      if (!(error instanceof TsbuildError)) throw error;
      sink.report(error);
      // What is wrong may have been meant to begin one; and one complaint that none has is enough.
      hasStage = true;
    }
  }
  const last = list.nodes.at(-1);
  if (!hasStage && last !== undefined) {
    const range = last.range;
    sink.report(
      new TsbuildError('ERR_INSTRUCTION_INVALID', {
        message: `Cannot parse line ${last.line.firstLine}: dockerfile contains no stages to build`,
        details: undefined,
        location: { file: list.file, source: list.source, range },
      }),
    );
  }
  return instructions;
}
