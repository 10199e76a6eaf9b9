/**
 * Ignore rules: what `.dockerignore` and `COPY --exclude` say, with the meaning that
 * moby/patternmatcher gives it (IGN-2 to IGN-5, IGN-8).
 *
 * The last rule that matches a path or one of its parents decides. The helper evaluates the same
 * rules while it walks. BuildKit's own walker differs in one case: for `a/b` followed by `!a` it
 * forgets that the `!` rule matched the parent, and ignores `a/b`; patternmatcher's plain
 * function, the documentation and we keep it.
 */

import { posix } from 'node:path';
import type { IgnoreRule } from '../../native/index.ts';
import { TsbuildError } from '../errors.ts';
import { tryGlob } from '../tree/glob.ts';
import { ignoreRegex } from './ignore-regex.ts';

/** The patterns of an ignore file: without comments and blanks, clean, relative. Nothing is checked yet (IGN-2). */
export function readIgnore(text: string): string[] {
  const patterns: string[] = [];
  for (const line of text.replace(/^\ufeff/, '').split('\n')) {
    // Only in the first column: " #name" is a file.
    if (line.startsWith('#')) continue;
    const pattern = trim(line);
    if (pattern.startsWith('!')) patterns.push(`!${toRelative(trim(pattern.slice(1)))}`);
    else if (pattern !== '') patterns.push(toRelative(pattern));
  }
  return patterns;
}

/** Patterns as regular expressions, in order. @throws ERR_IGNORE_PATTERN */
export function compileIgnore(patterns: readonly string[]): IgnoreRule[] {
  return patterns
    .map(trim)
    .filter((pattern) => pattern !== '')
    .map((pattern) => compileRule(clean(pattern)));
}

/** A function that tells whether a path is ignored: text, relative to the root. @throws ERR_IGNORE_PATTERN */
export function createIgnore(patterns: readonly string[]): (path: string) => boolean {
  const rules = compileIgnore(patterns).map(({ regex, negated }) => ({
    regex: new RegExp(regex, 'u'),
    negated,
  }));
  if (rules.length === 0) return () => false;
  return (path) => {
    const names = withParents(clean(path));
    return rules.findLast(({ regex }) => names.some((name) => regex.test(name)))?.negated === false;
  };
}

/** `a/b` → `a/b`, `a`. The root itself is never ignored. */
function withParents(path: string): string[] {
  if (path === '.') return [];
  const names = [path];
  for (let at = path.indexOf('/'); at !== -1; at = path.indexOf('/', at + 1)) {
    names.push(path.slice(0, at));
  }
  return names;
}

function compileRule(pattern: string): IgnoreRule {
  const negated = pattern.startsWith('!');
  const body = negated ? pattern.slice(1) : pattern;
  if (body === '') throw malformed(pattern, 'illegal exclusion pattern');
  // Two readers have to take it, as in BuildKit: Go's matcher finds `[a-]` wrong, the other one does not.
  const regex = tryGlob(body, '.') === undefined ? undefined : ignoreRegex(body);
  if (regex === undefined) throw malformed(pattern, 'syntax error in pattern');
  return { regex, negated };
}

function malformed(pattern: string, reason: string): TsbuildError<'ERR_IGNORE_PATTERN'> {
  return new TsbuildError('ERR_IGNORE_PATTERN', {
    message: `Cannot use the ignore pattern "${pattern}": ${reason}`,
    details: { pattern },
    hint:
      pattern === '!'
        ? 'Write what to keep behind the "!".'
        : 'Write a backslash before a "[" that is part of a name.',
  });
}

function toRelative(pattern: string): string {
  return pattern === '' ? '' : clean(pattern).replace(/^\/(?=.)/s, '');
}

/** Go's `filepath.Clean`: unlike Node's `normalize()`, without a slash at the end. */
function clean(path: string): string {
  return posix.normalize(path).replace(/(?<=.)\/$/s, '');
}

/** What Go takes for white space; JavaScript's `trim()` has a byte order mark more and U+0085 less. */
const SPACE = '[\\t-\\r \\u0085\\u00a0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]+';
const ENDS = new RegExp(`^${SPACE}|${SPACE}$`, 'gu');

function trim(text: string): string {
  return text.replace(ENDS, '');
}
