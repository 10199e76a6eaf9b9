/** The lines of a file as its line ends make them, and what BuildKit's scanner makes of long ones. */

import { TsbuildError } from '../src/errors.ts';

/** Where in the file reading is. `at` and `line` may be set back, to read lines again. */
export interface PhysicalReader {
  readonly source: string;
  readonly file: string;
  readonly report: (error: TsbuildError) => void;
  at: number;
  /** The number of lines read so far, so also that of the last one. */
  line: number;
  /** The last line that was reported to be too long. */
  lastTooLong: number;
}

export interface PhysicalLine {
  readonly number: number;
  /** Without its end. */
  readonly text: string;
  readonly end: string;
  readonly isTooLong: boolean;
}

/** The next line; undefined at the end. One that is too long is reported, once. */
export function readPhysical(state: PhysicalReader): PhysicalLine | undefined {
  const { source, at } = state;
  if (at >= source.length) return undefined;
  const newline = source.indexOf('\n', at);
  const next = newline < 0 ? source.length : newline + 1;
  const raw = source.slice(at, newline < 0 ? next : newline);
  state.at = next;
  state.line++;
  const isTooLong = isLongerThan(raw, MAX_LINE_BYTES);
  if (isTooLong) reportTooLong(state);
  let length = raw.length;
  while (raw[length - 1] === '\r') length--;
  return {
    number: state.line,
    text: raw.slice(0, length),
    end: raw.slice(length) + (newline < 0 ? '' : '\n'),
    isTooLong,
  };
}

/** BuildKit's scanner gives up on longer ones (LEX-1). Bytes, the line's end not counted. */
const MAX_LINE_BYTES = 65535;

/** Whether UTF-8 takes more than `bytes`. Counted by hand: TextEncoder is no part of the language. */
function isLongerThan(text: string, bytes: number): boolean {
  if (text.length * 3 <= bytes) return false;
  let length = text.length;
  for (let at = 0; at < text.length && length <= bytes; at++) {
    const code = text.codePointAt(at) ?? 0;
    // A surrogate pair is two units and four bytes; a lone one becomes U+FFFD, three bytes.
    if (code > 0xffff) at++;
    if (code > 0x7f) length += code > 0x7ff ? 2 : 1;
  }
  return length > bytes;
}

function reportTooLong(state: PhysicalReader): void {
  const { file, source, line } = state;
  if (line <= state.lastTooLong) return;
  state.lastTooLong = line;
  const range = { start: { line, column: 0 }, end: { line, column: 80 } };
  state.report(
    new TsbuildError('ERR_PARSE', {
      message: `Cannot parse line ${line}: dockerfile line greater than max allowed size of ${MAX_LINE_BYTES}`,
      details: undefined,
      location: { file, source, range },
    }),
  );
}

/** In capitals, as almost everybody writes them: a body has few lines that begin so. */
const LIKELY_INSTRUCTION =
  /^[ \t]*(?:ADD|ARG|CMD|COPY|ENTRYPOINT|ENV|EXPOSE|FROM|HEALTHCHECK|LABEL|MAINTAINER|ONBUILD|RUN|SHELL|STOPSIGNAL|USER|VOLUME|WORKDIR)(?:[ \t]|$)/;

/** Goes on at the next line that looks like an instruction. */
export function skipToInstruction(state: PhysicalReader): void {
  for (;;) {
    const { at, line } = state;
    const next = readPhysical(state);
    if (next === undefined) return;
    if (!LIKELY_INSTRUCTION.test(next.text)) continue;
    state.at = at;
    state.line = line;
    return;
  }
}
