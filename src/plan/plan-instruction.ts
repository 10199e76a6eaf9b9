/** One instruction → one step; dispatches to the family it belongs to. */

import { emptyEntry, layerEntry } from './history.ts';
import { applyConfig, type ConfigInstruction } from './plan-config.ts';
import { planCopy } from './plan-copy.ts';
import { planRun } from './plan-run.ts';
import { type Planning, stepBase } from './planning.ts';
import type { StageInstruction } from './stage-outline.ts';
import type { StageState } from './stage-state.ts';
import type { ConfigStep, Step, WorkdirStep } from './step.ts';

/** Plans an instruction with the state before it, and brings the state to what holds after it. */
export async function planInstruction<Image>(
  state: StageState<Image>,
  instruction: StageInstruction,
  planning: Planning<Image>,
): Promise<Step<Image>> {
  switch (instruction.kind) {
    case 'run':
      return planRun(state, instruction, planning);
    case 'copy':
    case 'add':
      return planCopy(state, instruction, planning);
    default:
      return planConfig(state, instruction, planning);
  }
}

function planConfig<Image>(
  state: StageState<Image>,
  instruction: ConfigInstruction,
  planning: Planning<Image>,
): WorkdirStep | ConfigStep {
  const text = applyConfig(state, instruction, planning);
  const path = state.workingDirectory;
  // The root is always there (META-6).
  if (instruction.kind === 'workdir' && text !== undefined && path !== '/') {
    const names = { name: planning.nextName(), history: layerEntry(text) };
    const base = stepBase(state, planning, names);
    return Object.freeze({ kind: 'workdir', ...base, path, user: state.user });
  }
  const history = text === undefined ? undefined : emptyEntry(text);
  const base = stepBase(state, planning, { name: planning.text, history });
  return Object.freeze({ kind: 'config', ...base });
}
