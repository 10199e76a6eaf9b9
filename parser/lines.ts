/**
 * Text → logical lines (1.1): continuations joined, comments and blank lines left out, with a map
 * from each character of a joined line back to its place in the file.
 *
 * Lines are asked for one at a time, because where a heredoc's body ends, and so where the next
 * line starts, is only known once the instruction is parsed.
 */

import type { Position, SourceRange, TsbuildError } from '../src/errors.ts';
import type { Comment, Directive, ParseWarning } from './ast.ts';
import { createDirectiveReader, type DirectiveReader } from './directives.ts';
import {
  type PhysicalLine,
  type PhysicalReader,
  readPhysical,
  skipToInstruction,
} from './physical-lines.ts';
import { skipSpace, trimSpace, trimSpaceEnd } from './whitespace.ts';

/** One instruction's text without its heredoc bodies, trimmed at both ends. */
export interface LogicalLine {
  readonly text: string;
  /** Line numbers in the file, counted from 1. */
  readonly firstLine: number;
  readonly lastLine: number;
  /** From the first character to the end of the last line. */
  readonly range: SourceRange;
  readonly leadingComments: readonly Comment[];
  /** A physical line in it was too long, which is already reported: not worth parsing (LEX-1). */
  readonly isTooLong: boolean;
  /** Maps offsets into `text` to a range of the file. */
  readonly locate: (start: number, end: number) => SourceRange;
}

/** Reads a file from top to bottom. What it collects is complete once `nextLine()` has returned undefined. */
export interface LineReader {
  readonly source: string;
  readonly file: string;
  readonly escape: () => '\\' | '`';
  readonly directives: readonly Directive[];
  readonly comments: readonly Comment[];
  readonly warnings: readonly ParseWarning[];
  /** The next instruction's line, or undefined at the end. */
  readonly nextLine: () => LogicalLine | undefined;
  /**
   * Cuts out the body that follows, up to a terminator (HD-3). Undefined, and nothing is cut out,
   * when that is missing.
   */
  readonly takeBody: (terminator: string, chomp: boolean) => HeredocBody | undefined;
  /** Goes on at the next line that looks like an instruction: what is before it may be a body. */
  readonly skipToInstruction: () => void;
  readonly lineCount: () => number;
}

export interface HeredocBody {
  /** Line ends as in the file, the terminator's line not included. */
  readonly content: string;
  /** Terminator included. */
  readonly range: SourceRange;
  readonly lastLine: number;
}

/** Starts reading `source`. What is wrong with it is reported as ERR_PARSE, and reading goes on. */
export function openLines(
  source: string,
  file: string,
  report: (error: TsbuildError) => void,
): LineReader {
  const state: State = {
    source,
    file,
    report,
    lastTooLong: 0,
    at: 0,
    line: 0,
    directives: createDirectiveReader(source, file, report),
    comments: [],
    warnings: [],
    leading: [],
  };
  return {
    source,
    file,
    escape: () => state.directives.escape(),
    directives: state.directives.found,
    comments: state.comments,
    warnings: state.warnings,
    nextLine: () => nextLine(state),
    takeBody: (terminator, chomp) => takeBody(state, terminator, chomp),
    skipToInstruction: () => skipToInstruction(state),
    lineCount: () => state.line,
  };
}

interface State extends PhysicalReader {
  readonly directives: DirectiveReader;
  readonly comments: Comment[];
  readonly warnings: ParseWarning[];
  leading: Comment[];
}

/** A stretch of a logical line: text of one physical line, from `column` on. */
interface Piece {
  at: number;
  readonly text: string;
  readonly line: number;
  readonly column: number;
}

function nextLine(state: State): LogicalLine | undefined {
  for (let line = readPhysical(state); line !== undefined; line = readPhysical(state)) {
    // The byte order mark belongs to the file, not to its first line (LEX-2).
    const mark = line.number === 1 && line.text.startsWith('\uFEFF') ? 1 : 0;
    const column = skipSpace(line.text, mark);
    const text = line.text.slice(column);
    if (text.startsWith('#')) {
      readComment(state, line, column);
      continue;
    }
    state.directives.stop();
    if (text === '') {
      state.leading = [];
      continue;
    }
    return joinLines(state, line, { at: 0, text, line: line.number, column });
  }
  return undefined;
}

function readComment(state: State, line: PhysicalLine, column: number): void {
  const range = lineRange(line, column);
  if (state.directives.read(line.text.slice(column), range)) return;
  const comment = addComment(state, line, column);
  // An empty comment separates like an empty line (DIR-9).
  if (comment.text.trim() === '') state.leading = [];
  else state.leading.push(comment);
}

function addComment(state: State, line: PhysicalLine, column: number): Comment {
  const comment: Comment = Object.freeze({
    kind: 'comment',
    text: line.text.slice(column + 1),
    range: lineRange(line, column),
  });
  state.comments.push(comment);
  return comment;
}

function lineRange(line: PhysicalLine, column: number): SourceRange {
  return freezeRange(
    { line: line.number, column },
    { line: line.number, column: line.text.length },
  );
}

function freezeRange(start: Position, end: Position): SourceRange {
  return Object.freeze({ start: Object.freeze(start), end: Object.freeze(end) });
}

/** Reads on for as long as lines end in the escape character (LEX-5, LEX-6, LEX-7). */
function joinLines(state: State, firstLine: PhysicalLine, first: Piece): LogicalLine {
  const pieces: Piece[] = [];
  let isEmptySeen = false;
  let last = firstLine;
  let { isTooLong } = firstLine;
  let isOpen = addPiece(pieces, first, state.directives.escape());
  for (
    let line = isOpen ? readPhysical(state) : undefined;
    line;
    line = isOpen ? readPhysical(state) : undefined
  ) {
    last = line;
    isTooLong ||= line.isTooLong;
    const column = skipSpace(line.text);
    if (line.text[column] === '#') {
      addComment(state, line, column);
    } else if (column === line.text.length) {
      isEmptySeen = true;
    } else {
      const piece = { at: 0, text: line.text, line: line.number, column: 0 };
      isOpen = addPiece(pieces, piece, state.directives.escape());
    }
  }
  const joined = pieces.map((piece) => piece.text).join('');
  const text = trimSpace(joined);
  // Offsets count from the trimmed text's start, so that the pieces need no trimming.
  let at = -skipSpace(joined);
  for (const piece of pieces) {
    piece.at = at;
    at += piece.text.length;
  }
  const end = { line: last.number, column: last.text.length };
  if (isEmptySeen) warnEmpty(state, trimSpaceEnd(joined), end);
  const leadingComments = Object.freeze(state.leading);
  state.leading = [];
  return {
    text,
    firstLine: first.line,
    lastLine: last.number,
    range: freezeRange({ line: first.line, column: first.column }, end),
    leadingComments,
    isTooLong,
    locate: (start, stop) => locatePieces(pieces, start, stop),
  };
}

/** Adds a piece without its continuation character. True when there was one. */
function addPiece(pieces: Piece[], piece: Piece, escape: string): boolean {
  const { text } = piece;
  let end = text.length;
  while (text[end - 1] === ' ' || text[end - 1] === '\t') end--;
  // A doubled escape does not continue, however many of them there are (LEX-6).
  const isContinued = text[end - 1] === escape && text[end - 2] !== escape;
  pieces.push(isContinued ? { ...piece, text: text.slice(0, end - 1) } : piece);
  return isContinued;
}

/** BuildKit reports the last line of the instruction (LEX-7). */
function warnEmpty(state: State, text: string, end: Position): void {
  state.warnings.push(
    Object.freeze({
      rule: 'NoEmptyContinuation',
      message: `Empty continuation line found in: ${text}`,
      range: freezeRange({ line: end.line, column: 0 }, { ...end }),
    }),
  );
}

function locatePieces(pieces: readonly Piece[], start: number, end: number): SourceRange {
  const first = locate(pieces, start);
  // The end is exclusive: it lies right behind the last character, not at the next piece.
  const last = end > start ? locate(pieces, end - 1) : first;
  const after = end > start ? { line: last.line, column: last.column + 1 } : { ...first };
  return freezeRange(first, after);
}

function locate(pieces: readonly Piece[], offset: number): Position {
  let low = 0;
  let high = pieces.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if ((pieces[middle]?.at ?? 0) <= offset) low = middle;
    else high = middle - 1;
  }
  const piece = pieces[low];
  return { line: piece?.line ?? 1, column: (piece?.column ?? 0) + offset - (piece?.at ?? 0) };
}

function takeBody(state: State, terminator: string, chomp: boolean): HeredocBody | undefined {
  const { at, line: before } = state;
  const lines: string[] = [];
  const start: Position = { line: state.line + 1, column: 0 };
  for (let line = readPhysical(state); line !== undefined; line = readPhysical(state)) {
    const candidate = chomp ? line.text.replace(/^\t+/, '') : line.text;
    if (candidate === terminator) {
      const end = { line: line.number, column: line.text.length };
      return { content: lines.join(''), range: freezeRange(start, end), lastLine: line.number };
    }
    lines.push(line.text + line.end);
  }
  state.at = at;
  state.line = before;
  return undefined;
}
