/**
 * The tokens of a logical line.
 *
 * What a character means depends on the instruction, so the lexer has modes: the keyword chooses
 * one by the shape of the instruction's arguments. Each shape has two: `shape?` right after the
 * keyword, where flags may come, and `shape` once they are over (FORM-1). Two lexers exist, one
 * for each escape character (DIR-4); both are built when first needed.
 */

import {
  createToken,
  type IMultiModeLexerDefinition,
  type ITokenConfig,
  Lexer,
  type TokenType,
} from 'chevrotain';
import { SPACE } from './whitespace.ts';

/** The shapes that arguments have, and the instructions that have them. */
const SHAPES = {
  words: 'from|expose',
  list: 'add|copy|volume',
  command: 'run|cmd|entrypoint|shell',
  text: 'maintainer|stopsignal|user|workdir',
  pairs: 'env|label',
  arguments: 'arg',
  health: 'healthcheck',
  trigger: 'onbuild',
} as const;

type Shape = keyof typeof SHAPES;
/** `unknown` is the shape of whatever is no instruction. */
type AnyShape = Shape | 'unknown';
const ALL_SHAPES: readonly AnyShape[] = [
  'words',
  'list',
  'command',
  'text',
  'pairs',
  'arguments',
  'health',
  'trigger',
  'unknown',
];

/** What separates a keyword from the rest, and words from each other (LEX-9). */
const BLANK = '\\t\\v\\f\\r ';
/** What separates flags: BuildKit looks at bytes here, hence no wider set. */
const FLAG_SPACE = '\\t\\n\\v\\f\\r \\x85\\xa0';

function token(
  name: string,
  pattern: ITokenConfig['pattern'],
  config: Omit<ITokenConfig, 'name' | 'pattern'> = {},
): TokenType {
  return createToken({
    name,
    ...(pattern === undefined ? {} : { pattern }),
    line_breaks: false,
    ...config,
  });
}

function keyword(shape: Shape): TokenType {
  const pattern = new RegExp(`(?:${SHAPES[shape]})(?![^${BLANK}])`, 'i');
  return token(`Keyword_${shape}`, pattern, { push_mode: `${shape}?` });
}

/** One keyword for each shape. */
export const Keywords: Readonly<Record<AnyShape, TokenType>> = {
  words: keyword('words'),
  list: keyword('list'),
  command: keyword('command'),
  text: keyword('text'),
  pairs: keyword('pairs'),
  arguments: keyword('arguments'),
  health: keyword('health'),
  trigger: keyword('trigger'),
  unknown: token('Keyword_unknown', new RegExp(`[^${BLANK}]+`), { push_mode: 'unknown?' }),
};

/** A flag word. Quotes and backslashes work in it, whatever the escape character is (FORM-1). */
export const Flag = token(
  'Flag',
  new RegExp(
    `--(?:[^${FLAG_SPACE}"'\\\\]+|\\\\[^]|"[^"\\\\]*(?:\\\\[^][^"\\\\]*)*"?|'[^'\\\\]*(?:\\\\[^][^'\\\\]*)*'?|\\\\)*`,
  ),
);

/** A bare `--`, possibly with empty quotes. */
export const EndOfFlags = token('EndOfFlags', Lexer.NA);
const END_OF_FLAGS = new RegExp(`--(?:""|'')*(?:(?=[${FLAG_SPACE}])|["']?\\\\?(?![^]))`);

/** Both lexers share them: the grammar knows only the tokens that exist when it is built. */
const EndsOfFlags: ReadonlyMap<AnyShape, TokenType> = new Map(
  ALL_SHAPES.map((shape) => [shape, endOfFlags(shape)]),
);

function endOfFlags(shape: AnyShape): TokenType {
  return token(`EndOfFlags_${shape}`, END_OF_FLAGS, { categories: EndOfFlags, push_mode: shape });
}

const Space = token('Space', new RegExp(`[${SPACE}]+`), { group: Lexer.SKIPPED });
const Separator = token('Separator', new RegExp(`[${BLANK}]+`), { group: Lexer.SKIPPED });

export const Word = token('Word', new RegExp(`[^${BLANK}]+`));
const FirstWord = token('FirstWord', new RegExp(`[^${BLANK}]+`), {
  categories: Word,
  push_mode: 'words+',
});

/** Everything to the line's end. */
export const Text = token('Text', /[^]+/);

/** Matches only where a JSON array follows and ends the line, whatever is in it (FORM-5). */
export const OpenArray = token('OpenArray', matchArray, {
  push_mode: 'array',
  start_chars_hint: ['['],
});
export const CloseArray = token('CloseArray', ']');
export const Comma = token('Comma', ',');
export const JsonString = token('JsonString', /"[^"\\]*(?:\\[^][^"\\]*)*"/);
const JsonSpace = token('JsonSpace', /[\t\r\n ]+/, { group: Lexer.SKIPPED });
const NotString = token('NotString', /[^",\]\t\r\n ]+/);

/** The first word of ENV or LABEL, when it has no `=` (ENV-1). */
export const LegacyName = token('LegacyName', new RegExp(`[^${BLANK}]+`), { push_mode: 'legacy' });

/** `CMD` or `NONE`. */
export const HealthType = token('HealthType', new RegExp(`[^${FLAG_SPACE}]+`), {
  push_mode: 'command',
});

/** `name=value`, quotes and escapes in it. */
export const Pair = token('Pair', Lexer.NA);
/** A word without `=` among pairs: always an error. */
export const BareWord = token('BareWord', Lexer.NA);
/** A word in which quotes hold white space together. */
export const Argument = token('Argument', Lexer.NA);

/** The tokens that depend on the escape character. */
interface EscapeTokens {
  readonly FirstPair: TokenType;
  readonly NextPair: TokenType;
  readonly NextBareWord: TokenType;
  readonly FirstArgument: TokenType;
  readonly NextArgument: TokenType;
  /** An escape with nothing to escape is dropped. */
  readonly Dangling: TokenType;
}

function escapeTokens(name: string, escape: '\\\\' | '`'): EscapeTokens {
  const pattern = `(?:[^${SPACE}'"${escape}]+|${escape}[^]|'[^']*'?|"[^"${escape}]*(?:${escape}[^][^"${escape}]*)*"?)+`;
  const word = new RegExp(pattern);
  const sticky = new RegExp(pattern, 'y');
  const matchPair = (text: string, offset: number): RegExpExecArray | null => {
    sticky.lastIndex = offset;
    const match = sticky.exec(text);
    return match?.[0].includes('=') === true ? match : null;
  };
  return {
    FirstPair: token(`FirstPair_${name}`, matchPair, { categories: Pair, push_mode: `pairs+` }),
    NextPair: token(`NextPair_${name}`, matchPair, { categories: Pair }),
    NextBareWord: token(`NextBareWord_${name}`, word, { categories: BareWord }),
    FirstArgument: token(`FirstArgument_${name}`, word, {
      categories: Argument,
      push_mode: 'arguments+',
    }),
    NextArgument: token(`NextArgument_${name}`, word, { categories: Argument }),
    Dangling: token(`Dangling_${name}`, new RegExp(`${escape}(?![^])`), { group: Lexer.SKIPPED }),
  };
}

const BACKSLASH = escapeTokens('backslash', '\\\\');
const BACKTICK = escapeTokens('backtick', '`');

/** Every token, for the parser. */
export const vocabulary: TokenType[] = [
  Object.values(Keywords),
  [...EndsOfFlags.values()],
  [Flag, EndOfFlags, Space, Separator, Word, FirstWord, Text, LegacyName, HealthType],
  [OpenArray, CloseArray, Comma, JsonString, JsonSpace, NotString, Pair, BareWord, Argument],
  Object.values(BACKSLASH),
  Object.values(BACKTICK),
].flat();

const lexers = new Map<string, Lexer>();

/** The lexer for an escape character. */
export function lexerFor(escape: '\\' | '`'): Lexer {
  let lexer = lexers.get(escape);
  if (lexer === undefined) {
    lexer = new Lexer(lexerModes(escape === '\\' ? BACKSLASH : BACKTICK), {
      positionTracking: 'onlyOffset',
      // Building is most of what a small file costs, and the patterns are constant and tested: so
      // they are neither checked nor analysed for their first characters.
      skipValidations: true,
      safeMode: true,
    });
    lexers.set(escape, lexer);
  }
  return lexer;
}

function lexerModes(escape: EscapeTokens): IMultiModeLexerDefinition {
  const keywords = Object.values(Keywords);
  const starters: Readonly<Record<AnyShape, readonly TokenType[]>> = {
    words: [FirstWord],
    list: [OpenArray, FirstWord],
    command: [OpenArray, Text],
    text: [Text],
    pairs: [escape.Dangling, escape.FirstPair, LegacyName],
    arguments: [escape.Dangling, escape.FirstArgument],
    health: [HealthType],
    trigger: keywords,
    unknown: [Text],
  };
  const modes: Record<string, TokenType[]> = {
    instruction: keywords,
    'words+': [Separator, Word],
    'pairs+': [Space, escape.Dangling, escape.NextPair, escape.NextBareWord],
    'arguments+': [Space, escape.Dangling, escape.NextArgument],
    legacy: [Separator, Text],
    array: [JsonSpace, JsonString, Comma, CloseArray, NotString],
  };
  for (const [shape, end] of EndsOfFlags) {
    const tokens = starters[shape];
    modes[shape] = [Space, ...tokens];
    modes[`${shape}?`] = [Space, end, Flag, ...tokens];
  }
  return { modes, defaultMode: 'instruction' };
}

const MAYBE_ARRAY = /\[[\t\r\n ]*(?:["\]{[]|-?\d|true|false|null)/y;

function matchArray(text: string, offset: number): RegExpExecArray | null {
  // Spares most `[ -f file ]` the cost of an exception.
  MAYBE_ARRAY.lastIndex = offset;
  if (!MAYBE_ARRAY.test(text)) return null;
  try {
    JSON.parse(text.slice(offset));
  } catch {
    // Not JSON: then it is shell form, or a list of words.
    return null;
  }
  return OPEN.exec('[');
}

const OPEN = /\[/;
