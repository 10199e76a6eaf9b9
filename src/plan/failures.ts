/** Words for what a Dockerfile asks for and cannot have. Locations are added where they are known. */

import type { Instruction } from '../../parser/index.ts';
import { type SourceLocation, type SourceRange, TsbuildError } from '../errors.ts';

/** A well-formed instruction that describes no build: ERR_INSTRUCTION_INVALID. */
export function invalid(message: string, hint?: string): TsbuildError<'ERR_INSTRUCTION_INVALID'> {
  return new TsbuildError('ERR_INSTRUCTION_INVALID', { message, details: undefined, hint });
}

/** Something that `docker build` has and this version does not: ERR_UNSUPPORTED. */
export function unsupported(
  feature: string,
  options: { readonly message: string; readonly hint: string },
): TsbuildError<'ERR_UNSUPPORTED'> {
  return new TsbuildError('ERR_UNSUPPORTED', { ...options, details: { feature } });
}

/** Where a node of the AST stands. */
export function locationOf(
  dockerfile: { readonly file: string; readonly source: string },
  range: SourceRange,
): SourceLocation {
  return Object.freeze({ file: dockerfile.file, range, source: dockerfile.source });
}

/**
 * Where the flag of that name stands, the first or the one at `index`; for want of it, `location`. A
 * trigger's flags stand in no file: its location is not its own.
 */
export function flagLocation(
  location: SourceLocation,
  { range, flags }: Instruction,
  flag: { readonly name: string; readonly index?: number },
): SourceLocation {
  const found = flags.filter(({ name }) => name === flag.name)[flag.index ?? 0];
  if (found === undefined || location.range !== range) return location;
  return Object.freeze({ ...location, range: found.range });
}

/** The same failure with another hint. Anything but a TsbuildError comes back as it was. */
export function withHint(error: unknown, hint: string): unknown {
  if (!(error instanceof TsbuildError)) return error;
  const { code, message, details, location, cause } = error;
  return new TsbuildError(code, { message, details, location, cause, hint });
}
