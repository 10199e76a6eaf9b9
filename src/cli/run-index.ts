/** `tsbuild index create`: images that were built apart become one index. */

import { createIndex, plainProgress } from '../index.ts';
import { type Environment, readSettings } from './environment.ts';
import { EXIT } from './exit-code.ts';
import type { IndexFlags } from './index-args.ts';
import { runReported } from './run-reported.ts';
import { writeOut } from './write-out.ts';

/** Never rejects: a failure is on stderr, and in the exit code. */
export async function runIndex(flags: IndexFlags, environment: Environment): Promise<number> {
  return await runReported(environment, async (signal) => {
    const { helper: _, ...settings } = readSettings(environment);
    const { platform, quiet, ...given } = flags;
    const created = await createIndex({
      ...{ ...settings, ...given, signal, stdout: process.stdout },
      ...(platform !== undefined && { platform }),
      ...(!quiet && { onEvent: plainProgress((text) => process.stderr.write(text)) }),
    });
    if (quiet) await writeOut(`${created.digest}\n`);
    return EXIT.ok;
  });
}
