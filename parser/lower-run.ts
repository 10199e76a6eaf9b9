/** RUN (1.7). */

import { locate, suggest } from '../src/errors.ts';
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
    const problem = deviceProblem(flag.value);
    if (problem !== undefined) failInstruction(lowering, problem, flag.range);
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
