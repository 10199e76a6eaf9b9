/**
 * The forms in which docker's users type flags, brought into the one form that needs no guessing:
 * `--name=value`. docker's parser (pflag) differs from commander's in what takes the next argument.
 */

import { suggest, TsbuildError } from '../index.ts';

/** What a flag does with a value; `optional` takes one only after `=`, and means `true` without. */
export interface FlagShape {
  /** With dashes: `--no-cache`. */
  readonly long: string;
  /** With dash: `-t`. */
  readonly short: string | undefined;
  readonly takes: 'nothing' | 'value' | 'optional';
}

/** A command line in canonical form. */
export interface NormalArgv {
  /** `--name` and `--name=value`, long names only. */
  readonly flags: readonly string[];
  readonly positionals: readonly string[];
}

/** The values of a flag, in their order. */
export function valuesOf(flags: NormalArgv['flags'], name: string): readonly string[] {
  return flags.flatMap((flag) =>
    flag.startsWith(`${name}=`) ? [flag.slice(name.length + 1)] : [],
  );
}

const TRUE = ['1', 't', 'T', 'true', 'TRUE', 'True'];
const FALSE = ['0', 'f', 'F', 'false', 'FALSE', 'False'];

/**
 * Splits flags from positional arguments by pflag's rules: a switch takes a value only after `=`, any
 * other flag takes the next argument whatever it looks like, short flags may be joined (`-qf FILE`,
 * `-fFILE`, `-t=NAME`). @throws ERR_USAGE for an unknown flag, a missing or a wrong value.
 */
export function normalizeArgv(argv: readonly string[], shapes: readonly FlagShape[]): NormalArgv {
  const flags: string[] = [];
  const positionals: string[] = [];
  const rest = [...argv];
  const next = (): string | undefined => rest.shift();
  for (let argument = next(); argument !== undefined; argument = next()) {
    if (argument === '--') positionals.push(...rest.splice(0));
    else if (argument.startsWith('--')) addLong(flags, argument, { shapes, next });
    else if (argument.startsWith('-') && argument !== '-') {
      addCluster(flags, argument.slice(1), { shapes, next });
    } else positionals.push(argument);
  }
  return { flags, positionals };
}

interface Source {
  readonly shapes: readonly FlagShape[];
  readonly next: () => string | undefined;
}

function addLong(flags: string[], argument: string, { shapes, next }: Source): void {
  const equals = argument.indexOf('=');
  const name = equals === -1 ? argument : argument.slice(0, equals);
  const inline = equals === -1 ? undefined : argument.slice(equals + 1);
  const shape = shapes.find((candidate) => candidate.long === name);
  if (shape === undefined) throw unknownFlag(name, shapes);
  addFlag(flags, shape, inline ?? (shape.takes === 'value' ? next() : undefined));
}

/** `-qf FILE`: switches up to the first flag that takes a value, whose value is the rest or what follows. */
function addCluster(flags: string[], letters: string, { shapes, next }: Source): void {
  for (let index = 0; index < letters.length; index++) {
    const name = `-${letters[index]}`;
    const shape = shapes.find((candidate) => candidate.short === name);
    if (shape === undefined) throw unknownFlag(name, shapes);
    const rest = letters.slice(index + 1);
    if (rest.startsWith('=')) return addFlag(flags, shape, rest.slice(1));
    if (shape.takes === 'value') return addFlag(flags, shape, rest === '' ? next() : rest);
    addFlag(flags, shape, undefined);
  }
}

function addFlag(flags: string[], { long, takes }: FlagShape, value: string | undefined): void {
  if (takes === 'nothing') {
    // The last one wins: what was set before is taken back.
    const kept = flags.filter((flag) => flag !== long);
    flags.splice(0, flags.length, ...kept);
    if (value === undefined || isTrue(long, value)) flags.push(long);
    return;
  }
  if (value === undefined && takes === 'value') throw usage(`Cannot use "${long}" without a value`);
  flags.push(`${long}=${value ?? 'true'}`);
}

function isTrue(flag: string, value: string): boolean {
  if (TRUE.includes(value)) return true;
  if (FALSE.includes(value)) return false;
  throw usage(`Cannot use "${value}" as the value of "${flag}": it is true or false`);
}

function unknownFlag(name: string, shapes: readonly FlagShape[]): TsbuildError {
  const meant = name.startsWith('--')
    ? suggest(
        name,
        shapes.map(({ long }) => long),
      )
    : undefined;
  return usage(
    `Cannot understand the flag "${name}"`,
    meant === undefined ? 'See "tsbuild --help" for the flags.' : `Did you mean "${meant}"?`,
  );
}

/** A failure of the command line. */
export function usage(message: string, hint?: string): TsbuildError {
  return new TsbuildError('ERR_USAGE', { message, details: undefined, hint });
}
