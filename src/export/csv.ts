/** The `key=value,…` of docker's flags. */

import { TsbuildError } from '../errors.ts';

/** One line of CSV: a field in double quotes may hold commas, and quotes by doubling them. @throws ERR_USAGE */
export function splitFields(text: string): readonly string[] {
  const fields: string[] = [];
  const field = /(?:"((?:[^"]|"")*)"|([^,"]*))(,|$)/gy;
  for (;;) {
    const match = field.exec(text);
    if (match === null) {
      throw new TsbuildError('ERR_USAGE', {
        message: `Cannot use the output "${text}"`,
        details: undefined,
        hint: 'A quote is out of place.',
      });
    }
    fields.push(match[1]?.replaceAll('""', '"') ?? match[2] ?? '');
    if (match[3] === '') return fields;
  }
}
