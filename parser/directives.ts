/** Parser directives: `# syntax=`, `# escape=`, `# check=` at the top of a file (1.2). */

import { type SourceRange, TsbuildError } from '../src/errors.ts';
import type { Directive } from './ast.ts';
import { skipSpace } from './whitespace.ts';

/** Told of each comment line in turn, it says which are directives. */
export interface DirectiveReader {
  readonly found: readonly Directive[];
  readonly escape: () => '\\' | '`';
  /** True when the line, `#` included, is a directive. A bad one is reported, and has no effect. */
  readonly read: (line: string, range: SourceRange) => boolean;
  /** From here on, comments are just comments (DIR-2). */
  readonly stop: () => void;
}

/** A reader for a file's directives; `source` and `file` are for the ERR_PARSE it reports. */
export function createDirectiveReader(
  source: string,
  file: string,
  report: (error: TsbuildError) => void,
): DirectiveReader {
  const found: Directive[] = [];
  let escape: '\\' | '`' = '\\';
  let isDone = false;
  const fail = (problem: string, range: SourceRange): true => {
    report(
      new TsbuildError('ERR_PARSE', {
        message: `Cannot parse line ${range.start.line}: ${problem}`,
        details: undefined,
        location: { file, source, range },
      }),
    );
    return true;
  };
  return {
    found,
    escape: () => escape,
    stop() {
      isDone = true;
    },
    read(line, range) {
      const match = isDone ? undefined : parseDirective(line, '#');
      if (match === undefined) {
        isDone = true;
        return false;
      }
      const { name, value } = match;
      if (found.some((directive) => directive.name === name)) {
        return fail(`only one ${name} parser directive can be used`, range);
      }
      if (name === 'escape') {
        if (value !== '\\' && value !== '`') {
          return fail(`invalid escape token '${value}' does not match \` or \\`, range);
        }
        escape = value;
      }
      found.push(Object.freeze({ kind: 'directive', name, value, range }));
      return true;
    },
  };
}

/**
 * The frontend that a file asks for, in any of the ways that BuildKit looks at (DIR-5): the
 * directive, also after a `#!` line or as a `//` comment, or `"syntax"` in a JSON document.
 *
 * Returns the image reference without its arguments, or undefined.
 */
export function detectSyntax(source: string): string | undefined {
  let text = source.replace(/^\uFEFF/, '');
  if (text.startsWith('#!')) text = text.slice(text.indexOf('\n') + 1 || text.length);
  return syntaxFrom(text, '#') ?? syntaxFrom(text, '//') ?? syntaxFromJson(text);
}

function syntaxFrom(text: string, marker: string): string | undefined {
  for (let at = 0; at < text.length; ) {
    const newline = text.indexOf('\n', at);
    const end = newline < 0 ? text.length : newline;
    const match = parseDirective(text.slice(at, end).replace(/\r$/, ''), marker);
    if (match === undefined) return undefined;
    if (match.name === 'syntax') return match.value.split(' ', 1)[0];
    at = end + 1;
  }
  return undefined;
}

function syntaxFromJson(text: string): string | undefined {
  if (!text.trimStart().startsWith('{')) return undefined;
  try {
    const document: unknown = JSON.parse(text);
    if (typeof document !== 'object' || document === null || !('syntax' in document)) {
      return undefined;
    }
    return typeof document.syntax === 'string' ? document.syntax : undefined;
  } catch {
    // Not JSON: then it is a Dockerfile that starts oddly.
    return undefined;
  }
}

const KEY = /^([a-zA-Z][a-zA-Z0-9]*)[\t\n\f\r ]*=/;
const NAMES = ['syntax', 'escape', 'check'] as const;

function parseDirective(
  line: string,
  marker: string,
): { readonly name: Directive['name']; readonly value: string } | undefined {
  if (!line.startsWith(marker)) return undefined;
  const text = line.slice(skipSpace(line, marker.length));
  const match = KEY.exec(text);
  const name = NAMES.find((known) => known === match?.[1]?.toLowerCase());
  const rest = text.slice(match?.[0].length ?? 0);
  if (name === undefined || rest === '') return undefined;
  // A value of nothing but white space is its last character, as in BuildKit's expression.
  return { name, value: trimBlank(rest) || rest.slice(-1) };
}

/** Not a regular expression: `\s*$` takes quadratic time on a long line. */
function trimBlank(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && BLANK.includes(text.charAt(start))) start++;
  while (end > start && BLANK.includes(text.charAt(end - 1))) end--;
  return text.slice(start, end);
}

const BLANK = '\t\n\f\r ';
