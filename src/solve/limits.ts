/** Limits of every RUN: what is asked for, what this machine gives, and what it means when one was hit. */

import type { CgroupSpec, Helper, RunReply } from '../../native/index.ts';

/** Limits without a place. */
type Resources = Omit<CgroupSpec, 'parent'>;

/** The control group of each RUN; undefined when nothing is asked for. */
export function cgroupOf(resources: Resources, parent: string | undefined): CgroupSpec | undefined {
  const isAsked =
    parent !== undefined || Object.values(resources).some((value) => value !== undefined);
  return isAsked ? { ...resources, parent } : undefined;
}

/** One line for each limit that cannot be set here. */
export async function unsetLimits(
  helper: Helper,
  cgroup: CgroupSpec,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const { refused } = await helper.limits({ cgroup }, { signal });
  return refused.map(
    ({ controller, reason }) =>
      `RUN has no limit of "${controller}": this machine does not delegate it to this user (${reason})`,
  );
}

/** When the command itself did not fail for it. */
export const KILLED_UNSEEN =
  'RUN succeeded, but the kernel killed a process of it that ran out of memory ("--memory")';

/** Why a RUN that failed did, as far as its limits tell. A sentence without a period, or undefined. */
export function limitHit(
  { exitCode, oomKills = 0, pidsRefused = 0 }: RunReply,
  cgroup: CgroupSpec | undefined,
): string | undefined {
  if (exitCode === 0) return undefined;
  if (oomKills > 0) {
    const limit = cgroup?.memory === undefined ? '' : ` of ${bytesText(cgroup.memory)}`;
    return `it ran out of memory, and the kernel killed it (the limit${limit} is "--memory")`;
  }
  if (pidsRefused > 0) {
    const limit = cgroup?.pids === undefined ? '' : ` of ${cgroup.pids}`;
    return `it ran into the limit${limit} of processes ("--pids-limit")`;
  }
  return undefined;
}

const UNITS = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB'];

/** The largest unit in which it is a whole number: as users give limits. */
function bytesText(bytes: number): string {
  let [value, unit] = [bytes, 0];
  while (value > 0 && value % 1024 === 0 && unit < UNITS.length - 1)
    [value, unit] = [value / 1024, unit + 1];
  return `${value} ${UNITS[unit]}`;
}

/** `5 s`, `1.5 h`: as short as it can be said. */
export function durationText(milliseconds: number): string {
  const units = [
    ['h', 3_600_000],
    ['min', 60_000],
    ['s', 1000],
  ] as const;
  for (const [unit, size] of units) {
    if (milliseconds >= size) return `${Number((milliseconds / size).toFixed(2))} ${unit}`;
  }
  return `${milliseconds} ms`;
}
