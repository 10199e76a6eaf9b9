/** The signals that STOPSIGNAL can name (META-3). */

import { suggest } from '../errors.ts';
import { invalid } from './failures.ts';

const NAMES =
  'ABRT ALRM BUS CHLD CLD CONT FPE HUP ILL INT IO IOT KILL PIPE POLL PROF PWR QUIT SEGV STKFLT STOP SYS TERM TRAP TSTP TTIN TTOU URG USR1 USR2 VTALRM WINCH XCPU XFSZ'.split(
    ' ',
  );

/** Real-time signals: `RTMIN`, `RTMIN+1` … `RTMIN+15`, `RTMAX-14` … `RTMAX`. */
const REALTIME = /^RT(?:MIN(?:\+([1-9]|1[0-5]))?|MAX(?:-([1-9]|1[0-4]))?)$/;

/** The signal as given. @throws ERR_INSTRUCTION_INVALID when it is neither a known name nor a number */
export function checkStopSignal(text: string): string {
  const isNumber =
    /^[+-]?\d+$/.test(text) && Number(text) !== 0 && Math.abs(Number(text)) < 2 ** 63;
  const name = text.toUpperCase().replace(/^SIG/, '');
  if (isNumber || NAMES.includes(name) || REALTIME.test(name)) return text;
  const close = suggest(name, NAMES);
  throw invalid(
    `Cannot set the stop signal: Invalid signal: ${text}`,
    close === undefined
      ? 'A signal is a name such as "SIGTERM" or "TERM", or a number.'
      : `Did you mean "SIG${close}"?`,
  );
}
