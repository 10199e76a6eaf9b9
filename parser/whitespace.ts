/**
 * Go's idea of white space, which is BuildKit's: not the same set as JavaScript's `\s`
 * (U+0085 is in, U+FEFF is not).
 */

/** What `unicode.IsSpace` accepts, as the inside of a character class. */
export const SPACE =
  '\\t\\n\\v\\f\\r \\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000';

const ONE = new RegExp(`[${SPACE}]`);

/** True for the first character of `text` when that is white space. */
export function isSpace(text: string): boolean {
  return ONE.test(text.charAt(0));
}

/** The offset of the first character at or after `from` that is not white space. */
export function skipSpace(text: string, from = 0): number {
  let at = from;
  while (at < text.length && isSpace(text.charAt(at))) at++;
  return at;
}

/** `text` without white space at its end. */
export function trimSpaceEnd(text: string): string {
  let end = text.length;
  while (end > 0 && isSpace(text.charAt(end - 1))) end--;
  return text.slice(0, end);
}

/** `text` without white space at both ends. */
export function trimSpace(text: string): string {
  return trimSpaceEnd(text.slice(skipSpace(text)));
}
