/** `--check --fix`: mends a Dockerfile on disk and says what it mended. */

import { chmod, chown, readFile, realpath, rename, rm, stat, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { type BuildOptions, type CheckResult, fix, TsbuildError } from '../index.ts';
import { usage } from './argv.ts';
import { clean } from './report.ts';

/** A check of the file as it is now, and what was done to it, one line for each fix. */
export interface Fixed {
  readonly result: CheckResult;
  readonly text: string;
}

/**
 * Applies every fix and writes the Dockerfile, whole or not at all.
 * @throws ERR_USAGE for one that is no file of this machine, ERR_OUTPUT_FAILED, and what `fix()` throws
 */
export async function fixFile(options: BuildOptions): Promise<Fixed> {
  await requireFile(options);
  const result = await fix(options);
  const { before, fixed, source, file } = result;
  if (source !== before) await replaceText(pathOf(options, file), before, source);
  const lines = fixed.map(
    ({ rule, range, fix: change }) =>
      `${clean(file)}:${range.start.line}: ${rule}: ${clean(change?.description ?? '')}\n`,
  );
  const count = lines.length === 1 ? '1 fix' : `${lines.length === 0 ? 'no' : lines.length} fixes`;
  return { result, text: `Applied ${count} to ${clean(file)}.\n${lines.join('')}\n` };
}

async function requireFile({ context, dockerfile }: BuildOptions): Promise<void> {
  const isStream = dockerfile !== undefined && typeof dockerfile !== 'string';
  const isAddress = typeof dockerfile === 'string' && /^https?:\/\//i.test(dockerfile);
  const isDirectory =
    typeof context === 'string' &&
    (await stat(context).then(
      (found) => found.isDirectory(),
      () => !/^[\w+.-]+:\/\/|^git@|^github\.com\//.test(context),
    ));
  if (!isStream && !isAddress && isDirectory) return;
  throw usage(
    'Cannot use "--fix" here: the Dockerfile is not a file of this machine',
    'Save it as a file, and name its directory.',
  );
}

function pathOf({ context, dockerfile }: BuildOptions, file: string): string {
  if (typeof dockerfile === 'string') return dockerfile;
  return join(typeof context === 'string' ? context : '.', file);
}

/** Written aside and renamed. A link stays one, and the file keeps its mode and owner. */
async function replaceText(named: string, before: string, after: string): Promise<void> {
  const path = await realpath(named);
  const temporary = join(dirname(path), `.${basename(path)}.${process.pid}.fix`);
  try {
    const { mode, uid, gid } = await stat(path);
    // Also true for bytes that are no text: those would be lost.
    if (!(await readFile(path)).equals(Buffer.from(before))) {
      throw new Error('it was changed meanwhile, or is not UTF-8');
    }
    await writeFile(temporary, after, { flag: 'wx', mode: 0o600 });
    // Only root can give a file away; anyone else's new file is his anyway.
    await chown(temporary, uid, gid).catch(() => undefined);
    await chmod(temporary, mode & 0o7777);
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined);
    throw new TsbuildError('ERR_OUTPUT_FAILED', {
      message: `Cannot write "${named}": ${error instanceof Error ? error.message : String(error)}`,
      details: { path: named },
      cause: error,
    });
  }
}
