/**
 * The wildcards of COPY and ADD (CP-5): Go's `filepath.Match`, and where in a path they begin.
 *
 * - `*` is any run of characters but `/`, `?` any character but `/`;
 * - `[a-z]` is one of these characters, `[^a-z]` one of all others (`/` among them);
 * - `\` takes the next character as it is.
 *
 * Patterns and names are text (`toText()`), compared by code points.
 */

import { TsbuildError } from '../errors.ts';

/** Whether a pattern matches a whole name. @throws ERR_INSTRUCTION_INVALID for a malformed pattern. */
export function matchGlob(pattern: string, name: string): boolean {
  const matched = tryGlob(pattern, name);
  if (matched !== undefined) return matched;
  throw new TsbuildError('ERR_INSTRUCTION_INVALID', {
    message: `Cannot use the wildcard "${pattern}": syntax error in pattern`,
    details: undefined,
    hint: 'Write "[[]" for a "[" that is part of a name.',
  });
}

/**
 * The same with undefined for a malformed pattern. Like Go's, it notices only what it reads: behind
 * a part that does not match, a `*` ends the reading.
 */
export function tryGlob(pattern: string, name: string): boolean | undefined {
  let rest: readonly string[] = [...name];
  let chunks = splitChunk([...pattern]);
  for (; chunks !== undefined; chunks = splitChunk(chunks.rest)) {
    const { star, chunk } = chunks;
    const last = chunks.rest.length === 0;
    if (star && chunk.length === 0) return !rest.includes('/');
    const next = findChunk(chunk, rest, { star, last });
    if (next === 'malformed') return undefined;
    if (next === undefined) return false;
    rest = next;
  }
  return rest.length === 0;
}

/** Whether a path has a wildcard that is not escaped. */
export function hasWildcards(path: string): boolean {
  for (let at = 0; at < path.length; at++) {
    const character = path[at];
    if (character === '\\') at++;
    else if (character === '*' || character === '?' || character === '[') return true;
  }
  return false;
}

/**
 * Cuts a path before its first component with a wildcard. Both halves are clean and relative;
 * without wildcards the pattern is empty. Backslashes stay in the prefix, as BuildKit keeps them:
 * only a pattern knows escapes.
 */
export function splitWildcards(path: string): {
  readonly prefix: string;
  readonly pattern: string;
} {
  const parts = cleanText(path);
  const at = parts.findIndex(hasWildcards);
  if (at === -1) return { prefix: parts.join('/'), pattern: '' };
  return { prefix: parts.slice(0, at).join('/'), pattern: parts.slice(at).join('/') };
}

function cleanText(path: string): string[] {
  const parts: string[] = [];
  for (const part of path.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '' && part !== '.') parts.push(part);
  }
  return parts;
}

interface Chunk {
  /** Whether a `*` comes first. */
  readonly star: boolean;
  /** Everything up to the next `*`: each element of it matches one character. */
  readonly chunk: readonly string[];
  readonly rest: readonly string[];
}

function splitChunk(pattern: readonly string[]): Chunk | undefined {
  if (pattern.length === 0) return undefined;
  const start = pattern.findIndex((character) => character !== '*');
  if (start === -1) return { star: true, chunk: [], rest: [] };
  let inClass = false;
  let end = start;
  for (; end < pattern.length; end++) {
    const character = pattern[end];
    if (character === '\\' && end + 1 < pattern.length) end++;
    else if (character === '[') inClass = true;
    else if (character === ']') inClass = false;
    else if (character === '*' && !inClass) break;
  }
  return { star: start > 0, chunk: pattern.slice(start, end), rest: pattern.slice(end) };
}

type Match = readonly string[] | 'malformed' | undefined;

/** What is left of a name behind a chunk: at its start, or with a star at the first place that fits. */
function findChunk(
  chunk: readonly string[],
  name: readonly string[],
  { star, last }: { readonly star: boolean; readonly last: boolean },
): Match {
  for (let skipped = 0; ; skipped++) {
    const rest = matchChunk(chunk, name.slice(skipped));
    if (rest === 'malformed') return rest;
    if (rest !== undefined && (rest.length === 0 || !last)) return rest;
    if (!star || skipped >= name.length || name[skipped] === '/') return undefined;
  }
}

/** What is left of a name behind a chunk at its start. Reads the chunk to its end, to tell if it is malformed. */
function matchChunk(chunk: readonly string[], name: readonly string[]): Match {
  let failed = false;
  let taken = 0;
  for (let at = 0; at < chunk.length; taken++) {
    const character = name[taken];
    failed ||= character === undefined;
    if (chunk[at] === '[') {
      const set = readClass(chunk, at + 1);
      if (set === undefined) return 'malformed';
      failed ||= !inClass(set, character);
      at = set.end;
    } else if (chunk[at] === '?') {
      failed ||= character === '/';
      at++;
    } else {
      if (chunk[at] === '\\') at++;
      if (at >= chunk.length) return 'malformed';
      failed ||= chunk[at] !== character;
      at++;
    }
  }
  return failed ? undefined : name.slice(taken);
}

interface CharacterClass {
  readonly negated: boolean;
  /** Code points, both ends included. */
  readonly ranges: readonly (readonly [number, number])[];
  /** Where the chunk goes on. */
  readonly end: number;
}

/** Reads from behind `[`. */
function readClass(chunk: readonly string[], start: number): CharacterClass | undefined {
  const negated = chunk[start] === '^';
  const ranges: [number, number][] = [];
  let at = negated ? start + 1 : start;
  while (chunk[at] !== ']' || ranges.length === 0) {
    const low = readMember(chunk, at);
    if (low === undefined) return undefined;
    const high = chunk[low.end] === '-' ? readMember(chunk, low.end + 1) : low;
    if (high === undefined) return undefined;
    ranges.push([low.code, high.code]);
    at = high.end;
  }
  return { negated, ranges, end: at + 1 };
}

function readMember(
  chunk: readonly string[],
  start: number,
): { readonly code: number; readonly end: number } | undefined {
  const first = chunk[start];
  if (first === '-' || first === ']') return undefined;
  const at = first === '\\' ? start + 1 : start;
  const code = chunk[at]?.codePointAt(0);
  // Nothing behind it means that the class is never closed.
  return code === undefined || at + 1 >= chunk.length ? undefined : { code, end: at + 1 };
}

function inClass({ negated, ranges }: CharacterClass, character: string | undefined): boolean {
  const code = character?.codePointAt(0) ?? 0;
  return ranges.some(([low, high]) => low <= code && code <= high) !== negated;
}
