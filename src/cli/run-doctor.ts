/** `tsbuild doctor`: what works on this machine, on stdout. */

import { doctor } from '../index.ts';
import type { DoctorFlags } from './doctor-args.ts';
import { doctorJson, doctorText } from './doctor-text.ts';
import { type Environment, readSettings } from './environment.ts';
import { EXIT } from './exit-code.ts';
import { isolationOf } from './isolation.ts';
import { clean } from './report.ts';
import { runReported } from './run-reported.ts';
import { writeOut } from './write-out.ts';

/** Never rejects: a failure is on stderr, and in the exit code. */
export async function runDoctor(flags: DoctorFlags, environment: Environment): Promise<number> {
  return await runReported(environment, async (signal) => {
    const { store, helper, dockerConfig } = readSettings(environment);
    const isolation = isolationOf(flags.isolation);
    const found = await doctor({
      ...{ store, dockerConfig, environment, signal },
      ...(helper !== undefined && { helper }),
      ...(isolation !== undefined && { isolation }),
    });
    // Names of files, users and hosts come from elsewhere.
    await writeOut(flags.json ? doctorJson(found) : clean(doctorText(found)));
    return found.ok ? EXIT.ok : EXIT.environment;
  });
}
