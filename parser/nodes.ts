/**
 * The lenient level: a file as a list of parsed lines, in which unknown instructions and wrong
 * arguments are still allowed. What fails here is what BuildKit's `parser.Parse` refuses.
 */

import { type SourceRange, TsbuildError } from '../src/errors.ts';
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

/** Told of each problem, it decides whether reading goes on. */
export interface ErrorSink {
  /** May throw what it is given. */
  readonly report: (error: TsbuildError) => void;
  /** True when reading on is not worth it. */
  readonly isFull: () => boolean;
}

/** Ends it with the first error. */
const THROWING: ErrorSink = {
  report(error) {
    throw error;
  },
  isFull: () => false,
};

/**
 * Reads a file's instructions. What is wrong goes to `sink` as ERR_PARSE with a location, and its
 * line is left out; without a sink, the first is thrown.
 */
export function readInstructions(
  source: string,
  file: string,
  sink: ErrorSink = THROWING,
): InstructionList {
  let isEmpty = true;
  const report = (error: TsbuildError): void => {
    isEmpty = false;
    sink.report(error);
  };
  const reading: Reading = { ...openLines(source, file, report), report, unterminated: 0 };
  const nodes = readNodes(reading, sink);
  if (nodes.length === 0 && isEmpty) failEmpty(reading);
  return finish(reading, nodes);
}

interface Reading extends LineReader {
  readonly report: (error: TsbuildError) => void;
  /** How many heredocs had no terminator. */
  unterminated: number;
}

function readNodes(reader: Reading, sink: ErrorSink): InstructionNode[] {
  const nodes: InstructionNode[] = [];
  while (!sink.isFull() && reader.unterminated <= MAX_UNTERMINATED) {
    const line = reader.nextLine();
    if (line === undefined) break;
    const node = line.isTooLong ? undefined : readNode(reader, line);
    if (node !== undefined) nodes.push(node);
  }
  return nodes;
}

function finish(reader: LineReader, nodes: readonly InstructionNode[]): InstructionList {
  const { file, source } = reader;
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

function readNode(reader: Reading, line: LogicalLine): InstructionNode | undefined {
  // Continuations can leave a line empty; BuildKit takes it for an instruction without a name.
  const parsed = line.text === '' ? NAMELESS : parseLine(line.text, reader.escape());
  if (isProblem(parsed)) {
    return failParse(reader, parsed.problem, line.locate(parsed.start, parsed.end));
  }
  const heredocs = canHaveHeredocs(parsed) ? readHeredocs(reader, line) : [];
  if (heredocs === undefined) {
    reader.skipToInstruction();
    return undefined;
  }
  const end = heredocs.at(-1)?.range.end ?? line.range.end;
  return { line, parsed, heredocs, range: Object.freeze({ start: line.range.start, end }) };
}

/** Each costs a look at the whole rest of the file: after some, that stays a body. */
const MAX_UNTERMINATED = 10;

const EMPTY: Span = { text: '', start: 0, end: 0 };
const NAMELESS: ParsedLine = { keyword: EMPTY, flags: [], arguments: { shape: 'unknown' } };

/** Only RUN, COPY and ADD, also as triggers, and not in JSON form (HD-1). */
function canHaveHeredocs(parsed: ParsedLine): boolean {
  const args = parsed.arguments;
  const line = args.shape === 'trigger' ? args.line : parsed;
  return /^(?:run|copy|add)$/i.test(line.keyword.text) && line.arguments.shape !== 'array';
}

function readHeredocs(reader: Reading, line: LogicalLine): readonly NodeHeredoc[] | undefined {
  let words: readonly HeredocWord[];
  try {
    words = findHeredocs(line.text);
  } catch (error) {
    const problem = error instanceof Error ? error.message : String(error);
    return failParse(reader, problem, line.range, { cause: error });
  }
  const heredocs: NodeHeredoc[] = [];
  for (const word of words) {
    const body = reader.takeBody(word.name, word.chomp);
    if (body === undefined) {
      reader.unterminated++;
      const hint = `It ends with a line that is "${word.name}" and nothing else.`;
      return failParse(reader, `unterminated heredoc "${word.name}"`, line.range, { hint });
    }
    heredocs.push({ ...word, content: body.content, range: body.range });
  }
  return heredocs;
}

function failEmpty(reader: Reading): void {
  const { source } = reader;
  const problem = source === '' ? 'the Dockerfile cannot be empty' : 'file with no instructions';
  const start = { line: 1, column: 0 };
  const location = { file: reader.file, source, range: { start, end: start } };
  const message = `Cannot parse "${reader.file}": ${problem}`;
  reader.report(new TsbuildError('ERR_PARSE', { message, details: undefined, location }));
}

function failParse(
  reader: Reading,
  problem: string,
  range: SourceRange,
  more: { readonly cause?: unknown; readonly hint?: string } = {},
): undefined {
  const location = { file: reader.file, source: reader.source, range };
  const message = `Cannot parse line ${range.start.line}: ${problem}`;
  reader.report(new TsbuildError('ERR_PARSE', { message, details: undefined, location, ...more }));
}
