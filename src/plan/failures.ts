/** Words for what a Dockerfile asks for and cannot have. Locations are added where they are known. */

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

/** The same failure with another hint. Anything but a TsbuildError comes back as it was. */
export function withHint(error: unknown, hint: string): unknown {
  if (!(error instanceof TsbuildError)) return error;
  const { code, message, details, location, cause } = error;
  return new TsbuildError(code, { message, details, location, cause, hint });
}
