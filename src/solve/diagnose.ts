/** Why the kernel said no, and the one thing to change: never a bare errno (design.md §7). */

import { statfs } from 'node:fs/promises';
import type { TsbuildError } from '../errors.ts';
import { CAPABILITY, type Facts } from './facts.ts';
import { filesystemName } from './filesystem-name.ts';

/** Why something does not work here. */
export interface Refusal {
  /** What is wrong, as half a sentence. */
  readonly reason: string;
  /** A command, or the setting to change; undefined: nobody knows one. */
  readonly fix: string | undefined;
}

export interface Attempt {
  readonly error: TsbuildError;
  readonly mode: 'root' | 'subids' | 'single';
  /** Where the overlay was tried: below the store. */
  readonly scratch: string;
}

/** Explains what the helper failed at while it entered its namespaces. */
export async function diagnose({ error, mode, scratch }: Attempt, facts: Facts): Promise<Refusal> {
  switch (operationOf(error)) {
    case 'ProcMount':
      return {
        reason:
          'a new /proc cannot be mounted, because parts of the present one are masked by the container',
        fix: setting(facts, {
          docker: 'docker run --security-opt systempaths=unconfined',
          podman: 'podman run --security-opt unmask=ALL',
          kubernetes: 'securityContext.procMount: Unmasked, with hostUsers: false',
        }),
      };
    case 'OverlayMount':
      return await diagnoseOverlay({ error, mode, scratch }, facts);
    case 'IdMap':
      return diagnoseIdMap(error, facts);
    case 'UserNamespace':
    case 'MountNamespace':
    case 'PidNamespace':
    case 'User':
      return mode === 'root' ? diagnoseRoot(facts) : diagnoseUserNamespace(error, facts);
    default:
      return { reason: error.message, fix: undefined };
  }
}

function diagnoseRoot(facts: Facts): Refusal {
  if (!has(facts, CAPABILITY.sysAdmin)) {
    return {
      reason: 'root may not create mount namespaces here: CAP_SYS_ADMIN is missing',
      fix: setting(facts, {
        docker: 'docker run --cap-add SYS_ADMIN --security-opt apparmor=unconfined',
        podman: 'podman run --cap-add SYS_ADMIN',
        kubernetes: 'securityContext.privileged: true',
      }),
    };
  }
  return {
    reason: `root may not create namespaces here${facts.hasSeccomp ? ': the seccomp profile forbids it' : ''}`,
    fix: unconfined(facts),
  };
}

function diagnoseUserNamespace(error: TsbuildError, facts: Facts): Refusal {
  const off = (reason: string, fix: string): Refusal => ({
    reason: `user namespaces are forbidden: ${reason}`,
    fix,
  });
  if (!facts.hasUserns) return off('this kernel has none', 'a kernel with CONFIG_USER_NS=y');
  if (facts.maxUserns === 0) {
    return off(
      'user.max_user_namespaces is 0',
      'sudo sysctl -w user.max_user_namespaces=28633  (to keep it: a file in /etc/sysctl.d)',
    );
  }
  if (facts.unprivilegedUserns === 0) {
    return off(
      'kernel.unprivileged_userns_clone is 0',
      'sudo sysctl -w kernel.unprivileged_userns_clone=1  (to keep it: a file in /etc/sysctl.d)',
    );
  }
  // ISO-1: the namespace is there, but gives no rights; it shows one step later.
  if (facts.apparmorUserns === 1) {
    return off(
      'AppArmor gives no rights in them (kernel.apparmor_restrict_unprivileged_userns is 1)',
      'sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0  (to keep it: a file in /etc/sysctl.d)',
    );
  }
  if (errnoOf(error) === 'ENOSPC') {
    return off('there are too many of them', 'sudo sysctl -w user.max_user_namespaces=28633');
  }
  if (facts.isChroot) return off('this is a chroot', 'build outside of the chroot');
  if (facts.hasSeccomp) return off('the seccomp profile forbids unshare', unconfined(facts));
  return off(error.message, unconfined(facts));
}

/** newuidmap and newgidmap: there, setuid, and not held back by what the container takes from setuid. */
function diagnoseIdMap(error: TsbuildError, facts: Facts): Refusal {
  const { newuidmap, newgidmap } = facts;
  if (newuidmap === undefined || newgidmap === undefined) {
    const name = newuidmap === undefined ? 'newuidmap' : 'newgidmap';
    return { reason: `ids cannot be mapped: there is no ${name}`, fix: installUidmap(facts) };
  }
  if (facts.apparmorUserns === 1 && !error.message.includes('newuidmap')) {
    return diagnoseUserNamespace(error, facts);
  }
  if (facts.noNewPrivs) {
    return {
      reason: 'ids cannot be mapped: setuid programs have no effect here (no_new_privs)',
      fix: setting(facts, {
        docker: 'docker run without --security-opt no-new-privileges',
        podman: 'podman run without --security-opt no-new-privileges',
        kubernetes: 'securityContext.allowPrivilegeEscalation: true',
      }),
    };
  }
  if (!has(facts, CAPABILITY.setuid) || !has(facts, CAPABILITY.setgid)) {
    return {
      reason: 'ids cannot be mapped: the container has no CAP_SETUID and CAP_SETGID',
      fix: setting(facts, {
        docker: 'docker run --cap-add SETUID --cap-add SETGID',
        podman: 'podman run --cap-add SETUID --cap-add SETGID',
        kubernetes: 'securityContext.capabilities.add: [SETUID, SETGID]',
      }),
    };
  }
  const bare = [newuidmap, newgidmap].filter(({ isSetuid }) => !isSetuid);
  if (bare.length > 0) {
    const paths = bare.map(({ path }) => path).join(' ');
    return {
      reason: `ids cannot be mapped: ${paths} not setuid root (${error.message})`,
      fix: `sudo chmod u+s ${paths}`,
    };
  }
  return {
    reason: `ids cannot be mapped (${error.message})`,
    fix: 'compare /etc/subuid and /etc/subgid with the ids of /proc/self/uid_map',
  };
}

async function diagnoseOverlay({ error, mode, scratch }: Attempt, facts: Facts): Promise<Refusal> {
  const kind = filesystemName((await statfs(scratch).catch(() => undefined))?.type);
  if (errnoOf(error) === 'ENODEV' || !facts.hasOverlay) {
    return { reason: 'the kernel has no overlay filesystem loaded', fix: 'sudo modprobe overlay' };
  }
  if (kind === 'overlay') {
    return {
      reason: 'the store is itself on overlay, which refuses to carry another one',
      fix: setting(facts, {
        docker: `docker run -v tsbuild:${STORE_PLACE} -e TSBUILD_STORE=${STORE_PLACE}`,
        podman: `podman run -v tsbuild:${STORE_PLACE} -e TSBUILD_STORE=${STORE_PLACE}`,
        kubernetes: `an emptyDir volume at ${STORE_PLACE}, and TSBUILD_STORE=${STORE_PLACE}`,
        none: 'TSBUILD_STORE=DIRECTORY, on a volume that is not overlay',
      }),
    };
  }
  if (mode !== 'root' && isOlder(facts.kernel, 5, 12)) {
    return {
      reason: `Linux ${facts.kernel} has no overlay in user namespaces`,
      fix: 'Linux 5.12 or newer, or build as root',
    };
  }
  return {
    reason: `${error.message}; the store is on ${kind}`,
    fix: 'TSBUILD_STORE=DIRECTORY, on a local disk (ext4, xfs, btrfs, tmpfs)',
  };
}

const STORE_PLACE = '/var/cache/tsbuild';

/** What to change about the container; `none` for a machine that is none, as far as can be seen. */
function setting(
  { container }: Facts,
  settings: Readonly<Record<NonNullable<Facts['container']>, string>> & { readonly none?: string },
): string {
  if (container !== undefined) return settings[container];
  return settings.none ?? `${settings.docker}, or what does that in your container runtime`;
}

function unconfined(facts: Facts): string {
  return setting(facts, {
    docker:
      'docker run --security-opt seccomp=unconfined --security-opt apparmor=unconfined --security-opt systempaths=unconfined',
    podman: 'podman run --security-opt seccomp=unconfined --security-opt unmask=ALL',
    kubernetes: 'securityContext.seccompProfile.type: Unconfined',
  });
}

/** The command that installs newuidmap on this system. */
export function installUidmap({ systems }: Pick<Facts, 'systems'>): string {
  const is = (...names: readonly string[]): boolean => names.some((name) => systems.includes(name));
  if (is('alpine')) return 'apk add shadow-uidmap';
  if (is('fedora', 'rhel', 'centos')) return 'sudo dnf install shadow-utils';
  if (is('arch', 'suse', 'opensuse')) return 'install the package "shadow"';
  return 'sudo apt-get install uidmap';
}

function has({ bounding }: Facts, capability: bigint): boolean {
  return ((bounding >> capability) & 1n) === 1n;
}

function isOlder(kernel: string, major: number, minor: number): boolean {
  const [first = 0, second = 0] = kernel.split(/[.-]/).map(Number);
  return first < major || (first === major && second < minor);
}

/** The helper's step that failed. */
function operationOf({ details }: TsbuildError): string {
  return typeof details === 'object' && 'operation' in details ? details.operation : '';
}

function errnoOf({ cause }: TsbuildError): string | undefined {
  if (typeof cause !== 'object' || cause === null || !('errnoName' in cause)) return undefined;
  return typeof cause.errnoName === 'string' ? cause.errnoName : undefined;
}
