/**
 * The word processor of Dockerfiles (1.4): quotes, escapes and variables, in BuildKit's order and
 * with its quirks. `expand.ts` is its public face; heredoc delimiters use it too.
 */

import { TsbuildError } from '../src/errors.ts';
import { PatternError, replaceAll, replaceFirst, trimPrefix, trimSuffix } from './pattern.ts';
import { isSpace } from './whitespace.ts';

export type Lookup = (name: string) => string | undefined;

export interface ShellSettings {
  readonly escape: '\\' | '`';
  /** Quotes are ordinary characters. */
  readonly ignoreQuotes?: boolean;
  /** Quotes quote, but stay in the result. */
  readonly keepQuotes?: boolean;
  /** Escapes escape, but stay in the result. */
  readonly keepEscapes?: boolean;
  /** Variables without a value stay as written. */
  readonly keepUnset?: boolean;
  readonly onUnset?: ((name: string) => void) | undefined;
}

/** The result as one word, and split at the white space that is not quoted. */
export interface ShellResult {
  readonly word: string;
  readonly words: readonly string[];
}

/**
 * Processes one word.
 *
 * Throws ERR_VARIABLE; the message contains BuildKit's.
 */
export function processWord(text: string, lookup: Lookup, settings: ShellSettings): ShellResult {
  // Go's scanner drops a byte order mark.
  const at = text.startsWith('\uFEFF') ? 1 : 0;
  const scan: Scan = { text, at, depth: 0, lookup, settings };
  return readUntil(scan, undefined, settings.keepEscapes === true);
}

/** Nesting beyond this is refused: recursion has a limit here, and nobody writes it. */
const MAX_DEPTH = 500;

interface Scan {
  readonly text: string;
  readonly lookup: Lookup;
  readonly settings: ShellSettings;
  at: number;
  depth: number;
}

function fail(scan: Scan, problem: string): never {
  const shown = scan.text.length > 80 ? `${scan.text.slice(0, 80)}…` : scan.text;
  throw new TsbuildError('ERR_VARIABLE', {
    message: `Cannot expand "${shown}": ${problem}`,
    details: { word: scan.text },
  });
}

function peek(scan: Scan): string | undefined {
  const code = scan.text.codePointAt(scan.at);
  return code === undefined ? undefined : String.fromCodePoint(code);
}

function next(scan: Scan): string | undefined {
  const character = peek(scan);
  if (character !== undefined) scan.at += character.length;
  return character;
}

/** Reads up to `stop`, which is consumed, or to the end of the text. */
function readUntil(scan: Scan, stop: string | undefined, keepEscapes: boolean): ShellResult {
  const words = collectWords();
  let result = '';
  for (let character = peek(scan); character !== undefined; character = peek(scan)) {
    if (character === stop) {
      next(scan);
      return { word: result, words: words.end() };
    }
    const special = readSpecial(scan, character, keepEscapes);
    if (special !== undefined) {
      result += special;
      if (character === '$') words.addSplit(special);
      else words.add(special);
      continue;
    }
    next(scan);
    if (character !== scan.settings.escape) {
      result += character;
      words.addSplit(character);
      continue;
    }
    const kept = (keepEscapes ? character : '') + (next(scan) ?? '');
    result += kept;
    if (kept !== '') words.add(kept);
  }
  if (stop !== undefined) {
    fail(scan, `unexpected end of statement while looking for matching ${stop}`);
  }
  return { word: result, words: words.end() };
}

function readSpecial(scan: Scan, character: string, keepEscapes: boolean): string | undefined {
  if (character === '$') return readDollar(scan);
  if (character === '<') return readHeredocOperator(scan);
  if (scan.settings.ignoreQuotes === true) return undefined;
  if (character === "'") return readSingleQuoted(scan);
  if (character === '"') return readDoubleQuoted(scan, keepEscapes);
  return undefined;
}

interface WordCollector {
  readonly add: (text: string) => void;
  /** Adds text whose white space separates words. */
  readonly addSplit: (text: string) => void;
  readonly end: () => readonly string[];
}

/** Collects words as `expandWords()` returns them. Empty ones vanish, quoted or not. */
function collectWords(): WordCollector {
  const words: string[] = [];
  let word = '';
  const end = (): readonly string[] => {
    if (word !== '') words.push(word);
    word = '';
    return words;
  };
  return {
    end,
    add(text) {
      word += text;
    },
    addSplit(text) {
      for (const character of text) {
        if (isSpace(character)) end();
        else word += character;
      }
    },
  };
}

/** Blanks between `<<` and a delimiter belong to the word (HD-1); other white space ends it. */
function readHeredocOperator(scan: Scan): string {
  next(scan);
  if (peek(scan) !== '<') return '<';
  const start = scan.at - 1;
  next(scan);
  while (/^[\t\r ]/.test(peek(scan) ?? '')) next(scan);
  return scan.text.slice(start, scan.at);
}

/** Nothing between single quotes is special. */
function readSingleQuoted(scan: Scan): string {
  const end = scan.text.indexOf("'", scan.at + 1);
  if (end < 0) {
    scan.at = scan.text.length;
    fail(scan, 'unexpected end of statement while looking for matching single-quote');
  }
  const quoted = scan.text.slice(scan.at, end + 1);
  scan.at = end + 1;
  return scan.settings.keepQuotes === true ? quoted : quoted.slice(1, -1);
}

/** Between double quotes, variables are replaced, and `"`, `$` and the escape can be escaped. */
function readDoubleQuoted(scan: Scan, keepEscapes: boolean): string {
  const quote = scan.settings.keepQuotes === true ? '"' : '';
  next(scan);
  let result = quote;
  for (let character = peek(scan); character !== undefined; character = peek(scan)) {
    if (character === '$') {
      result += readDollar(scan);
      continue;
    }
    next(scan);
    if (character === '"') return result + quote;
    if (character === scan.settings.escape) {
      if (keepEscapes) result += character;
      const escaped = peek(scan);
      if (escaped === undefined) break;
      if (escaped === '"' || escaped === '$' || escaped === scan.settings.escape) {
        character = escaped;
        next(scan);
      }
    }
    result += character;
  }
  fail(scan, 'unexpected end of statement while looking for matching double-quote');
}

function readDollar(scan: Scan): string {
  next(scan);
  if (peek(scan) === '{') return readBraced(scan);
  const name = readName(scan);
  if (name === '') return '$';
  const value = look(scan, name);
  return value ?? (scan.settings.keepUnset === true ? `$${name}` : '');
}

const NAME = /\p{Nd}+|[@*#?\-$!]|[\p{L}_][\p{L}\p{Nd}_]*/uy;

function readName(scan: Scan): string {
  NAME.lastIndex = scan.at;
  const name = NAME.exec(scan.text)?.[0] ?? '';
  scan.at += name.length;
  return name;
}

function look(scan: Scan, name: string): string | undefined {
  const value = scan.lookup(name);
  if (value === undefined) scan.settings.onUnset?.(name);
  return value;
}

const MISSING_BRACE = "syntax error: missing '}'";

function readBraced(scan: Scan): string {
  next(scan);
  const first = peek(scan);
  if (first === undefined) fail(scan, MISSING_BRACE);
  if (first === '{' || first === '}' || first === ':') {
    fail(scan, 'syntax error: bad substitution');
  }
  const name = readName(scan);
  const modifier = next(scan);
  if (modifier === undefined) fail(scan, MISSING_BRACE);
  if (modifier === '}') {
    const value = look(scan, name);
    return value ?? (scan.settings.keepUnset === true ? `\${${name}}` : '');
  }
  if (modifier === '/') return replace(scan, name);
  if (modifier === ':') return modify(scan, name, `:${next(scan) ?? ''}`);
  if ('+-?#%'.includes(modifier)) return modify(scan, name, modifier);
  fail(scan, `unsupported modifier (${modifier}) in substitution`);
}

/** Reads a part of a substitution. At the end of the text, what is missing matters more than what failed. */
function readPart(
  scan: Scan,
  stop: string,
  options: { keepEscapes: boolean; missing: string },
): string {
  if (++scan.depth > MAX_DEPTH) fail(scan, 'substitutions are nested too deeply');
  try {
    return readUntil(scan, stop, options.keepEscapes).word;
  } catch (error) {
    if (scan.at >= scan.text.length) fail(scan, options.missing);
    throw error;
  } finally {
    scan.depth--;
  }
}

/** `${name-word}` and its kin. The word is processed even where its value is not needed. */
function modify(scan: Scan, name: string, modifier: string): string {
  const operator = modifier.at(-1) ?? '';
  const isPattern = operator === '#' || operator === '%';
  if (modifier.length > 1 && isPattern) {
    fail(scan, `unsupported modifier (${modifier}) in substitution`);
  }
  const word = readPart(scan, '}', { keepEscapes: isPattern, missing: MISSING_BRACE });
  const value = look(scan, name);
  if (value === undefined && scan.settings.keepUnset === true) {
    return `\${${name}${modifier}${word}}`;
  }
  const isSet = value !== undefined && !(modifier.length > 1 && value === '');
  switch (operator) {
    case '-':
      return isSet ? value : word;
    case '+':
      return isSet ? word : '';
    case '?':
      if (isSet) return value;
      return fail(
        scan,
        `${name}: ${word || `is not allowed to be ${value === undefined ? 'unset' : 'empty'}`}`,
      );
    case '#':
    case '%':
      return trim(scan, operator, { word, value: value ?? '' });
    default:
      return fail(scan, `unsupported modifier (${modifier}) in substitution`);
  }
}

function trim(scan: Scan, operator: '#' | '%', parts: { word: string; value: string }): string {
  // Looked for in the processed word, as BuildKit does: `##` may come out of a variable.
  const isLongest = parts.word.startsWith(operator);
  const pattern = isLongest ? parts.word.slice(1) : parts.word;
  return withPattern(scan, pattern, () =>
    operator === '#'
      ? trimPrefix(pattern, parts.value, isLongest)
      : trimSuffix(pattern, parts.value, isLongest),
  );
}

/** `${name/pattern/replacement}`, or with `//`, for every match. */
function replace(scan: Scan, name: string): string {
  const isAll = peek(scan) === '/';
  if (isAll) next(scan);
  const pattern = readPart(scan, '/', {
    keepEscapes: true,
    missing: "syntax error: missing '/' in ${}",
  });
  const replacement = readPart(scan, '}', { keepEscapes: true, missing: MISSING_BRACE });
  const value = look(scan, name);
  if (value === undefined && scan.settings.keepUnset === true) {
    return `\${${name}/${pattern}/${replacement}}`;
  }
  return withPattern(scan, pattern, () =>
    isAll
      ? replaceAll(pattern, value ?? '', replacement)
      : replaceFirst(pattern, value ?? '', replacement),
  );
}

function withPattern(scan: Scan, pattern: string, use: () => string): string {
  try {
    return use();
  } catch (error) {
    if (!(error instanceof PatternError)) throw error;
    return fail(scan, `invalid pattern (${pattern}) in substitution: ${error.message}`);
  }
}
