/** The helper's errors in the words of this program. */

import { getSystemErrorMap } from 'node:util';
import { TsbuildError } from '../src/errors.ts';
import type { HelperError, Request } from './protocol.ts';

/** What the helper was doing: a request, or entering its namespaces. */
export type Operation = Request | { readonly verb: 'open'; readonly mode: string };

/** Never a bare errno: what could not be done, to what, and why. */
export function helperFailure(error: HelperError, operation: Operation): TsbuildError {
  const message = explain(error);
  const path = error.path ?? '';
  switch (error.step) {
    case 'DigestMismatch': {
      const { expected = '', found = '' } = error;
      return new TsbuildError('ERR_DIGEST_MISMATCH', {
        message: `${message}: expected ${expected}, found ${found}`,
        details: { expected, found },
        cause: error,
      });
    }
    case 'ContentChanged':
      return new TsbuildError('ERR_CONTEXT_CHANGED', {
        message,
        details: { path },
        hint: 'Build again when nothing else writes to the build context.',
        cause: error,
      });
    case 'UnsafePath':
      return new TsbuildError('ERR_LAYER_UNSAFE_PATH', {
        message,
        details: { layer: archiveOf(operation) ?? '', path },
        cause: error,
      });
    case 'SecretFound':
      // The caller knows which secret has this number, and of which layer it asked.
      return new TsbuildError('ERR_SECRET_LEAKED', {
        message,
        details: { id: error.found ?? '', path, layer: undefined },
        cause: error,
      });
    case 'IndexInvalid':
      return new TsbuildError('ERR_INDEX_INVALID', { message, details: undefined, cause: error });
    case 'ArchiveInvalid':
      return new TsbuildError('ERR_LAYER_INVALID', {
        message: `${message} ("${path}")`,
        details: { layer: archiveOf(operation) ?? path },
        cause: error,
      });
    default:
      return otherFailure(error, operation, message);
  }
}

/** The helper ended, or said what it should not. */
export function brokenHelper(message: string, cause?: unknown, hint?: string): TsbuildError {
  return new TsbuildError('ERR_HELPER_FAILED', {
    message,
    details: { operation: 'Helper' },
    hint,
    cause,
  });
}

/** The helper ended without being asked: by a signal, or with an exit code. */
export function endedHelper(how: string | number, words: string): TsbuildError {
  const end = typeof how === 'number' ? `code ${how}` : how;
  const message = `The helper ended unexpectedly (${end})${words === '' ? '' : `: ${words}`}`;
  const hint =
    how === 'SIGKILL' ? 'Somebody killed it. The kernel does so when memory runs out.' : undefined;
  return brokenHelper(message, undefined, hint);
}

function otherFailure(error: HelperError, operation: Operation, message: string): TsbuildError {
  if (isDenied(error) && isContext(operation)) {
    return new TsbuildError('ERR_CONTEXT_MISSING', {
      message,
      details: { path: error.path ?? '' },
      hint: 'Make it readable for the user who builds, or name it in .dockerignore.',
      cause: error,
    });
  }
  const isSandbox = operation.verb === 'run' || operation.verb === 'open';
  return new TsbuildError(isSandbox ? 'ERR_SANDBOX_FAILED' : 'ERR_HELPER_FAILED', {
    message,
    details: { operation: error.step },
    hint: DISK_IS_FULL.includes(error.errnoName ?? '')
      ? 'The disk is full. Free some space, or set TSBUILD_STORE to a directory on another one.'
      : undefined,
    cause: error,
  });
}

function isDenied({ errnoName }: HelperError): boolean {
  return errnoName === 'EACCES' || errnoName === 'EPERM';
}

function isContext(operation: Operation): boolean {
  if (operation.verb !== 'scan' || operation.source.kind !== 'directory') return false;
  return operation.source.format === 'context';
}

const DISK_IS_FULL = ['ENOSPC', 'EDQUOT'];

function explain(error: HelperError): string {
  if (error.errno === undefined) return error.message;
  const [name, text] = getSystemErrorMap().get(-error.errno) ?? [error.errnoName, undefined];
  const label = error.errnoName ?? name ?? `errno ${error.errno}`;
  return `${error.message}: ${text === undefined ? label : `${text} (${label})`}`;
}

function archiveOf(operation: Operation): string | undefined {
  switch (operation.verb) {
    case 'extract':
      return operation.digest;
    case 'scan':
      return operation.source.path;
    case 'repack':
      return operation.source;
    case 'compose':
    case 'run':
    case 'remove':
    case 'limits':
    case 'lock':
    case 'unlock':
    case 'open':
      return undefined;
  }
}
