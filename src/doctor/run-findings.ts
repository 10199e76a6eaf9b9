/** Which rung RUN gets, and why not the ones above it. */

import { hasCode, TsbuildError } from '../errors.ts';
import { type Climb, climb, type ClimbOptions } from '../solve/climb.ts';
import type { Refusal } from '../solve/diagnose.ts';
import { ALONE_NOTE, emulationRefusal, RUNG_NOTES, type RungName } from '../solve/rungs.ts';
import type { Finding } from './finding.ts';

export interface RunFindings {
  readonly isolation: RungName | undefined;
  readonly findings: readonly Finding[];
}

/** Enters the rungs as a build would, and leaves them again. */
export async function runFindings(options: ClimbOptions): Promise<RunFindings> {
  let climbed: Climb;
  try {
    climbed = await climb(options);
  } catch (error) {
    if (!(error instanceof TsbuildError)) throw error;
    const fix = hasCode(error, 'ERR_HELPER_MISSING') ? error.hint : undefined;
    const text = `RUN does not work: ${error.message}`;
    const finding: Finding = { id: 'helper', group: 'run', status: 'no', text };
    return { isolation: undefined, findings: [fix === undefined ? finding : { ...finding, fix }] };
  }
  const { reached, refused } = climbed;
  await reached?.helper.close();
  const isolation = reached?.mode;
  const unable = emulationRefusal(reached?.helper.noEmulation);
  const summary: Finding =
    isolation === undefined
      ? {
          id: 'run',
          group: 'run',
          status: 'no',
          text: 'RUN does not work here; Dockerfiles without RUN build as they are',
        }
      : {
          id: 'run',
          group: 'run',
          status: unable === undefined ? 'ok' : 'warn',
          text: `${isolation}: ${unable === undefined ? RUNG_NOTES[isolation] : ALONE_NOTE}`,
        };
  const above = refused.map(({ mode, reason, fix }): Finding => {
    const status = isolation === undefined ? 'no' : 'warn';
    const finding: Finding = {
      id: `rung.${mode}`,
      group: 'run',
      status,
      text: `not ${mode}: ${reason}`,
    };
    return fix === undefined ? finding : { ...finding, fix };
  });
  return { isolation, findings: [summary, ...emulationFindings(unable), ...above] };
}

function emulationFindings(unable: Refusal | undefined): readonly Finding[] {
  if (unable === undefined) return [];
  const { reason: text, fix } = unable;
  const finding: Finding = { id: 'emulation', group: 'run', status: 'warn', text };
  return [fix === undefined ? finding : { ...finding, fix }];
}
