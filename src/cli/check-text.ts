/** What a check prints: text and JSON in BuildKit's form (CHK-2). */

import type { CheckResult, LintWarning } from '../index.ts';
import { clean } from './report.ts';

/** For people: how many, then each with its lines of the Dockerfile. Empty when only an error is left to tell. */
export function checkText({ warnings, file, source, error }: CheckResult): string {
  if (warnings.length === 0) {
    return error === undefined ? 'Check complete, no warnings found.\n' : '';
  }
  const count =
    warnings.length === 1
      ? '1 warning has been found!'
      : `${warnings.length} warnings have been found!`;
  const lines = source.split(/\r?\n/);
  const texts = warnings.map((warning) => warningText(warning, file, lines));
  return `Check complete, ${count}\n${texts.join('')}`;
}

/** For programs; ends with a newline. */
export function checkJson({ warnings, file, source, error }: CheckResult): string {
  const result = {
    warnings: warnings.map(({ rule, description, url, message, range }) => ({
      ruleName: rule,
      description,
      url,
      detail: message,
      location: locationOf(range),
    })),
    sources: [
      {
        fileName: file,
        language: 'Dockerfile',
        data: Buffer.from(source).toString('base64'),
      },
    ],
    buildError: error && {
      message: error.message,
      location: error.location && locationOf(error.location.range),
    },
  };
  return `${JSON.stringify(result, undefined, 2)}\n`;
}

interface JsonPosition {
  readonly line: number;
  readonly character: number;
}

interface JsonLocation {
  readonly sourceIndex: 0;
  readonly ranges: readonly { readonly start: JsonPosition; readonly end: JsonPosition }[];
}

function locationOf({ start, end }: LintWarning['range']): JsonLocation {
  const position = (at: typeof start): JsonPosition => ({ line: at.line, character: at.column });
  return { sourceIndex: 0, ranges: [{ start: position(start), end: position(end) }] };
}

const RULE = '-'.repeat(20);

function warningText(
  { rule, url, message, range }: LintWarning,
  file: string,
  lines: readonly string[],
): string {
  const first = range.start.line;
  const last = range.end.line;
  const [from, to] = surroundings(first, last, lines.length);
  const shown = lines.slice(from - 1, to).map((line, index) => {
    const number = from + index;
    const marker = number >= first && number <= last ? '>>>' : '   ';
    return `${String(number).padStart(4)} | ${marker} ${clean(line)}`;
  });
  const head = `WARNING: ${rule}${url === undefined ? '' : ` - ${url}`}`;
  const text = [head, clean(message), `${clean(file)}:${first}`, RULE, ...shown, RULE];
  return `\n${text.join('\n')}\n`;
}

/** BuildKit's choice of lines: less around several than around one. */
function surroundings(first: number, last: number, count: number): readonly [number, number] {
  const padding = first === last ? 4 : 2;
  let from = first;
  let to = last;
  for (let added = 0; added < padding; added++) {
    if (from > 1) {
      from--;
      added++;
    }
    if (to < count) {
      to++;
      added++;
    }
  }
  return [from, to];
}
