/** RUN (1.7). */

import { hasCode, suggest } from '../src/errors.ts';
import type { RunInstruction } from './ast.ts';
import { splitCsv } from './csv.ts';
import { FLAGS, readFlags } from './flags.ts';
import {
  failInstruction,
  instructionBase,
  type Lowering,
  toCommand,
  toHeredocs,
} from './lowering.ts';
import { checkMount } from './mount.ts';

/** RUN-1. The values of `--mount` are only checked as far as variables allow (RUN-12). */
export function lowerRun(lowering: Lowering): RunInstruction {
  const flags = readFlags(lowering, FLAGS.run);
  const mounts = flags.list('mount');
  checkFlags(lowering, 'mount', mounts, mountProblem);
  const network = flags.text('network');
  if (network !== undefined && !isNetwork(network)) {
    return failInstruction(lowering, `invalid network mode "${network}"`);
  }
  const security = flags.text('security');
  if (security !== undefined && !isSecurity(security)) {
    return failInstruction(lowering, `security "${security}" is not valid`);
  }
  const devices = flags.list('device');
  checkFlags(lowering, 'device', devices, deviceProblem);
  return {
    ...instructionBase(lowering),
    kind: 'run',
    command: toCommand(lowering.args),
    mounts,
    network,
    security,
    devices,
    heredocs: toHeredocs(lowering),
  };
}

function isNetwork(text: string): text is 'default' | 'none' | 'host' {
  return text === 'default' || text === 'none' || text === 'host';
}

function isSecurity(text: string): text is 'sandbox' | 'insecure' {
  return text === 'sandbox' || text === 'insecure';
}

/** Fails at the flag whose value has a problem. */
function checkFlags(
  lowering: Lowering,
  name: string,
  values: readonly string[],
  findProblem: (value: string) => string | undefined,
): void {
  for (const value of values) {
    const problem = findProblem(value);
    if (problem === undefined) continue;
    const flag = lowering.flags.find((found) => found.name === name && found.value === value);
    failInstruction(lowering, problem, flag?.range);
  }
}

function mountProblem(value: string): string | undefined {
  try {
    checkMount(value);
    return undefined;
  } catch (error) {
    if (!hasCode(error, 'ERR_INSTRUCTION_INVALID')) throw error;
    return error.message;
  }
}

/** `[name=]vendor.com/class[=device][,required[=bool]]` (RUN-3). */
function deviceProblem(value: string): string | undefined {
  const fields = splitCsv(value);
  if (typeof fields === 'string') return `failed to parse csv devices: ${fields}`;
  let name = '';
  for (const field of fields) {
    const equals = field.indexOf('=');
    const key = (equals < 0 ? field : field.slice(0, equals)).toLowerCase();
    const text = equals < 0 ? undefined : field.slice(equals + 1);
    if (key === 'required') {
      if (text !== undefined && !/^(?:[1tT0fF]|TRUE|true|True|FALSE|false|False)$/.test(text)) {
        return `invalid value for required: ${text}`;
      }
    } else if (key === 'name' && text !== undefined) {
      if (name !== '') return `device name already set to ${name}`;
      name = text;
    } else if (name === '') {
      name = field;
    } else if (text === undefined) {
      return `invalid field '${field}' must be a key=value pair`;
    } else {
      const match = suggest(key, ['name', 'required']);
      const hint = match === undefined ? '' : ` (did you mean ${match}?)`;
      return `unexpected key '${key}' in '${field}'${hint}`;
    }
  }
  return undefined;
}
