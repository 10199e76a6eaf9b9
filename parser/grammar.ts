/**
 * The grammar of one logical line: keyword, flags, arguments in the shape of the instruction.
 *
 * Actions are embedded, so there is no concrete syntax tree: a rule returns what it read, as spans
 * of the line. It is lenient where BuildKit's parser is: what the arguments of an instruction may
 * be is checked when it is lowered.
 */

import { EmbeddedActionsParser, type IToken } from 'chevrotain';
import {
  Argument,
  BareWord,
  CloseArray,
  Comma,
  EndOfFlags,
  Flag,
  HealthType,
  JsonString,
  Keywords,
  LegacyName,
  lexerFor,
  OpenArray,
  Pair,
  Text,
  vocabulary,
  Word,
} from './tokens.ts';

/** A stretch of a logical line. `text` is decoded where the notation has quotes of its own (JSON). */
export interface Span {
  readonly text: string;
  readonly start: number;
  readonly end: number;
}

export interface ParsedLine {
  readonly keyword: Span;
  /** Flag words as written. */
  readonly flags: readonly Span[];
  readonly arguments: ParsedArguments;
}

export type ParsedArguments =
  | { readonly shape: 'none' }
  | { readonly shape: 'words' | 'arguments' | 'pairs'; readonly words: readonly Span[] }
  | { readonly shape: 'array'; readonly values: readonly Span[] }
  | { readonly shape: 'text'; readonly text: Span }
  | { readonly shape: 'legacy'; readonly name: Span; readonly value: Span }
  | { readonly shape: 'health'; readonly type: Span; readonly command: ParsedArguments }
  | { readonly shape: 'trigger'; readonly line: ParsedLine }
  | { readonly shape: 'unknown' };

/** Why a line does not parse; `problem` is BuildKit's text. */
export interface LineProblem {
  readonly problem: string;
  readonly start: number;
  readonly end: number;
}

/** Parses a logical line, which is trimmed and has at least one character. */
export function parseLine(text: string, escape: '\\' | '`'): ParsedLine | LineProblem {
  const { tokens, errors } = lexerFor(escape).tokenize(text);
  if (tokens.filter((found) => found.tokenType === Keywords.trigger).length > MAX_TRIGGERS) {
    const problem = "Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed";
    return { problem, start: 0, end: text.length };
  }
  grammar ??= new InstructionGrammar();
  grammar.input = tokens;
  const line = grammar.instruction();
  if (grammar.errors.length === 0 && errors.length === 0) return line;
  return describeProblem(text, tokens, grammar.errors[0]?.token);
}

/** True for what `parseLine()` returns when it fails. */
export function isProblem(result: ParsedLine | LineProblem): result is LineProblem {
  return 'problem' in result;
}

/** Triggers nest by recursion; more than one is an error anyway, later. */
const MAX_TRIGGERS = 50;

/** Built with the first line, because building costs more than a small file takes to parse. */
let grammar: InstructionGrammar | undefined;

const NONE: ParsedArguments = { shape: 'none' };

class InstructionGrammar extends EmbeddedActionsParser {
  constructor() {
    super(vocabulary, { maxLookahead: 1, skipValidations: true, recoveryEnabled: false });
    this.performSelfAnalysis();
  }

  /** keyword flag* ["--"] arguments */
  readonly instruction = this.RULE(
    'instruction',
    (): ParsedLine =>
      this.OR([
        { ALT: () => this.SUBRULE(this.words) },
        { ALT: () => this.SUBRULE(this.list) },
        { ALT: () => this.SUBRULE(this.command) },
        { ALT: () => this.SUBRULE(this.text) },
        { ALT: () => this.SUBRULE(this.pairs) },
        { ALT: () => this.SUBRULE(this.arguments) },
        { ALT: () => this.SUBRULE(this.health) },
        { ALT: () => this.SUBRULE(this.trigger) },
        { ALT: () => this.SUBRULE(this.unknown) },
      ]),
  );

  /** FROM, EXPOSE: word* */
  readonly words = this.RULE('words', (): ParsedLine => {
    const keyword = span(this.CONSUME(Keywords.words));
    const flags = this.SUBRULE(this.flags);
    return { keyword, flags, arguments: this.SUBRULE(this.wordList) };
  });

  /** ADD, COPY, VOLUME: array | word* */
  readonly list = this.RULE('list', (): ParsedLine => {
    const keyword = span(this.CONSUME(Keywords.list));
    const flags = this.SUBRULE(this.flags);
    const args = this.OR([
      { ALT: () => this.SUBRULE(this.array) },
      { ALT: () => this.SUBRULE(this.wordList) },
    ]);
    return { keyword, flags, arguments: args };
  });

  /** RUN, CMD, ENTRYPOINT, SHELL: array | text */
  readonly command = this.RULE('command', (): ParsedLine => {
    const keyword = span(this.CONSUME(Keywords.command));
    const flags = this.SUBRULE(this.flags);
    return { keyword, flags, arguments: this.SUBRULE(this.commandLine) };
  });

  /** MAINTAINER, STOPSIGNAL, USER, WORKDIR: text */
  readonly text = this.RULE('text', (): ParsedLine => {
    const keyword = span(this.CONSUME(Keywords.text));
    const flags = this.SUBRULE(this.flags);
    return { keyword, flags, arguments: this.SUBRULE(this.restOfLine) };
  });

  /** ENV, LABEL: pair+ | name text */
  readonly pairs = this.RULE('pairs', (): ParsedLine => {
    const keyword = span(this.CONSUME(Keywords.pairs));
    const flags = this.SUBRULE(this.flags);
    const args = this.OPTION(() =>
      this.OR([
        { ALT: () => this.SUBRULE(this.pairList) },
        { ALT: () => this.SUBRULE(this.legacyPair) },
      ]),
    );
    return { keyword, flags, arguments: args ?? NONE };
  });

  /** ARG: argument* */
  readonly arguments = this.RULE('arguments', (): ParsedLine => {
    const keyword = span(this.CONSUME(Keywords.arguments));
    const flags = this.SUBRULE(this.flags);
    const words: Span[] = [];
    this.MANY(() => words.push(span(this.CONSUME(Argument))));
    return { keyword, flags, arguments: words.length === 0 ? NONE : { shape: 'arguments', words } };
  });

  /** HEALTHCHECK: [type (array | text)] */
  readonly health = this.RULE('health', (): ParsedLine => {
    const keyword = span(this.CONSUME(Keywords.health));
    const flags = this.SUBRULE(this.flags);
    const args = this.OPTION((): ParsedArguments => {
      const type = span(this.CONSUME(HealthType));
      return { shape: 'health', type, command: this.SUBRULE(this.commandLine) };
    });
    return { keyword, flags, arguments: args ?? NONE };
  });

  /** ONBUILD: [instruction] */
  readonly trigger = this.RULE('trigger', (): ParsedLine => {
    const keyword = span(this.CONSUME(Keywords.trigger));
    const flags = this.SUBRULE(this.flags);
    const args = this.OPTION(
      (): ParsedArguments => ({
        shape: 'trigger',
        line: this.SUBRULE(this.instruction),
      }),
    );
    return { keyword, flags, arguments: args ?? NONE };
  });

  /** Anything else: the arguments are not looked at. */
  readonly unknown = this.RULE('unknown', (): ParsedLine => {
    const keyword = span(this.CONSUME(Keywords.unknown));
    const flags = this.SUBRULE(this.flags);
    this.OPTION(() => this.CONSUME(Text));
    return { keyword, flags, arguments: { shape: 'unknown' } };
  });

  readonly flags = this.RULE('flags', (): readonly Span[] => {
    const flags: Span[] = [];
    this.MANY(() => flags.push(span(this.CONSUME(Flag))));
    this.OPTION(() => this.CONSUME(EndOfFlags));
    return flags;
  });

  readonly wordList = this.RULE('wordList', (): ParsedArguments => {
    const words: Span[] = [];
    this.MANY(() => words.push(span(this.CONSUME(Word))));
    return words.length === 0 ? NONE : { shape: 'words', words };
  });

  readonly commandLine = this.RULE(
    'commandLine',
    (): ParsedArguments =>
      this.OR([
        { ALT: () => this.SUBRULE(this.array) },
        { ALT: () => this.SUBRULE(this.restOfLine) },
      ]),
  );

  readonly restOfLine = this.RULE('restOfLine', (): ParsedArguments => {
    const text = this.OPTION(() => span(this.CONSUME(Text)));
    return text === undefined ? NONE : { shape: 'text', text };
  });

  readonly array = this.RULE('array', (): ParsedArguments => {
    const values: Span[] = [];
    this.CONSUME(OpenArray);
    this.MANY_SEP({ SEP: Comma, DEF: () => values.push(jsonSpan(this.CONSUME(JsonString))) });
    this.CONSUME(CloseArray);
    return { shape: 'array', values };
  });

  readonly pairList = this.RULE('pairList', (): ParsedArguments => {
    const words: Span[] = [];
    this.AT_LEAST_ONE(() => words.push(span(this.CONSUME(Pair))));
    return { shape: 'pairs', words };
  });

  readonly legacyPair = this.RULE('legacyPair', (): ParsedArguments => {
    const name = span(this.CONSUME(LegacyName));
    return { shape: 'legacy', name, value: span(this.CONSUME(Text)) };
  });
}

function span(token: IToken): Span {
  return {
    text: token.image,
    start: token.startOffset,
    end: token.startOffset + token.image.length,
  };
}

function jsonSpan(token: IToken): Span {
  // While chevrotain records the grammar, tokens are made up and no JSON.
  if (!token.image.startsWith('"')) return span(token);
  const value: unknown = JSON.parse(token.image);
  return { ...span(token), text: typeof value === 'string' ? value.toWellFormed() : '' };
}

/** The grammar takes everything but three mistakes; the place tells them apart. */
function describeProblem(
  text: string,
  tokens: readonly IToken[],
  at: IToken | undefined,
): LineProblem {
  // The end of the text is a token too, at no place.
  const found = at !== undefined && at.startOffset >= 0 ? span(at) : undefined;
  const where = { start: found?.start ?? 0, end: found?.end ?? text.length };
  if (tokens.some((token) => token.tokenType === OpenArray)) {
    return {
      problem: 'when using JSON array syntax, arrays must be comprised of strings only',
      ...where,
    };
  }
  if (at?.tokenType.CATEGORIES?.includes(BareWord) === true) {
    const problem = `Syntax error - can't find = in ${JSON.stringify(at.image)}. Must be of the form: name=value`;
    return { problem, ...where };
  }
  const keyword = tokens.findLast((token) => token.tokenType === Keywords.pairs)?.image ?? '';
  return { problem: `${keyword.toUpperCase()} must have two arguments`, ...where };
}
