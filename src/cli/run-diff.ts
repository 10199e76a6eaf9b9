/** `tsbuild diff`: what differs between two images. */

import { diffImages, plainProgress } from '../index.ts';
import type { DiffFlags } from './diff-args.ts';
import { diffText } from './diff-text.ts';
import { type Environment, readSettings } from './environment.ts';
import { EXIT } from './exit-code.ts';
import { runReported } from './run-reported.ts';
import { writeOut } from './write-out.ts';

/** As diff(1) has them, for scripts that know it. */
const DIFF_EXIT = { equal: 0, different: 1, trouble: 2 } as const;

/** How many of a group are read by people. */
const SHOWN = 30;

/** Never rejects: a failure is on stderr, and in the exit code. */
export async function runDiff(flags: DiffFlags, environment: Environment): Promise<number> {
  const { a, b, platform, ignore, insecureRegistries, json, all, quiet } = flags;
  let isEqual: boolean | undefined;
  const code = await runReported(environment, async (signal) => {
    const { helper, ...settings } = readSettings(environment);
    const limit = quiet ? 0 : SHOWN;
    const diff = await diffImages(a, b, {
      ...{ ...settings, ignore, insecureRegistries, signal },
      ...(helper !== undefined && { helper }),
      ...(platform !== undefined && { platform }),
      ...((quiet || !(json || all)) && { limit }),
      collapse: !json && !all,
      ...(!quiet && { onEvent: plainProgress((text) => process.stderr.write(text)) }),
    });
    if (!quiet) await writeOut(json ? `${JSON.stringify(diff, null, 2)}\n` : diffText(diff));
    isEqual = diff.equal;
    return EXIT.ok;
  });
  if (code === EXIT.interrupted) return code;
  if (isEqual === undefined) return DIFF_EXIT.trouble;
  return isEqual ? DIFF_EXIT.equal : DIFF_EXIT.different;
}
