/**
 * The words of a failure. The floor that everything stands on: imports nothing.
 *
 * One class crosses folder boundaries. A code says which failure it is and selects the shape of
 * its details; `src/README.md` has one row for each code.
 */

/** A position in a text file. Lines count from 1, columns (UTF-16 code units) from 0. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** A range in a text file: from `start` up to, not including, `end`. */
export interface SourceRange {
  readonly start: Position;
  readonly end: Position;
}

/** Where in the user's files a failure was caused. */
export interface SourceLocation {
  /** As the user named it, e.g. `Dockerfile`. */
  readonly file: string;
  readonly range: SourceRange;
  /** The text of the whole file, so that a report can quote it. */
  readonly source: string;
}

/** What each failure carries besides its message. The keys are public API: never renamed, never reused. */
export interface ErrorDetails {
  /** The Dockerfile is not well formed. */
  ERR_PARSE: undefined;
  /** The Dockerfile is well formed, but does not describe a build. */
  ERR_INSTRUCTION_INVALID: undefined;
  /** A flag or argument of the command or the API is wrong. */
  ERR_USAGE: undefined;
  ERR_DOCKERFILE_MISSING: { readonly path: string };
  ERR_CONTEXT_MISSING: { readonly path: string };
  ERR_CONTEXT_UNSUPPORTED: { readonly context: string };
  /** A file of the build context was changed by somebody else while the build read it. */
  ERR_CONTEXT_CHANGED: { readonly path: string };
  ERR_IGNORE_PATTERN: { readonly pattern: string };
  ERR_STAGE_UNKNOWN: { readonly stage: string };
  ERR_STAGE_CYCLE: { readonly stage: string };
  ERR_VARIABLE: { readonly word: string };
  ERR_SOURCE_MISSING: { readonly path: string };
  ERR_COPY_CONFLICT: { readonly path: string };
  ERR_OWNER_UNKNOWN: { readonly owner: string };
  ERR_CHECKSUM_MISMATCH: { readonly expected: string; readonly found: string };
  ERR_DOWNLOAD_FAILED: { readonly url: string; readonly status: number | undefined };
  /** The address of a git repository is wrong. */
  ERR_GIT_INVALID: { readonly address: string };
  /** A git repository, or what is wanted of it, cannot be had. The URL has no password in it. */
  ERR_GIT_FAILED: {
    readonly url: string;
    readonly ref: string | undefined;
    readonly reason: 'no-git' | 'network' | 'denied' | 'not-found' | 'content';
  };
  ERR_STEP_FAILED: { readonly exitCode: number; readonly output: string };
  /** A RUN took longer than it may: `timeout` is in milliseconds. */
  ERR_STEP_TIMEOUT: { readonly timeout: number; readonly output: string };
  ERR_SECRET_MISSING: { readonly id: string };
  /** A secret would leave with the image: in a file of a layer, or in the config or history. */
  ERR_SECRET_LEAKED: {
    readonly id: string;
    /** In the layer; or where in the config, e.g. `config.Env[2]`. */
    readonly path: string;
    readonly layer: string | undefined;
  };
  /** An ssh agent or key that is needed was not given, or cannot be used. */
  ERR_SSH_MISSING: { readonly id: string };
  /** Something that Dockerfiles may ask for and this version does not do. */
  ERR_UNSUPPORTED: { readonly feature: string };
  ERR_REFERENCE_INVALID: { readonly reference: string };
  ERR_DIGEST_INVALID: { readonly digest: string };
  ERR_DIGEST_MISMATCH: { readonly expected: string; readonly found: string };
  ERR_IMAGE_INVALID: { readonly reference: string };
  ERR_PLATFORM_INVALID: { readonly platform: string };
  ERR_PLATFORM_MISSING: { readonly reference: string; readonly platform: string };
  ERR_REGISTRY_UNREACHABLE: { readonly registry: string };
  ERR_REGISTRY_DENIED: { readonly registry: string; readonly status: number };
  ERR_REGISTRY_FAILED: {
    readonly registry: string;
    readonly status: number;
    /** The distribution-spec code, e.g. `MANIFEST_UNKNOWN`, when the registry sent one. */
    readonly code: string | undefined;
  };
  ERR_IMAGE_NOT_FOUND: { readonly reference: string };
  ERR_LAYER_INVALID: { readonly layer: string };
  ERR_LAYER_UNSAFE_PATH: { readonly layer: string; readonly path: string };
  ERR_INDEX_INVALID: undefined;
  ERR_STORE_UNUSABLE: { readonly path: string };
  ERR_OUTPUT_FAILED: { readonly path: string };
  /** RUN cannot be executed on this machine; `fixes` are commands and settings. */
  ERR_SANDBOX_UNAVAILABLE: {
    readonly reasons: readonly string[];
    readonly fixes: readonly string[];
  };
  ERR_SANDBOX_FAILED: { readonly operation: string };
  ERR_HELPER_MISSING: { readonly tried: readonly string[] };
  ERR_HELPER_MISMATCH: { readonly expected: string; readonly found: string };
  ERR_HELPER_FAILED: { readonly operation: string };
}

export type ErrorCode = keyof ErrorDetails;

interface ErrorFields<C extends ErrorCode> {
  /** What could not be done: upper case, active, no final period, strings in double quotes. */
  readonly message: string;
  readonly details: ErrorDetails[C];
  /** Where in the Dockerfile; added once, by whoever knows it. */
  readonly location?: SourceLocation | undefined;
  /** What to do next, in whole sentences; only when we know. */
  readonly hint?: string | undefined;
  /** What we caught, untouched. */
  readonly cause?: unknown;
  /** What else the same work found wrong, e.g. every other syntax error of the file. */
  readonly others?: readonly TsbuildError[];
}

/** The only error that crosses folder boundaries. Cancellation is not one: it is the caller's `signal.reason`. */
export class TsbuildError<C extends ErrorCode = ErrorCode> extends Error {
  override readonly name = 'TsbuildError';
  readonly code: C;
  readonly details: ErrorDetails[C];
  readonly location: SourceLocation | undefined;
  readonly hint: string | undefined;
  /** Failures of their own, without others; usually none. */
  readonly others: readonly TsbuildError[];

  constructor(code: C, fields: ErrorFields<C>) {
    super(fields.message, fields.cause === undefined ? undefined : { cause: fields.cause });
    this.code = code;
    this.details = fields.details;
    this.location = fields.location;
    this.hint = fields.hint;
    this.others = fields.others ?? [];
  }
}

/** Narrows an unknown to a TsbuildError with this code, so that its details are typed. */
export function hasCode<C extends ErrorCode>(error: unknown, code: C): error is TsbuildError<C> {
  return error instanceof TsbuildError && error.code === code;
}

/** The same failure with a location, if it has none yet. Anything but a TsbuildError comes back as it was. */
export function locate(error: unknown, location: SourceLocation): unknown {
  if (!(error instanceof TsbuildError) || error.location !== undefined) return error;
  return copy(error, { location });
}

/**
 * The same failure, saying for which of several platforms, unless it does. Anything but a TsbuildError
 * comes back as it was.
 */
export function forPlatform(error: unknown, platform: string | undefined): unknown {
  if (!(error instanceof TsbuildError) || platform === undefined) return error;
  if (error.message.split(/[\s":]+/).includes(platform)) return error;
  return copy(error, { message: `${error.message} (${platform})` });
}

/** The first of several failures, which carries the others; undefined when there are none. */
export function joinErrors(errors: readonly TsbuildError[]): TsbuildError | undefined {
  const [first, ...others] = errors;
  return first === undefined || others.length === 0 ? first : copy(first, { others });
}

function copy(
  error: TsbuildError,
  changes: Partial<Pick<ErrorFields<ErrorCode>, 'message' | 'location' | 'others'>>,
): TsbuildError {
  const { message, details, hint, cause, location, others } = error;
  return new TsbuildError(error.code, {
    ...{ message, details, hint, cause, location, others },
    ...changes,
  });
}

/** The closest of `candidates` within edit distance 2 of `word`, or undefined; case counts only if said so. */
export function suggest(
  word: string,
  candidates: Iterable<string>,
  { exactCase = false }: { readonly exactCase?: boolean } = {},
): string | undefined {
  const fold = (text: string): string => (exactCase ? text : text.toLowerCase());
  let best: string | undefined;
  let bestDistance = 3;
  for (const candidate of candidates) {
    const distance = editDistance(fold(word), fold(candidate), bestDistance);
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance];
  }
  return best;
}

/** Levenshtein distance, or `limit` when it is that or more. */
function editDistance(a: string, b: string, limit: number): number {
  if (Math.abs(a.length - b.length) >= limit) return limit;
  let previous = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const current = [i];
    for (let j = 1; j <= b.length; j++) {
      const substitution = (previous[j - 1] ?? 0) + (a[i - 1] === b[j - 1] ? 0 : 1);
      current.push(Math.min(substitution, (previous[j] ?? 0) + 1, (current[j - 1] ?? 0) + 1));
    }
    previous = current;
  }
  return Math.min(limit, previous[b.length] ?? limit);
}
