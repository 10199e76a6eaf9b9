/** `tsbuild doctor`: what works on this machine, on stdout. */

import { doctor } from '../index.ts';
import type { DoctorFlags } from './doctor-args.ts';
import { doctorJson, doctorText } from './doctor-text.ts';
import { type Environment, readSettings } from './environment.ts';
import { EXIT, exitCodeOf } from './exit-code.ts';
import { listenForInterrupts } from './interrupts.ts';
import { isolationOf } from './isolation.ts';
import { clean, report } from './report.ts';
import { writeOut } from './write-out.ts';

/** Never rejects: a failure is on stderr, and in the exit code. */
export async function runDoctor(flags: DoctorFlags, environment: Environment): Promise<number> {
  const { signal, release } = listenForInterrupts();
  try {
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
  } catch (error) {
    if (signal.aborted) return EXIT.interrupted;
    report(error, { step: undefined, environment });
    return exitCodeOf(error);
  } finally {
    release();
  }
}
