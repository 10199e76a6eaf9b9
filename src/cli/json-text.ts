/** JSON as BuildKit prints it. */

import type { SourceRange } from '../index.ts';

interface JsonPosition {
  readonly line: number;
  readonly character: number;
}

/** Lines from 1, characters (UTF-16 code units) from 0. */
export interface JsonLocation {
  readonly sourceIndex: 0;
  readonly ranges: readonly { readonly start: JsonPosition; readonly end: JsonPosition }[];
}

export function jsonLocation({ start, end }: SourceRange): JsonLocation {
  const position = (at: typeof start): JsonPosition => ({ line: at.line, character: at.column });
  return { sourceIndex: 0, ranges: [{ start: position(start), end: position(end) }] };
}

/** Indented; ends with a newline. */
export function jsonText(value: object): string {
  return `${JSON.stringify(value, undefined, 2)}\n`;
}
