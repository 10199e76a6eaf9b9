/** The lists in an input's text, with build-push-action's syntax (ACT-2). Pure. */

import { usage } from '../cli/argv.ts';

export interface ListSyntax {
  /** A comma ends an item, too; else only a line's end does. */
  readonly commas: boolean;
  /** `"…"` around an item makes it one, whatever is in it but `""`, which is a quote. */
  readonly quotes: boolean;
}

/**
 * The items, without the blanks around them and without empty ones. A `#` means nothing; a quote inside of an
 * item is a quote. @throws ERR_USAGE for one that is not closed
 */
export function readList(text: string, { commas, quotes }: ListSyntax): readonly string[] {
  const records = quotes ? readRecords(text) : text.split(LINE_END).map((line) => [line]);
  const items = records.flatMap((fields) => (commas ? fields : [fields.join(',')]));
  return items.map((item) => item.trim()).filter((item) => item !== '');
}

const LINE_END = /\r\n|\n|\r/;
const QUOTED = /"((?:[^"]|"")*)"(?=,|[\r\n]|$)/y;
/** What begins with a quote and goes on behind the next one: the quotes are part of it. */
const HALF_QUOTED = /"(?:[^"]|"")*"[^,\r\n]+/y;
const PLAIN = /(?!")[^,\r\n]*/y;
const END = /,|\r\n|\n|\r|$/y;

/** Lines of fields, as in RFC 4180. */
function readRecords(text: string): readonly (readonly string[])[] {
  const records: string[][] = [[]];
  let at = 0;
  const take = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at;
    const found = pattern.exec(text);
    if (found !== null) at += found[0].length;
    return found;
  };
  for (let isMore = true; isMore; ) {
    const quoted = take(QUOTED)?.[1]?.replaceAll('""', '"');
    const field = quoted ?? (take(HALF_QUOTED) ?? take(PLAIN))?.[0];
    if (field === undefined) {
      throw usage(
        'Cannot read a list in which a quote is not closed',
        'Write "one ""quoted"" item" for an item with quotes in it.',
      );
    }
    records.at(-1)?.push(field);
    const end = take(END)?.[0] ?? '';
    if (end !== ',' && end !== '') records.push([]);
    isMore = end !== '';
  }
  return records;
}
