/** Errors of writing an output, in our words. */

import { getSystemErrorMap } from 'node:util';
import { TsbuildError } from '../errors.ts';

/** What to throw after `error`: the abort's reason, a TsbuildError as it is, anything else as ERR_OUTPUT_FAILED. */
export function outputFailure(error: unknown, path: string, signal: AbortSignal): unknown {
  if (signal.aborted) return signal.reason;
  if (error instanceof TsbuildError) return error;
  return new TsbuildError('ERR_OUTPUT_FAILED', {
    message: `Cannot write the image to "${path}": ${reasonOf(error, path)}`,
    details: { path },
    hint: isErrno(error, 'ENOSPC', 'EDQUOT')
      ? 'The disk is full. Free some space, or write to another one.'
      : undefined,
    cause: error,
  });
}

/** The system's words for a failed call, without its errno and without the call. */
function reasonOf(error: unknown, output: string): string {
  if (!(error instanceof Error)) return String(error);
  const { errno, path = output } = error as NodeJS.ErrnoException;
  const text = errno === undefined ? undefined : getSystemErrorMap().get(errno)?.[1];
  if (text === undefined) return error.message;
  return path === output ? text : `${text} ("${path}")`;
}

/** ERR_OUTPUT_FAILED. */
export function refused(path: string, hint?: string, cause?: unknown): TsbuildError {
  return new TsbuildError('ERR_OUTPUT_FAILED', {
    message: `Cannot write the image to "${path}"`,
    details: { path },
    hint,
    cause,
  });
}

/** Whether a file system call failed for one of these reasons. */
export function isErrno(error: unknown, ...codes: readonly string[]): boolean {
  if (!(error instanceof Error) || !('code' in error)) return false;
  return typeof error.code === 'string' && codes.includes(error.code);
}
