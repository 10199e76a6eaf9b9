/**
 * `--chmod` (CP-14): modes as chmod(1) writes them, with the rules of BSD's setmode(3) and no umask.
 *
 * A symbolic mode is a list of clauses, `[ugoa]*` and then one or more of `+-=` with `[rwxXstugo]*`.
 * Without a class a clause means everybody. `X` looks at the mode as it was before all clauses.
 */

import { TsbuildError } from '../errors.ts';

/** An octal mode, or a symbolic change of each file's own mode. */
export type ModeChange =
  | { readonly kind: 'octal'; readonly mode: number }
  | { readonly kind: 'symbolic'; readonly text: string };

/** The mode that an entry has after a change. @throws ERR_INSTRUCTION_INVALID for a malformed symbolic mode. */
export function applyChmod(change: ModeChange, mode: number, isDirectory: boolean): number {
  if (change.kind === 'octal') return change.mode;
  return parseSymbolicMode(change.text).reduce(
    (changed, operation) => applyOperation(operation, changed, { original: mode, isDirectory }),
    mode,
  );
}

/** One step of a symbolic mode. */
export type ModeOperation =
  /** `executable`: bits that are set only in directories and in what somebody may execute. */
  | { readonly kind: 'clear' | 'set' | 'executable'; readonly bits: number }
  /** Copies the permissions of one class to others. */
  | {
      readonly kind: 'copy';
      readonly operator: Operator;
      /** How far the class's three bits are from the right. */
      readonly from: number;
      readonly to: readonly number[];
    };

type Operator = '+' | '-' | '=';

const SET_ID = 0o6000;
const STICKY = 0o1000;
const EVERYBODY = 0o6777;

const CLASSES: Readonly<Record<string, number>> = { a: EVERYBODY, u: 0o4700, g: 0o2070, o: 0o007 };

const PERMISSIONS: Readonly<Record<string, number>> = { r: 0o444, w: 0o222, x: 0o111 };

const SHIFTS: Readonly<Record<string, number>> = { u: 6, g: 3, o: 0 };

const CLAUSE = /^[ugoa]*(?:[+\-=][rwxXstugo]*)+$/;

/** The steps of a symbolic mode, in order. @throws ERR_INSTRUCTION_INVALID */
export function parseSymbolicMode(text: string): readonly ModeOperation[] {
  return text.split(',').flatMap((clause) => {
    if (!CLAUSE.test(clause)) throw malformed(text);
    const classes = clause.match(/^[ugoa]*/)?.[0] ?? '';
    const who = [...classes].reduce((bits, name) => bits | (CLASSES[name] ?? 0), 0);
    return (
      clause
        .slice(classes.length)
        .match(/[+\-=][^+\-=]*/g)
        ?.flatMap((action) => parseAction(action, who)) ?? []
    );
  });
}

function malformed(text: string): TsbuildError<'ERR_INSTRUCTION_INVALID'> {
  return new TsbuildError('ERR_INSTRUCTION_INVALID', {
    message: `Cannot use "${text}" as a mode`,
    details: undefined,
    hint: 'A mode is an octal number up to 07777, or symbolic like "u=rwX,go=rX".',
  });
}

/**
 * An operator and what follows it: plain permissions add up and are carried out together, a class
 * to copy from is a step of its own, after the permissions before it.
 */
function parseAction(action: string, classes: number): ModeOperation[] {
  const operator = parseOperator(action);
  const operations: ModeOperation[] = [];
  // "=" clears once; a second time would take away what was copied in between.
  let cleared = false;
  let bits = 0;
  let executable = 0;
  let who = classes;
  const flush = (always: boolean): void => {
    const scope = who === 0 ? 0o7777 : who;
    if (bits !== 0 || always) {
      if (operator === '=') operations.push({ kind: 'clear', bits: who === 0 ? EVERYBODY : who });
      operations.push({ kind: operator === '-' ? 'clear' : 'set', bits: bits & scope });
      cleared = true;
    }
    if (executable !== 0) operations.push({ kind: 'executable', bits: executable & scope });
    bits = 0;
    executable = 0;
  };
  for (const letter of action.slice(1)) {
    const from = SHIFTS[letter];
    if (from !== undefined) {
      flush(false);
      operations.push({ kind: 'copy', operator, from, to: shiftsOf(who) });
      cleared = true;
    } else if (letter === 'X' && operator !== '-') executable = 0o111;
    // For others alone, set-id and sticky bits mean nothing.
    else if (letter === 's') bits |= classes === CLASSES['o'] ? 0 : SET_ID;
    else if (letter === 't') {
      if (classes === CLASSES['o']) continue;
      // As in BSD: without a class, the sticky bit is from here on all that is changed ("+rt" is "+t").
      who |= STICKY;
      bits |= STICKY;
    } else bits |= PERMISSIONS[letter.toLowerCase()] ?? 0;
  }
  flush(operator === '=' && !cleared);
  return operations;
}

function parseOperator(action: string): Operator {
  return action.startsWith('+') ? '+' : action.startsWith('-') ? '-' : '=';
}

function shiftsOf(who: number): readonly number[] {
  return Object.values(SHIFTS).filter((shift) => who === 0 || (who >> shift) & 0o7);
}

function applyOperation(
  operation: ModeOperation,
  mode: number,
  entry: { readonly original: number; readonly isDirectory: boolean },
): number {
  switch (operation.kind) {
    case 'set':
      return mode | operation.bits;
    case 'clear':
      return mode & ~operation.bits;
    case 'executable':
      return entry.isDirectory || entry.original & 0o111 ? mode | operation.bits : mode;
    case 'copy':
      return copyBits(operation, mode);
  }
}

function copyBits(
  { operator, from, to }: Extract<ModeOperation, { kind: 'copy' }>,
  mode: number,
): number {
  const bits = (mode >> from) & 0o7;
  const spread = to.reduce((sum, shift) => sum | (bits << shift), 0);
  const scope = to.reduce((sum, shift) => sum | (0o7 << shift), 0);
  if (operator === '-') return mode & ~spread;
  return (operator === '=' ? mode & ~scope : mode) | spread;
}
