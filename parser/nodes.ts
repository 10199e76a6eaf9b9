/**
 * The lenient level: a file as a list of parsed lines, in which unknown instructions and wrong
 * arguments are still allowed. What fails here is what BuildKit's `parser.Parse` refuses.
 */

import { type SourceLocation, type SourceRange, TsbuildError } from '../src/errors.ts';
import type { Comment, Directive, ParseWarning } from './ast.ts';
import { isProblem, type ParsedLine, parseLine, type Span } from './grammar.ts';
import { findHeredocs, type HeredocWord } from './heredoc.ts';
import { type LineReader, type LogicalLine, openLines } from './lines.ts';

/** One instruction, not yet checked. */
export interface InstructionNode {
  readonly line: LogicalLine;
  readonly parsed: ParsedLine;
  readonly heredocs: readonly NodeHeredoc[];
  /** Heredocs included. */
  readonly range: SourceRange;
}

export interface NodeHeredoc extends HeredocWord {
  /** As in the file: tabs are still there. */
  readonly content: string;
  readonly range: SourceRange;
}

export interface InstructionList {
  readonly file: string;
  readonly source: string;
  readonly escape: '\\' | '`';
  readonly nodes: readonly InstructionNode[];
  readonly directives: readonly Directive[];
  readonly comments: readonly Comment[];
  readonly warnings: readonly ParseWarning[];
}

/** Reads a file's instructions. Throws ERR_PARSE with a location. */
export function readInstructions(source: string, file: string): InstructionList {
  const reader = openLines(source, file);
  const nodes: InstructionNode[] = [];
  for (let line = reader.nextLine(); line !== undefined; line = reader.nextLine()) {
    nodes.push(readNode(reader, line));
  }
  if (nodes.length === 0) failEmpty(reader);
  return {
    file,
    source,
    escape: reader.escape(),
    nodes,
    directives: Object.freeze(reader.directives),
    comments: Object.freeze(reader.comments),
    warnings: Object.freeze(reader.warnings),
  };
}

function readNode(reader: LineReader, line: LogicalLine): InstructionNode {
  // Continuations can leave a line empty; BuildKit takes it for an instruction without a name.
  const parsed = line.text === '' ? NAMELESS : parseLine(line.text, reader.escape());
  if (isProblem(parsed)) {
    return failParse(reader, parsed.problem, line.locate(parsed.start, parsed.end));
  }
  const heredocs = canHaveHeredocs(parsed) ? readHeredocs(reader, line) : [];
  const end = heredocs.at(-1)?.range.end ?? line.range.end;
  return { line, parsed, heredocs, range: Object.freeze({ start: line.range.start, end }) };
}

const EMPTY: Span = { text: '', start: 0, end: 0 };
const NAMELESS: ParsedLine = { keyword: EMPTY, flags: [], arguments: { shape: 'unknown' } };

/** Only RUN, COPY and ADD, also as triggers, and not in JSON form (HD-1). */
function canHaveHeredocs(parsed: ParsedLine): boolean {
  const args = parsed.arguments;
  const line = args.shape === 'trigger' ? args.line : parsed;
  return /^(?:run|copy|add)$/i.test(line.keyword.text) && line.arguments.shape !== 'array';
}

function readHeredocs(reader: LineReader, line: LogicalLine): readonly NodeHeredoc[] {
  let words: readonly HeredocWord[];
  try {
    words = findHeredocs(line.text);
  } catch (error) {
    const problem = error instanceof Error ? error.message : String(error);
    return failParse(reader, problem, line.range, error);
  }
  return words.map((word) => {
    const body = reader.takeBody(word.name, word.chomp);
    if (body === undefined) {
      return failParse(reader, `unterminated heredoc "${word.name}"`, line.range);
    }
    return { ...word, content: body.content, range: body.range };
  });
}

function failEmpty(reader: LineReader): never {
  const { source } = reader;
  const problem = source === '' ? 'the Dockerfile cannot be empty' : 'file with no instructions';
  const start = { line: 1, column: 0 };
  const location = { file: reader.file, source, range: { start, end: start } };
  throw new TsbuildError('ERR_PARSE', {
    message: `Cannot parse "${reader.file}": ${problem}`,
    details: undefined,
    location,
  });
}

function failParse(
  reader: LineReader,
  problem: string,
  range: SourceRange,
  cause?: unknown,
): never {
  const location: SourceLocation = { file: reader.file, source: reader.source, range };
  const message = `Cannot parse line ${range.start.line}: ${problem}`;
  throw new TsbuildError('ERR_PARSE', { message, details: undefined, location, cause });
}
