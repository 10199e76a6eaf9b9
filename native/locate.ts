/** Where the helper's binary is. */

import { accessSync, constants } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { TsbuildError } from '../src/errors.ts';

const BINARY = 'tsbuild-helper';

/** From this file to the folder `native`: as sources, as `dist/native/`, and bundled into `dist/`. */
const WAYS_TO_NATIVE = ['.', '../native', '../../native'];

/**
 * The path of the helper: the one that was asked for, else the one of this platform's package, else
 * the one that cargo built beside the sources.
 *
 * @throws ERR_HELPER_MISSING with all that was tried
 */
export function locateHelper(binary: string | undefined): string {
  const tried: string[] = [];
  for (const candidate of candidates(binary)) {
    if (isExecutable(candidate)) return candidate;
    tried.push(candidate);
  }
  throw new TsbuildError('ERR_HELPER_MISSING', {
    message: `Cannot find the helper for ${process.platform} on ${process.arch}`,
    details: { tried },
    hint:
      binary === undefined
        ? `Install the package "${platformPackage()}", or build it with "cargo build --release" in the folder native.`
        : `There is no executable file "${binary}".`,
  });
}

function* candidates(binary: string | undefined): Generator<string> {
  if (binary !== undefined) {
    yield binary;
    return;
  }
  yield packagedBinary() ?? join('node_modules', platformPackage(), BINARY);
  const here = dirname(fileURLToPath(import.meta.url));
  for (const way of WAYS_TO_NATIVE) yield join(here, way, 'target', 'release', BINARY);
}

function packagedBinary(): string | undefined {
  try {
    return createRequire(import.meta.url).resolve(`${platformPackage()}/${BINARY}`);
  } catch {
    // It is an optional dependency: it may not be installed.
    return undefined;
  }
}

function platformPackage(): string {
  return `@tsbuild/helper-${process.platform}-${process.arch}`;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    // Tried, and told so when nothing else is found.
    return false;
  }
}
