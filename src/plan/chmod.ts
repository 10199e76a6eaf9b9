/** `--chmod` of COPY and ADD (CP-14). */

import { invalid } from './failures.ts';
import type { Chmod } from './step.ts';

/** Octal from 0 to 07777, or symbolic as chmod(1) has it. @throws ERR_INSTRUCTION_INVALID */
export function parseChmod(text: string): Chmod {
  if (/^[0-7]+$/.test(text)) {
    const mode = Number.parseInt(text, 8);
    if (mode <= 0o7777) return Object.freeze({ kind: 'octal', mode });
  }
  if (SYMBOLIC.test(text)) return Object.freeze({ kind: 'symbolic', text });
  throw invalid(
    `Cannot change modes: invalid chmod parameter: '${text}'. it should be octal string and between 0 and 07777`,
    'Symbolic modes such as "u=rwX,go=rX" or "a+x" can be used as well.',
  );
}

const CLAUSE = '[ugoa]*(?:[-+=][rwxXstugo]*)+';
const SYMBOLIC = new RegExp(`^${CLAUSE}(?:,${CLAUSE})*$`);
