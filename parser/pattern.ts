/**
 * The patterns of `${v#p}`, `${v%p}` and `${v/p/r}` (VAR-4): `*` and `?`, no classes.
 *
 * BuildKit turns them into Go regular expressions, which never backtrack. JavaScript's do, so the
 * patterns are matched here as sets of states: time is at most pattern × text.
 */

/** Thrown for an escape that patterns do not have; `message` is BuildKit's. */
export class PatternError extends Error {
  override readonly name = 'PatternError';
}

type Pattern = readonly Piece[];
/** A code point, or one of the wildcards below. */
type Piece = number;
const ANY_STRING = -1;
const ANY_CHARACTER = -2;
const NEWLINE = 10;

/** `value` without the shortest (or longest) prefix that matches. */
export function trimPrefix(pattern: string, value: string, longest: boolean): string {
  const text = codePoints(value);
  const end = matchEnd(parsePattern(pattern), text, { start: 0, longest });
  return end === undefined ? value : join(text, end, text.length);
}

/** `value` without the shortest (or longest) suffix that matches. */
export function trimSuffix(pattern: string, value: string, longest: boolean): string {
  const text = codePoints(value).toReversed();
  const end = matchEnd(parsePattern(reversePattern(pattern)), text, { start: 0, longest });
  return end === undefined ? value : join(text.toReversed(), 0, text.length - end);
}

/**
 * Reversed as written, before it is read: BuildKit does so, and a backslash at the very end, which
 * escapes nothing, thereby comes to escape the character before it.
 */
function reversePattern(pattern: string): string {
  return (pattern.match(/\\[^]|[^]/gu) ?? []).toReversed().join('');
}

/** `value` with its first match replaced; the replacement is literal. */
export function replaceFirst(pattern: string, value: string, replacement: string): string {
  const text = codePoints(value);
  const pieces = parsePattern(pattern);
  const start = findStarts(pieces, text).indexOf(1);
  if (start < 0) return value;
  const end = matchEnd(pieces, text, { start, longest: true }) ?? start;
  return join(text, 0, start) + replacement + join(text, end, text.length);
}

/** `value` with every match replaced; the replacement is a template of Go's (VAR-4). */
export function replaceAll(pattern: string, value: string, template: string): string {
  const text = codePoints(value);
  const pieces = parsePattern(pattern);
  const starts = findStarts(pieces, text);
  let result = '';
  let done = 0;
  for (let at = 0; at <= text.length; ) {
    const start = starts.indexOf(1, at);
    if (start < 0) break;
    const end = matchEnd(pieces, text, { start, longest: true }) ?? start;
    result += join(text, done, start);
    // An empty match right after another match does not count, as in Go.
    if (end > done || start === 0) result += fillTemplate(template, join(text, start, end));
    done = end;
    at = Math.max(at + 1, end);
  }
  return result + join(text, done, text.length);
}

function codePoints(text: string): number[] {
  return Array.from(text, (character) => character.codePointAt(0) ?? 0);
}

function join(text: readonly number[], start: number, end: number): string {
  let result = '';
  for (let at = start; at < end; at++) result += String.fromCodePoint(text[at] ?? 0);
  return result;
}

function parsePattern(pattern: string): Pattern {
  const characters = Array.from(pattern);
  const pieces: Piece[] = [];
  for (let at = 0; at < characters.length; at++) {
    let character = characters[at] ?? '';
    if (character === '*') {
      if (pieces.at(-1) !== ANY_STRING) pieces.push(ANY_STRING);
      continue;
    }
    if (character === '?') {
      pieces.push(ANY_CHARACTER);
      continue;
    }
    if (character === '\\') {
      const next = characters[at + 1];
      // `}` and `/` are escaped for the sake of the substitution around the pattern.
      if (next === '}' || next === '/') continue;
      if (next !== '*' && next !== '?' && next !== '\\') {
        throw new PatternError(`invalid escape '\\${next ?? ''}'`);
      }
      character = next;
      at++;
    }
    pieces.push(character.codePointAt(0) ?? 0);
  }
  return pieces;
}

/** Where a match that starts at `start` ends, at the first or last possible place. */
function matchEnd(
  pieces: Pattern,
  text: readonly number[],
  options: { readonly start: number; readonly longest: boolean },
): number | undefined {
  const step = stepper(pieces);
  let states = step.enter([]);
  let end: number | undefined;
  for (let at = options.start; ; at++) {
    if (states.at(-1) === pieces.length) end = at;
    const character = text[at];
    if (states.length === 0 || character === undefined) return end;
    if (end !== undefined && !options.longest) return end;
    states = step.over(states, character);
  }
}

/** For each offset, 1 where a match can start: the mirrored pattern is run over the mirrored text. */
function findStarts(pieces: Pattern, text: readonly number[]): Uint8Array {
  const step = stepper(pieces.toReversed());
  const starts = new Uint8Array(text.length + 1);
  let states = step.enter([]);
  for (let at = text.length; ; at--) {
    if (states.at(-1) === pieces.length) starts[at] = 1;
    const character = text[at - 1];
    if (character === undefined) return starts;
    states = step.enter(step.over(states, character));
  }
}

interface Stepper {
  /** The states with the pattern's beginning among them. */
  readonly enter: (states: readonly number[]) => number[];
  readonly over: (states: readonly number[], character: number) => number[];
}

/** States are offsets into the pattern, ascending; the last one possible means a match. */
function stepper(pieces: Pattern): Stepper {
  const add = (states: number[], state: number): void => {
    for (let next = state; ; next++) {
      if ((states.at(-1) ?? -1) < next) states.push(next);
      if (pieces[next] !== ANY_STRING) return;
    }
  };
  return {
    enter(states) {
      const result: number[] = [];
      add(result, 0);
      for (const state of states) add(result, state);
      return result;
    },
    over(states, character) {
      const result: number[] = [];
      for (const state of states) {
        const piece = pieces[state];
        // Like a dot in Go's regular expressions, wildcards stop at a line's end.
        if (piece === ANY_STRING && character !== NEWLINE) add(result, state);
        if (piece === ANY_CHARACTER && character !== NEWLINE) add(result, state + 1);
        if (piece === character) add(result, state + 1);
      }
      return result;
    },
  };
}

const REFERENCE = /\$(?:\$|\{([\p{L}\p{Nd}_]+)\}|([\p{L}\p{Nd}_]+))/gu;

/** Go's `Expand`: `$0` is the match, groups that the pattern does not have are empty. */
function fillTemplate(template: string, match: string): string {
  return template.replace(REFERENCE, (reference, braced?: string, bare?: string) => {
    if (reference === '$$') return '$';
    return (braced ?? bare) === '0' ? match : '';
  });
}
