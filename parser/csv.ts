/** One record of comma-separated values, as `RUN --mount` and `RUN --device` use it (RUN-8). */

/**
 * Splits a record; a field in double quotes may hold commas, and quotes written twice.
 *
 * Returns a string that says what is wrong when the text is not a record.
 */
export function splitCsv(text: string): readonly string[] | string {
  if (text === '') return 'EOF';
  const fields: string[] = [];
  for (let at = 0; ; ) {
    if (text[at] === '"') {
      const field = readQuoted(text, at);
      if (typeof field === 'string') return field;
      fields.push(field.value);
      at = field.end;
    } else {
      const comma = text.indexOf(',', at);
      const field = comma < 0 ? text.slice(at) : text.slice(at, comma);
      if (field.includes('"')) return 'bare " in non-quoted field';
      fields.push(field);
      at = comma < 0 ? text.length : comma;
    }
    if (at >= text.length) return fields;
    at++;
  }
}

function readQuoted(
  text: string,
  start: number,
): { readonly value: string; readonly end: number } | string {
  let value = '';
  for (let from = start + 1; ; ) {
    const quote = text.indexOf('"', from);
    if (quote < 0) return 'extraneous or missing " in quoted-field';
    value += text.slice(from, quote);
    if (text[quote + 1] === '"') {
      value += '"';
      from = quote + 2;
      continue;
    }
    const end = quote + 1;
    if (end < text.length && text[end] !== ',') return 'extraneous or missing " in quoted-field';
    return { value, end };
  }
}
