/** RUN (1.7). */

import { locate } from '../src/errors.ts';
import type { RunInstruction } from './ast.ts';
import { parseDevice } from './device.ts';
import { FLAGS, readFlags } from './flags.ts';
import {
  failInstruction,
  instructionBase,
  type Lowering,
  toCommand,
  toHeredocs,
} from './lowering.ts';
import { checkMount } from './mount-draft.ts';

/** RUN-1. */
export function lowerRun(lowering: Lowering): RunInstruction {
  const flags = readFlags(lowering, FLAGS.run);
  checkMounts(lowering);
  const network = flags.text('network');
  if (network !== undefined && !isNetwork(network)) {
    return failInstruction(lowering, `invalid network mode "${network}"`);
  }
  const security = flags.text('security');
  if (security !== undefined && !isSecurity(security)) {
    return failInstruction(lowering, `security "${security}" is not valid`);
  }
  checkDevices(lowering);
  return {
    ...instructionBase(lowering),
    kind: 'run',
    command: toCommand(lowering.args),
    mounts: flags.list('mount'),
    network,
    security,
    devices: flags.list('device'),
    heredocs: toHeredocs(lowering),
  };
}

function isNetwork(text: string): text is 'default' | 'none' | 'host' {
  return text === 'default' || text === 'none' || text === 'host';
}

function isSecurity(text: string): text is 'sandbox' | 'insecure' {
  return text === 'sandbox' || text === 'insecure';
}

/** Only as far as can be told before variables are known (RUN-12). */
function checkMounts(lowering: Lowering): void {
  for (const flag of lowering.flags) {
    if (flag.name !== 'mount' || flag.value === undefined) continue;
    try {
      checkMount(flag.value);
    } catch (error) {
      throw locate(error, { file: lowering.file, source: lowering.source, range: flag.range });
    }
  }
}

function checkDevices(lowering: Lowering): void {
  for (const flag of lowering.flags) {
    if (flag.name !== 'device' || flag.value === undefined) continue;
    const device = parseDevice(flag.value);
    if (typeof device === 'string') failInstruction(lowering, device, flag.range);
  }
}
