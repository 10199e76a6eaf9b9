/** Exit codes: what a script may branch on. README.md lists them for users. */

import { type ErrorCode, TsbuildError } from '../index.ts';

export const EXIT = {
  ok: 0,
  /** A step failed, or the Dockerfile or its files are wrong. */
  build: 1,
  /** The command line is wrong. */
  usage: 2,
  /** A registry, or an image that came from one. */
  registry: 3,
  /** This machine: helper, sandbox, store, output. */
  environment: 4,
  /** A bug in tsbuild. */
  bug: 70,
  /** Ctrl-C or SIGTERM. */
  interrupted: 130,
} as const;

/** One row for each code, so that a new one must decide. */
const BY_CODE: Readonly<Record<ErrorCode, keyof typeof EXIT>> = {
  ERR_PARSE: 'build',
  ERR_INSTRUCTION_INVALID: 'build',
  ERR_USAGE: 'usage',
  ERR_DOCKERFILE_MISSING: 'usage',
  ERR_CONTEXT_MISSING: 'usage',
  ERR_CONTEXT_UNSUPPORTED: 'usage',
  ERR_CONTEXT_CHANGED: 'build',
  ERR_IGNORE_PATTERN: 'build',
  ERR_STAGE_UNKNOWN: 'build',
  ERR_STAGE_CYCLE: 'build',
  ERR_VARIABLE: 'build',
  ERR_SOURCE_MISSING: 'build',
  ERR_COPY_CONFLICT: 'build',
  ERR_OWNER_UNKNOWN: 'build',
  ERR_CHECKSUM_MISMATCH: 'build',
  ERR_DOWNLOAD_FAILED: 'build',
  ERR_GIT_INVALID: 'build',
  ERR_GIT_FAILED: 'build',
  ERR_STEP_FAILED: 'build',
  ERR_STEP_TIMEOUT: 'build',
  ERR_SECRET_MISSING: 'usage',
  ERR_SECRET_LEAKED: 'build',
  ERR_SSH_MISSING: 'usage',
  ERR_UNSUPPORTED: 'build',
  ERR_REFERENCE_INVALID: 'build',
  ERR_DIGEST_INVALID: 'build',
  ERR_DIGEST_MISMATCH: 'registry',
  ERR_IMAGE_INVALID: 'registry',
  ERR_PLATFORM_INVALID: 'build',
  ERR_PLATFORM_MISSING: 'registry',
  ERR_REGISTRY_UNREACHABLE: 'registry',
  ERR_REGISTRY_DENIED: 'registry',
  ERR_REGISTRY_FAILED: 'registry',
  ERR_IMAGE_NOT_FOUND: 'registry',
  ERR_LAYER_INVALID: 'registry',
  ERR_LAYER_UNSAFE_PATH: 'registry',
  ERR_INDEX_INVALID: 'environment',
  ERR_STORE_UNUSABLE: 'environment',
  ERR_OUTPUT_FAILED: 'environment',
  ERR_SANDBOX_UNAVAILABLE: 'environment',
  ERR_SANDBOX_FAILED: 'environment',
  ERR_HELPER_MISSING: 'environment',
  ERR_HELPER_MISMATCH: 'environment',
  ERR_HELPER_FAILED: 'environment',
};

/** What flags and the Dockerfile can say alike. Without a place in a file, a flag said it. */
const BY_PLACE: readonly ErrorCode[] = [
  'ERR_GIT_INVALID',
  'ERR_STAGE_UNKNOWN',
  'ERR_UNSUPPORTED',
  'ERR_REFERENCE_INVALID',
  'ERR_DIGEST_INVALID',
  'ERR_PLATFORM_INVALID',
];

/** The exit code for what a build rejected with. */
export function exitCodeOf(error: unknown): number {
  if (!(error instanceof TsbuildError)) return EXIT.bug;
  const code: ErrorCode = error.code;
  if (error.location === undefined && BY_PLACE.includes(code)) return EXIT.usage;
  return EXIT[BY_CODE[code]];
}
