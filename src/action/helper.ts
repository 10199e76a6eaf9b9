/** The helper's binary: a release of the action has one beside its bundle for each architecture. */

import { existsSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { hasCode, TsbuildError } from '../index.ts';

/** The one that came along with this action; undefined in a checkout, where cargo's is found. */
export function shippedHelper(): string | undefined {
  const here = dirname(fileURLToPath(import.meta.url));
  const path = join(here, 'helper', `${process.platform}-${process.arch}`, 'tsbuild-helper');
  return existsSync(path) ? path : undefined;
}

/** Says what to change in a workflow, where that is what helps. */
export function explained(error: unknown, workspace: string): unknown {
  if (hasCode(error, 'ERR_HELPER_MISSING')) {
    const hint =
      'Use a release of the action, which has it for Linux on x64 and arm64; in a checkout of it run "npm run build" first, or set TSBUILD_HELPER.';
    return withHint(error, hint);
  }
  if (hasCode(error, 'ERR_DOCKERFILE_MISSING') && isEmpty(workspace)) {
    return withHint(error, 'The workspace is empty: use "actions/checkout" in a step before.');
  }
  return error;
}

function withHint(error: TsbuildError, hint: string): TsbuildError {
  const { code, message, details, cause, location, others } = error;
  return new TsbuildError(code, { message, details, hint, cause, location, others });
}

function isEmpty(directory: string): boolean {
  try {
    return readdirSync(directory).length === 0;
  } catch {
    // Not a directory that can be read: then something else is wrong.
    return false;
  }
}
