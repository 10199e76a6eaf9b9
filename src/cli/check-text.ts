/** What a check prints: text and JSON in BuildKit's form (CHK-2). */

import type { CheckResult, LintWarning } from '../index.ts';
import { jsonLocation, jsonText } from './json-text.ts';
import { clean } from './report.ts';
import { unseenJson } from './unseen-text.ts';

/** For people: how many, then each with its lines of the Dockerfile. Empty when only an error is left to tell. */
export function checkText({ warnings, file, source, error }: CheckResult): string {
  if (warnings.length === 0 && error !== undefined) return '';
  const lines = source.split(/\r?\n/);
  const texts = warnings.map((warning) => warningText(warning, file, lines));
  // What fails the build is told next, and apart.
  const end = error === undefined ? '' : '\n';
  return `Check complete, ${countText(warnings)}\n${texts.join('')}${end}`;
}

/** BuildKit's words; notes are ours alone. */
function countText(warnings: readonly LintWarning[]): string {
  const notes = warnings.filter(({ level }) => level === 'note').length;
  const count = warnings.length - notes;
  const also = notes === 0 ? '' : `, and ${notes} ${notes === 1 ? 'note' : 'notes'}`;
  if (count === 0) return `no warnings found${also}.`;
  if (also !== '')
    return `${count} ${count === 1 ? 'warning' : 'warnings'}${also} have been found!`;
  return count === 1 ? '1 warning has been found!' : `${count} warnings have been found!`;
}

/** For programs; ends with a newline. */
export function checkJson({ warnings, file, source, error, unseenImages }: CheckResult): string {
  const result = {
    warnings: warnings.map(({ rule, level, description, url, message, range }) => ({
      ruleName: rule,
      level: level === 'note' ? level : undefined,
      description,
      url,
      detail: message,
      location: jsonLocation(range),
    })),
    sources: [
      {
        // BuildKit's name for it, before and since it is a field of a protobuf message.
        fileName: file,
        filename: file,
        language: 'Dockerfile',
        // Where a daemon got the file from: we read it.
        definition: null,
        data: Buffer.from(source).toString('base64'),
      },
    ],
    buildError: error && {
      message: error.message,
      location: error.location && jsonLocation(error.location.range),
    },
    unseenImages: unseenJson(unseenImages),
  };
  return jsonText(result);
}

const RULE = '-'.repeat(20);

function warningText(
  { rule, level, url, message, range }: LintWarning,
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
  const head = `${level.toUpperCase()}: ${rule}${url === undefined ? '' : ` - ${url}`}`;
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
