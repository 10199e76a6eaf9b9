/** Tries the rungs, best first, until one holds. */

import { type Helper, openHelper } from '../../native/index.ts';
import { hasCode } from '../errors.ts';
import { diagnose, type Refusal } from './diagnose.ts';
import { readFacts } from './facts.ts';
import { type Isolation, type Machine, type RungName, rungsFor } from './rungs.ts';

export interface ClimbOptions {
  readonly binary: string | undefined;
  /** A directory on the store's filesystem, for the probe. */
  readonly scratch: string;
  readonly machine: Machine;
  /** Default: `auto`. */
  readonly isolation?: Isolation | undefined;
}

/** A rung that does not work here. */
export interface RefusedStep extends Refusal {
  readonly mode: RungName;
}

export interface Climb {
  /** The highest that works, entered; the caller closes the helper. */
  readonly reached: { readonly helper: Helper; readonly mode: RungName } | undefined;
  /** Those above it, best first. */
  readonly refused: readonly RefusedStep[];
}

/** @throws ERR_HELPER_MISSING, ERR_HELPER_FAILED and the like: no other rung makes a bad binary better */
export async function climb(options: ClimbOptions): Promise<Climb> {
  const { machine, isolation, scratch, binary } = options;
  const refused: RefusedStep[] = [];
  for await (const rung of rungsFor(machine, isolation)) {
    const { mode } = rung;
    if (rung.kind === 'refused') {
      refused.push({ mode, reason: rung.reason, fix: rung.fix });
      continue;
    }
    const { uidMap, gidMap } = rung;
    try {
      const helper = await openHelper({ mode, uidMap, gidMap, scratch, binary });
      return { reached: { helper, mode }, refused };
    } catch (error) {
      if (!hasCode(error, 'ERR_SANDBOX_FAILED')) throw error;
      refused.push({ mode, ...(await diagnose({ error, mode, scratch }, await readFacts())) });
    }
  }
  return { reached: undefined, refused };
}
