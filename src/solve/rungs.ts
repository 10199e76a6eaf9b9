/**
 * Which rungs of isolation a machine offers, best first, and why a rung is not there (design.md §7).
 *
 * The helper tries; this file only knows what to ask for and how to say what was refused: a sentence
 * with the setting to change, never a bare errno.
 */

import { readFile } from 'node:fs/promises';
import type { TsbuildError } from '../errors.ts';

/** What the rungs depend on; the caller reads it off the process. */
export interface Machine {
  readonly uid: number;
  readonly gid: number;
  readonly user: string;
}

export type Rung = UsableRung | { readonly kind: 'refused'; readonly reason: string };

export interface UsableRung {
  readonly kind: 'usable';
  readonly mode: 'root' | 'subids' | 'single';
  /** `inside:outside:count[,…]`. */
  readonly uidMap?: string;
  readonly gidMap?: string;
  /** What to tell the user when this rung is taken instead of a higher one. */
  readonly notice: string;
  /** Why it did not work, from the helper's error. */
  readonly explain: (error: TsbuildError) => string;
}

/** The rungs to try, in order. */
export async function rungsFor(machine: Machine): Promise<readonly Rung[]> {
  const root: Rung = {
    kind: 'usable',
    mode: 'root',
    notice: 'RUN uses mount namespaces',
    explain: explainRoot,
  };
  if (machine.uid === 0) return [root, single(machine)];
  return [await subids(machine), single(machine)];
}

/** Every id of an image is a sub-id of the user (newuidmap, newgidmap). */
async function subids({ uid, gid, user }: Machine): Promise<Rung> {
  const uids = await subordinateIds('/etc/subuid', user, uid);
  const gids = await subordinateIds('/etc/subgid', user, uid);
  if (uids === undefined || gids === undefined) {
    const file = uids === undefined ? '/etc/subuid' : '/etc/subgid';
    return {
      kind: 'refused',
      reason: `no sub-ids: ${file} has no line for "${user}" (add one with usermod --add-subuids 100000-165535 --add-subgids 100000-165535 ${user})`,
    };
  }
  return {
    kind: 'usable',
    mode: 'subids',
    uidMap: `0:${uid}:1,1:${uids.start}:${uids.count}`,
    gidMap: `0:${gid}:1,1:${gids.start}:${gids.count}`,
    notice: 'RUN uses a user namespace with sub-ids',
    explain: explainUserNamespace,
  };
}

/** Only root exists inside; the owners of files are kept in the layers' indexes. */
function single({ uid, gid }: Machine): Rung {
  return {
    kind: 'usable',
    mode: 'single',
    uidMap: `0:${uid}:1`,
    gidMap: `0:${gid}:1`,
    notice: 'RUN uses a user namespace with one id: commands cannot change owners or users',
    explain: explainUserNamespace,
  };
}

/** The first range in /etc/subuid or /etc/subgid for a user (subuid(5)); undefined when there is none. */
async function subordinateIds(
  file: string,
  user: string,
  uid: number,
): Promise<{ readonly start: number; readonly count: number } | undefined> {
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

function explainRoot(error: TsbuildError): string {
  switch (operationOf(error)) {
    case 'MountNamespace':
    case 'PidNamespace':
      return 'root may not create namespaces here: give the container CAP_SYS_ADMIN and a seccomp profile that allows unshare and mount';
    case 'OverlayMount':
      return `${error.message}: ${STORE_ADVICE}`;
    default:
      return error.message;
  }
}

function explainUserNamespace(error: TsbuildError): string {
  switch (operationOf(error)) {
    case 'UserNamespace':
      return 'user namespaces are forbidden: set sysctl kernel.unprivileged_userns_clone=1, user.max_user_namespaces above 0 and kernel.apparmor_restrict_unprivileged_userns=0, or run in a container whose seccomp profile allows unshare';
    case 'IdMap':
      return `ids cannot be mapped: install the package "uidmap", whose newuidmap and newgidmap must be setuid root (${error.message})`;
    case 'ProcMount':
      return 'a new /proc cannot be mounted, because parts of the present one are masked: run the container with systempaths=unconfined (Docker) or procMount: Unmasked (Kubernetes)';
    case 'OverlayMount':
      return `${error.message}: it needs Linux 5.12, and ${STORE_ADVICE}`;
    default:
      return error.message;
  }
}

/** Overlay refuses to write into another overlay, which is what a container's own files are on. */
const STORE_ADVICE = 'the store must not itself be on overlay: put it on a volume (TSBUILD_STORE)';

/** The helper's step that failed. */
function operationOf({ details }: TsbuildError): string {
  return typeof details === 'object' && 'operation' in details ? details.operation : '';
}
