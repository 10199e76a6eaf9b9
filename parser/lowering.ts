/** What the functions that lower an instruction share: the node, its ranges, its failures. */

import { type SourceRange, TsbuildError } from '../src/errors.ts';
import type { Command, Flag, Heredoc, Word } from './ast.ts';
import type { ParsedArguments, ParsedLine, Span } from './grammar.ts';
import { chompTabs } from './heredoc.ts';
import type { InstructionNode } from './nodes.ts';

/** An instruction on its way from node to AST. */
export interface Lowering {
  readonly node: InstructionNode;
  readonly file: string;
  readonly source: string;
  /** The keyword in upper case, for messages. */
  readonly name: string;
  readonly args: ParsedArguments;
  readonly flags: readonly Flag[];
}

/** What every instruction has. */
export function instructionBase(lowering: Lowering): {
  readonly range: SourceRange;
  readonly keyword: string;
  readonly text: string;
  readonly leadingComments: InstructionNode['line']['leadingComments'];
  readonly flags: readonly Flag[];
} {
  const { node, flags } = lowering;
  return {
    range: node.range,
    keyword: node.parsed.keyword.text,
    text: node.line.text,
    leadingComments: node.line.leadingComments,
    flags,
  };
}

/** Fails with BuildKit's text at a range; the instruction's own unless another is given. */
export function failInstruction(
  lowering: Pick<Lowering, 'node' | 'file' | 'source'>,
  problem: string,
  range: SourceRange = lowering.node.range,
  hint?: string,
): never {
  const { file, source, node } = lowering;
  throw new TsbuildError('ERR_INSTRUCTION_INVALID', {
    message: `Cannot parse line ${node.line.firstLine}: ${problem}`,
    details: undefined,
    location: { file, source, range },
    hint,
  });
}

export function spanRange(lowering: Lowering, span: Pick<Span, 'start' | 'end'>): SourceRange {
  return lowering.node.line.locate(span.start, span.end);
}

export function toWord(lowering: Lowering, span: Span): Word {
  return Object.freeze({ text: span.text, range: spanRange(lowering, span) });
}

/** The arguments as a list of spans, as BuildKit counts them. */
export function argumentSpans(args: ParsedArguments): readonly Span[] {
  switch (args.shape) {
    case 'none':
    case 'unknown':
      return [];
    case 'words':
    case 'arguments':
    case 'pairs':
      return args.words;
    case 'array':
      return args.values;
    case 'text':
      return [args.text];
    case 'legacy':
      return [args.name, args.value];
    case 'health':
      return [args.type, ...argumentSpans(args.command)];
    case 'trigger':
      return lineSpans(args.line);
  }
}

function lineSpans(line: ParsedLine): readonly Span[] {
  return [line.keyword, ...argumentSpans(line.arguments)];
}

/** Exec form for a JSON array, shell form for anything else (FORM-5, FORM-8). */
export function toCommand(args: ParsedArguments): Command {
  if (args.shape === 'array') {
    return Object.freeze({ form: 'exec', argv: freezeTexts(args.values) });
  }
  return Object.freeze({ form: 'shell', line: args.shape === 'text' ? args.text.text : '' });
}

export function freezeTexts(spans: readonly Span[]): readonly string[] {
  return Object.freeze(spans.map((span) => span.text));
}

/** The heredocs of the instruction, with `<<-` applied. */
export function toHeredocs(lowering: Lowering): readonly Heredoc[] {
  return Object.freeze(
    lowering.node.heredocs.map(
      ({ name, content, expand, chomp, fileDescriptor, range }): Heredoc =>
        Object.freeze({
          kind: 'heredoc',
          name,
          content: chomp ? chompTabs(content) : content,
          expand,
          chomp,
          fileDescriptor,
          range,
        }),
    ),
  );
}
