/**
 * Which rungs of isolation there are to try on a machine, best first (design.md §7). The helper tries
 * them; why one does not work is told by diagnose.ts.
 */

import { readFile } from 'node:fs/promises';
import type { Refusal } from './diagnose.ts';
import { CAPABILITY, idRanges, readFacts } from './facts.ts';

/** What the rungs depend on; the caller reads it off the process. */
export interface Machine {
  readonly uid: number;
  readonly gid: number;
  readonly user: string;
}

/** `root`: mount namespaces alone. `subids`: all ids in a user namespace. `single`: one id in one. */
export type RungName = 'root' | 'subids' | 'single';

/** What the user asks for: the best that works, or one alone. */
export type Isolation = 'auto' | RungName;

export type Rung = UsableRung | RefusedRung;

export interface UsableRung {
  readonly kind: 'usable';
  readonly mode: RungName;
  /** `inside:outside:count[,…]`. */
  readonly uidMap?: string;
  readonly gidMap?: string;
}

/** One of which it is known without trying that it cannot work. */
export interface RefusedRung extends Refusal {
  readonly kind: 'refused';
  readonly mode: RungName;
}

/** What a RUN is like on each rung, for those who get another than the best. */
export const RUNG_NOTES: Readonly<Record<RungName, string>> = {
  root: 'RUN uses mount namespaces',
  subids: 'RUN uses a user namespace with sub-ids',
  single: 'RUN uses a user namespace with one id: other users and groups are emulated',
};

/** What `single` is like where nobody may answer for the kernel, and why that is. */
export const ALONE_NOTE = 'RUN uses a user namespace with one id: chown and USER to others fail';

/** Why ids cannot be emulated, by what a helper says of it. */
export function emulationRefusal(errno: string | undefined): Refusal | undefined {
  switch (errno) {
    case undefined:
      return undefined;
    case 'EBUSY':
      return {
        reason:
          'ids cannot be emulated: another program answers system calls here (seccomp listener)',
        fix: 'sub-ids for this user, or build outside of what listens (another tsbuild, a container that intercepts system calls)',
      };
    default:
      return {
        reason: `ids cannot be emulated: the kernel refuses seccomp notifications (${errno})`,
        fix: 'sub-ids for this user, or Linux 5.9 with CONFIG_SECCOMP_FILTER',
      };
  }
}

/** The rungs to try, in order; of one that is asked for by name only that. The next is looked for when it is wanted. */
export async function* rungsFor(
  machine: Machine,
  isolation: Isolation = 'auto',
): AsyncGenerator<Rung, void> {
  switch (isolation) {
    case 'root':
      yield await root(machine);
      return;
    case 'subids':
      yield await subids(machine);
      return;
    case 'single':
      yield single(machine);
      return;
    case 'auto':
      if (machine.uid === 0) yield await root(machine);
      yield await subids(machine);
      yield single(machine);
  }
}

/** The best rung that may work, without trying it; undefined when none does. */
export async function likelyRung(
  machine: Machine,
  isolation: Isolation = 'auto',
): Promise<RungName | undefined> {
  for await (const { kind, mode } of rungsFor(machine, isolation)) {
    if (kind === 'usable') return mode;
  }
  return undefined;
}

async function root({ uid, user }: Machine): Promise<Rung> {
  if (uid === 0) return (await alone('root')) ?? { kind: 'usable', mode: 'root' };
  return {
    kind: 'refused',
    mode: 'root',
    reason: `only root can use mount namespaces alone, and this is the user "${user}"`,
    fix: 'build as root (sudo)',
  };
}

/** A root of one id mounts, but can give nothing to others: as in `unshare -Ur`. */
async function alone(mode: RungName): Promise<RefusedRung | undefined> {
  for (const file of ['/proc/self/uid_map', '/proc/self/gid_map'] as const) {
    const ranges = await idRanges(file);
    const count = ranges.reduce((sum, range) => sum + range.count, 0);
    if (count !== 1) continue;
    return {
      kind: 'refused',
      mode,
      reason: `root is the only id here (${file}): files of others cannot be made`,
      fix: 'a user namespace with more ids, as "unshare --map-root-user --map-auto" makes it from sub-ids',
    };
  }
  return undefined;
}

async function subids(machine: Machine): Promise<Rung> {
  return machine.uid === 0
    ? ((await alone('subids')) ?? (await ownIds()))
    : await subordinate(machine);
}

/**
 * A root that may not mount, as in a container without CAP_SYS_ADMIN, still may map every id that the
 * container has into a user namespace, where it may.
 */
async function ownIds(): Promise<Rung> {
  const { bounding } = await readFacts();
  for (const capability of [CAPABILITY.setuid, CAPABILITY.setgid, CAPABILITY.setfcap]) {
    if (((bounding >> capability) & 1n) === 1n) continue;
    return {
      kind: 'refused',
      mode: 'subids',
      reason: 'root may not map ids here: CAP_SETUID, CAP_SETGID or CAP_SETFCAP is missing',
      fix: 'give the container these capabilities, as its runtime does by default',
    };
  }
  const [uidMap, gidMap] = [
    await identity('/proc/self/uid_map'),
    await identity('/proc/self/gid_map'),
  ];
  return { kind: 'usable', mode: 'subids', uidMap, gidMap };
}

async function identity(file: '/proc/self/uid_map' | '/proc/self/gid_map'): Promise<string> {
  const ranges = await idRanges(file);
  return ranges.map(({ start, count }) => `${start}:${start}:${count}`).join(',') || '0:0:1';
}

/** Every id of an image is a sub-id of the user (newuidmap, newgidmap). */
async function subordinate({ uid, gid, user }: Machine): Promise<Rung> {
  const uids = await subordinateIds('/etc/subuid', user, uid);
  const gids = await subordinateIds('/etc/subgid', user, uid);
  const fix = `sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 ${user}`;
  if (uids === undefined || gids === undefined) {
    const file = uids === undefined ? '/etc/subuid' : '/etc/subgid';
    const reason = `no sub-ids: ${file} has no line for "${user}"`;
    return { kind: 'refused', mode: 'subids', reason, fix };
  }
  const missing =
    (await outOfReach(uids, '/proc/self/uid_map')) ??
    (await outOfReach(gids, '/proc/self/gid_map'));
  if (missing !== undefined) {
    return {
      kind: 'refused',
      mode: 'subids',
      reason: `the sub-ids of "${user}" (${missing}) do not exist in this container`,
      fix: 'ranges in /etc/subuid and /etc/subgid within the ids of /proc/self/uid_map',
    };
  }
  return {
    kind: 'usable',
    mode: 'subids',
    uidMap: `0:${uid}:1,1:${uids.start}:${uids.count}`,
    gidMap: `0:${gid}:1,1:${gids.start}:${gids.count}`,
  };
}

interface Range {
  readonly start: number;
  readonly count: number;
}

/** The range as text, when the user namespace that we are in has not all of it. */
async function outOfReach(
  { start, count }: Range,
  file: '/proc/self/uid_map' | '/proc/self/gid_map',
): Promise<string | undefined> {
  const here = await idRanges(file);
  // Ranges side by side count as one; unreadable: let the kernel say.
  const present = here.reduce((sum, range) => {
    const from = Math.max(start, range.start);
    const to = Math.min(start + count, range.start + range.count);
    return sum + Math.max(0, to - from);
  }, 0);
  return here.length === 0 || present === count ? undefined : `${start}-${start + count - 1}`;
}

/** Only root exists inside; the helper emulates other users and groups. */
function single({ uid, gid }: Machine): Rung {
  return { kind: 'usable', mode: 'single', uidMap: `0:${uid}:1`, gidMap: `0:${gid}:1` };
}

/** The first range in /etc/subuid or /etc/subgid for a user (subuid(5)); undefined when there is none. */
async function subordinateIds(file: string, user: string, uid: number): Promise<Range | undefined> {
  // No such file means no sub-ids.
  const text = await readFile(file, 'utf8').catch(() => '');
  for (const line of text.split('\n')) {
    const [owner, start, count] = line.split(':');
    if (owner !== user && owner !== String(uid)) continue;
    const range = { start: Number(start), count: Number(count) };
    if (range.start > 0 && range.count > 0) return range;
  }
  return undefined;
}
