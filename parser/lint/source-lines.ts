/** Where the characters of instructions stand in the file: what fixes need and the AST leaves out. */

import type { Position, SourceRange } from '../../src/errors.ts';
import type { Dockerfile, Instruction } from '../ast.ts';
import type { LogicalLine } from '../lines.ts';
import { readInstructions } from '../nodes.ts';
import { createOffsets } from '../print.ts';

/** Reads the file again, when first asked: most runs have nothing to fix. */
export class SourceLines {
  readonly #dockerfile: Dockerfile;
  #lines: ReadonlyMap<number, LogicalLine> | undefined;
  #offsetOf: ((position: Position) => number) | undefined;

  constructor(dockerfile: Dockerfile) {
    this.#dockerfile = dockerfile;
  }

  /** The place of `instruction.text.slice(start, end)`. */
  locate({ range }: Instruction, start: number, end: number): SourceRange | undefined {
    return this.#lineAt(range.start.line)?.locate(start, end);
  }

  slice({ start, end }: SourceRange): string {
    this.#offsetOf ??= createOffsets(this.#dockerfile.source);
    return this.#dockerfile.source.slice(this.#offsetOf(start), this.#offsetOf(end));
  }

  /** From offsets into `slice(range)` to places of the file. */
  locateIn(range: SourceRange, start: number, end: number): SourceRange {
    const text = this.slice(range);
    const position = (offset: number): Position => {
      const before = text.slice(0, offset).split('\n');
      const column = before.at(-1)?.length ?? 0;
      if (before.length > 1) return { line: range.start.line + before.length - 1, column };
      return { line: range.start.line, column: range.start.column + column };
    };
    return { start: position(start), end: position(end) };
  }

  #lineAt(line: number): LogicalLine | undefined {
    this.#lines ??= readLines(this.#dockerfile);
    return this.#lines.get(line);
  }
}

function readLines({ source, file }: Dockerfile): ReadonlyMap<number, LogicalLine> {
  // What is wrong was reported when the file was parsed.
  const sink = { report: () => undefined, isFull: () => false };
  const { nodes } = readInstructions(source, file, sink);
  return new Map(nodes.map(({ line }) => [line.firstLine, line]));
}
