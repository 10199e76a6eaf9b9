/** HEALTHCHECK (HC-1). */

import type { HealthcheckInstruction } from './ast.ts';
import { parseDuration } from './duration.ts';
import { FLAGS, type FlagValues, readFlags } from './flags.ts';
import {
  argumentSpans,
  failInstruction,
  instructionBase,
  type Lowering,
  toCommand,
} from './lowering.ts';

const UNSET = { interval: 0, timeout: 0, startPeriod: 0, startInterval: 0, retries: 0 };

export function lowerHealthcheck(lowering: Lowering): HealthcheckInstruction {
  const { args } = lowering;
  if (args.shape !== 'health') {
    return failInstruction(lowering, 'HEALTHCHECK requires at least one argument');
  }
  const base = instructionBase(lowering);
  const type = args.type.text.toUpperCase();
  const isEmpty = argumentSpans(args.command).length === 0;
  if (type === 'NONE') {
    // The flags of NONE are not looked at.
    if (!isEmpty) return failInstruction(lowering, 'HEALTHCHECK NONE takes no arguments');
    return { ...base, kind: 'healthcheck', command: undefined, ...UNSET };
  }
  const flags = readFlags(lowering, FLAGS.healthcheck);
  if (type !== 'CMD') {
    return failInstruction(
      lowering,
      `Unknown type ${JSON.stringify(type)} in HEALTHCHECK (try CMD)`,
    );
  }
  if (isEmpty) return failInstruction(lowering, 'Missing command after HEALTHCHECK CMD');
  return {
    ...base,
    kind: 'healthcheck',
    command: toCommand(args.command),
    interval: readInterval(lowering, flags, 'interval'),
    timeout: readInterval(lowering, flags, 'timeout'),
    startPeriod: readInterval(lowering, flags, 'start-period'),
    startInterval: readInterval(lowering, flags, 'start-interval'),
    retries: readRetries(lowering, flags),
  };
}

/** The runtime's own resolution. */
const MIN_NANOSECONDS = 1e6;

function readInterval(lowering: Lowering, flags: FlagValues, name: string): number {
  const text = flags.text(name) ?? '';
  if (text === '') return 0;
  const duration = parseDuration(text);
  const fail = (problem: string): never => {
    const flag = lowering.flags.find((found) => found.name === name);
    return failInstruction(lowering, problem, flag?.range);
  };
  if (typeof duration === 'string') return fail(duration);
  if (duration !== 0 && duration < MIN_NANOSECONDS) {
    return fail(`Interval "${name}" cannot be less than 1ms`);
  }
  return duration;
}

function readRetries(lowering: Lowering, flags: FlagValues): number {
  const text = flags.text('retries') ?? '';
  if (text === '') return 0;
  const range = lowering.flags.find((found) => found.name === 'retries')?.range;
  if (!/^[-+]?\d+$/.test(text)) {
    return failInstruction(lowering, `strconv.ParseInt: parsing "${text}": invalid syntax`, range);
  }
  const retries = Number(text);
  if (Math.abs(retries) > 2 ** 31 - 1) {
    return failInstruction(
      lowering,
      `strconv.ParseInt: parsing "${text}": value out of range`,
      range,
    );
  }
  if (retries < 0) {
    return failInstruction(lowering, `--retries cannot be negative (${retries})`, range);
  }
  return retries;
}
