/** `tsbuild push`: an image that is there already goes to a registry. */

import { plainProgress, push } from '../index.ts';
import { type Environment, readSettings } from './environment.ts';
import { EXIT } from './exit-code.ts';
import type { PushFlags } from './push-args.ts';
import { runReported } from './run-reported.ts';
import { writeOut } from './write-out.ts';

/** Never rejects: a failure is on stderr, and in the exit code. */
export async function runPush(flags: PushFlags, environment: Environment): Promise<number> {
  return await runReported(environment, async (signal) => {
    const { helper, ...settings } = readSettings(environment);
    const { name, source, digest, insecureRegistries, quiet } = flags;
    const pushed = await push({
      ...{ ...settings, name, insecureRegistries, signal },
      ...(helper !== undefined && { helper }),
      ...(source !== undefined && { source }),
      ...(digest !== undefined && { digest }),
      ...(!quiet && { onEvent: plainProgress((text) => process.stderr.write(text)) }),
    });
    if (quiet) await writeOut(`${pushed.digest}\n`);
    return EXIT.ok;
  });
}
