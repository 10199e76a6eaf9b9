/** `RUN --device`: what is asked for, and whether the build may have it (RUN-3, ENT-1). */

import { type Device, parseDevice } from '../../parser/index.ts';
import { invalid } from './failures.ts';

/** What is known of a machine's devices. */
export interface DeviceOffers {
  /** Those that a name means; of each, whether every build may have it. */
  readonly find: (name: string) => Promise<readonly { readonly isFree: boolean }[]>;
}

export interface DevicePlanning {
  readonly allow: ReadonlySet<string>;
  /** Undefined: nobody looked. */
  readonly devices: DeviceOffers | undefined;
}

/** @throws ERR_INSTRUCTION_INVALID for one that is not allowed; one that is not there needs not be */
export async function planDevices(
  texts: readonly string[],
  { allow, devices }: DevicePlanning,
): Promise<readonly Device[]> {
  const allowed = readAllowed(allow);
  const planned: Device[] = [];
  for (const text of texts) {
    const asked = parseDevice(text);
    if (typeof asked === 'string') throw invalid(`Cannot give a device to the step: ${asked}`);
    const name = allowed.aliases.get(asked.name) ?? asked.name;
    const offered = (await devices?.find(name)) ?? [];
    const isHarmless = offered.length > 0 ? offered.every(({ isFree }) => isFree) : !asked.required;
    if (!isHarmless && !isAllowed(name, allowed)) {
      throw invalid(
        `Cannot run the step: device ${name} is not allowed`,
        `If you trust this Dockerfile with it, say so: "--allow device=${name}".`,
      );
    }
    planned.push(Object.freeze({ name, required: asked.required }));
  }
  return Object.freeze(planned);
}

interface Allowed {
  readonly all: boolean;
  readonly names: ReadonlySet<string>;
  /** What a Dockerfile calls a device, and which it is. */
  readonly aliases: ReadonlyMap<string, string>;
}

/** `device`, `device=NAME`, `device=NAME,alias=OTHER`. */
function readAllowed(allow: ReadonlySet<string>): Allowed {
  const names = new Set<string>();
  const aliases = new Map<string, string>();
  for (const entitlement of allow) {
    if (!entitlement.startsWith('device=')) continue;
    const [name = '', ...options] = entitlement.slice('device='.length).split(',');
    names.add(name);
    for (const option of options) {
      if (option.startsWith('alias=')) aliases.set(option.slice('alias='.length), name);
    }
  }
  return { all: allow.has('device'), names, aliases };
}

/** Who may have a kind may have each of it. */
function isAllowed(name: string, { all, names }: Allowed): boolean {
  return all || names.has(name) || names.has(name.split('=')[0] ?? '');
}
