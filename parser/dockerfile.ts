/** The two levels together: text → AST. */

import { joinErrors, TsbuildError } from '../src/errors.ts';
import type { Dockerfile, Instruction } from './ast.ts';
import { lowerInstruction } from './lower.ts';
import { failInstruction } from './lowering.ts';
import {
  type ErrorSink,
  type InstructionList,
  type InstructionNode,
  readInstructions,
} from './nodes.ts';

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
  const wrongLines = new Set(errors.map(({ location }) => location?.range.end.line ?? 0));
  const instructions = lowerAll(list, sink, wrongLines);
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

/** `wrongLines`: where the lines end that could not be read. */
function lowerAll(list: InstructionList, sink: ErrorSink, wrongLines: Set<number>): Instruction[] {
  const instructions: Instruction[] = [];
  // Where a line could not be read, nobody knows whether it began a stage.
  let hasStage = wrongLines.size > 0;
  for (const node of list.nodes) {
    if (sink.isFull()) return instructions;
    if (isRemnant(node, list, wrongLines)) {
      wrongLines.add(node.range.end.line);
      continue;
    }
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
      wrongLines.add(node.range.end.line);
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

/**
 * Whether a line is no instruction because of the line before: it went on there, or was a heredoc's
 * body, before something went missing. Right below a wrong line, and one word, or not in capitals
 * as the file's instructions are.
 */
function isRemnant(
  node: InstructionNode,
  list: InstructionList,
  wrongLines: ReadonlySet<number>,
): boolean {
  const { parsed, line } = node;
  const start = line.leadingComments[0]?.range.start.line ?? line.firstLine;
  if (parsed.arguments.shape !== 'unknown' || !wrongLines.has(start - 1)) return false;
  const keyword = parsed.keyword.text;
  const isCapitalized = CAPITALS.test(list.nodes[0]?.parsed.keyword.text ?? '');
  return line.text === keyword || (isCapitalized && !CAPITALS.test(keyword));
}

const CAPITALS = /^[A-Z]+$/;
