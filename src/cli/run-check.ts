/** One check from the command line: the result on stdout, what makes a build fail on stderr (CHK-2). */

import { relative, resolve, sep } from 'node:path';
import { pathToFileURL } from 'node:url';
import { check, type CheckResult } from '../index.ts';
import type { CheckCall } from './call.ts';
import { checkJson, checkText } from './check-text.ts';
import { dockerfilePath } from './dockerfile-path.ts';
import type { Environment } from './environment.ts';
import { EXIT, exitCodeOf } from './exit-code.ts';
import { report, warn } from './report.ts';
import type { BuildRequest } from './request.ts';
import { runReported } from './run-reported.ts';
import { UNCHECKED, unseenText } from './unseen-text.ts';
import { writeOut } from './write-out.ts';

interface CheckOptions {
  readonly call: CheckCall;
  /** What to tell before. */
  readonly warnings: readonly string[];
  readonly environment: Environment;
}

/** Never rejects: a failure is on stderr, and in the exit code. */
export async function runCheck(
  { options }: Pick<BuildRequest, 'options'>,
  { call, warnings, environment }: CheckOptions,
): Promise<number> {
  for (const message of warnings) warn(message);
  return await runReported(environment, async (signal) => {
    const result = call.fix
      ? await fixAndTell({ ...options, signal }, call)
      : await check({ ...options, signal });
    await writeOut(await checkOutput(result, call.format, options));
    process.stderr.write(unseenText(result.unseenImages, UNCHECKED));
    if (result.error !== undefined) {
      if (call.format === 'text') report(result.error, { step: undefined, environment });
      return exitCodeOf(result.error);
    }
    const isClean = result.warnings.every(({ level }) => level === 'note');
    return isClean || call.ignoreStatus ? EXIT.ok : EXIT.build;
  });
}

/** What is for a program stays alone on stdout. */
async function fixAndTell(
  options: BuildRequest['options'],
  { format }: CheckCall,
): Promise<CheckResult> {
  const { fixFile } = await import('./run-fix.ts');
  const { result, text } = await fixFile(options);
  if (format === 'text') await writeOut(text);
  else process.stderr.write(text);
  return result;
}

/** What a check prints. */
export async function checkOutput(
  result: CheckResult,
  format: CheckCall['format'],
  options: BuildRequest['options'],
): Promise<string> {
  switch (format) {
    case 'text':
      return checkText(result);
    case 'json':
      return checkJson(result);
    case 'sarif': {
      const { checkSarif } = await import('./sarif.ts');
      const { readVersion } = await import('./version.ts');
      return checkSarif(result, { uri: uriOf(result, options), version: await readVersion() });
    }
  }
}

/** Of the Dockerfile, relative to the working directory: in a workflow that is the repository. */
function uriOf({ file }: CheckResult, options: BuildRequest['options']): string {
  // What came through a pipe or from elsewhere has but the name that the messages give it.
  const path = dockerfilePath(file, options) ?? resolve(file);
  const inside = relative(process.cwd(), path);
  if (inside.startsWith('..')) return pathToFileURL(path).href;
  return inside.split(sep).map(encodeURIComponent).join('/');
}
