/** Texts of `Key: value` lines, in records between empty lines (RFC 822's relatives). */

export type Fields = ReadonlyMap<string, string>;

/** The records of a text. Of a key that comes twice, the first counts; lines that begin with blanks go on. */
export function readRecords(text: string, line = /^([^\s:]+):[ \t]*(.*)$/): Fields[] {
  return text.split(/\r?\n(?:[ \t]*\r?\n)+/).flatMap((record) => {
    const fields = readFields(record, line);
    return fields.size === 0 ? [] : [fields];
  });
}

function readFields(record: string, line: RegExp): Fields {
  const fields = new Map<string, string>();
  let last: string | undefined;
  for (const text of record.split(/\r?\n/)) {
    if (/^[ \t]/.test(text)) {
      const before = last === undefined ? undefined : fields.get(last);
      if (last !== undefined && before !== undefined) fields.set(last, `${before}\n${text.trim()}`);
      continue;
    }
    const [, key, value = ''] = line.exec(text) ?? [];
    last = key === undefined || fields.has(key) ? undefined : key;
    if (last !== undefined) fields.set(last, value.trim());
  }
  return fields;
}

/** A value on one line that says something. */
export function oneLine(value: string | undefined): string | undefined {
  if (value === undefined || value === '' || value.includes('\n')) return undefined;
  return value.toUpperCase() === 'UNKNOWN' ? undefined : value;
}
