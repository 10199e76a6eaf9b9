/** The value of SOURCE_DATE_EPOCH (ARG-9). */

import { TsbuildError } from '../errors.ts';

/** RFC 3339, the form of an image's times, has the years 1 to 9999. */
const FIRST = -62_135_596_800;
const LAST = 253_402_300_799;

/**
 * Seconds since the Unix epoch; undefined for '' (reset), and for `context` when the context has no
 * time of its own, as a directory has none. @throws ERR_USAGE for anything else
 */
export function sourceDateEpochOf(
  text: string,
  contextEpoch: number | undefined,
): number | undefined {
  if (text === '') return undefined;
  if (text === 'context') return contextEpoch;
  const seconds = Number(text);
  if (isNumber(text) && seconds >= FIRST && seconds <= LAST) return seconds;
  throw new TsbuildError('ERR_USAGE', {
    message: `Cannot date the image: invalid SOURCE_DATE_EPOCH: ${text}`,
    details: undefined,
    hint: 'It is a number of seconds since 1970-01-01 UTC, for example the output of "git log -1 --format=%ct"; "context", or the name of a context of files or of a stage that is one ADD of an address on scratch.',
  });
}

/** Whether a value says by a name whose time it is. */
export function isEpochName(text: string): boolean {
  return text !== '' && text !== 'context' && !isNumber(text);
}

function isNumber(text: string): boolean {
  return /^[+-]?\d+$/.test(text);
}
