/** One list from the command line, on stdout: parameters, targets or methods (OPT-3). */

import { outline, targets } from '../index.ts';
import type { ListCall } from './call.ts';
import type { Environment } from './environment.ts';
import { EXIT } from './exit-code.ts';
import {
  describeJson,
  describeText,
  outlineJson,
  outlineText,
  targetsJson,
  targetsText,
} from './list-text.ts';
import { warn } from './report.ts';
import type { BuildRequest } from './request.ts';
import { runReported } from './run-reported.ts';
import { UNLISTED, unseenText } from './unseen-text.ts';
import { writeOut } from './write-out.ts';

interface ListOptions {
  readonly call: ListCall;
  /** What to tell before. */
  readonly warnings: readonly string[];
  readonly environment: Environment;
}

/** Never rejects: a failure is on stderr, and in the exit code. */
export async function runList(
  { options }: Pick<BuildRequest, 'options'>,
  { call, warnings, environment }: ListOptions,
): Promise<number> {
  for (const message of warnings) warn(message);
  return await runReported(environment, async (signal) => {
    await writeOut(await listText({ ...options, signal }, call));
    return EXIT.ok;
  });
}

/** What a list prints; what was not looked at is told on stderr. */
export async function listText(options: BuildRequest['options'], call: ListCall): Promise<string> {
  const isJson = call.format === 'json';
  switch (call.kind) {
    case 'outline': {
      const result = await outline(options);
      process.stderr.write(unseenText(result.unseenImages, UNLISTED));
      return isJson ? outlineJson(result) : outlineText(result);
    }
    case 'targets': {
      const result = await targets(options);
      return isJson ? targetsJson(result) : targetsText(result);
    }
    case 'describe':
      return isJson ? describeJson() : describeText();
  }
}
