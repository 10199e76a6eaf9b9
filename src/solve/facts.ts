/** What the kernel and the container say about themselves: what a refusal is explained with. */

import { readFile, stat } from 'node:fs/promises';
import { release } from 'node:os';
import { join } from 'node:path';

/** Read when something is to be explained, and not before: a build that works needs none of it. */
export interface Facts {
  /** The kernel's release, e.g. `6.8.0-45-generic`. */
  readonly kernel: string;
  readonly unprivilegedUserns: number | undefined;
  readonly maxUserns: number | undefined;
  readonly apparmorUserns: number | undefined;
  /** The kernel was built with user namespaces. */
  readonly hasUserns: boolean;
  readonly hasOverlay: boolean;
  /** A filter of system calls is in force. */
  readonly hasSeccomp: boolean;
  /** Programs that are setuid get no rights by it. */
  readonly noNewPrivs: boolean;
  /** What programs of this process tree can get at most, by number. */
  readonly bounding: bigint;
  /** The root directory is no root of a mount: user namespaces are refused in a chroot. */
  readonly isChroot: boolean;
  readonly container: 'docker' | 'podman' | 'kubernetes' | undefined;
  /** ID and ID_LIKE of os-release: which package manager there is. */
  readonly systems: readonly string[];
  readonly newuidmap: SetuidTool;
  readonly newgidmap: SetuidTool;
}

export type SetuidTool = { readonly path: string; readonly isSetuid: boolean } | undefined;

/** Numbers of capabilities (linux/capability.h). */
export const CAPABILITY = { setgid: 6n, setuid: 7n, sysAdmin: 21n, setfcap: 31n } as const;

const TOOL_FOLDERS = ['/usr/bin', '/bin', '/usr/local/bin', '/usr/sbin', '/sbin'];

/** Never rejects: what cannot be read is not known. */
export async function readFacts(): Promise<Facts> {
  const [status, filesystems, mounts, system] = await Promise.all(
    ['/proc/self/status', '/proc/filesystems', '/proc/self/mountinfo', '/etc/os-release'].map(text),
  );
  const field = (name: string): string | undefined =>
    new RegExp(`^${name}:\\s*(\\S+)`, 'm').exec(status ?? '')?.[1];
  return {
    kernel: release(),
    unprivilegedUserns: await number('/proc/sys/kernel/unprivileged_userns_clone'),
    maxUserns: await number('/proc/sys/user/max_user_namespaces'),
    apparmorUserns: await number('/proc/sys/kernel/apparmor_restrict_unprivileged_userns'),
    hasUserns: await exists('/proc/self/ns/user'),
    hasOverlay: /\boverlay$/m.test(filesystems ?? 'overlay'),
    hasSeccomp: field('Seccomp') === '2',
    noNewPrivs: field('NoNewPrivs') === '1',
    bounding: BigInt(`0x${field('CapBnd') ?? 'ffffffffffffffff'}`),
    isChroot: mounts !== undefined && !/^\S+ \S+ \S+ \S+ \/ /m.test(mounts),
    container: await container(),
    systems: [...(system ?? '').matchAll(/^ID(?:_LIKE)?="?([^"\n]*)/gm)].flatMap(([, ids = '']) =>
      ids.split(' '),
    ),
    newuidmap: await tool('newuidmap'),
    newgidmap: await tool('newgidmap'),
  };
}

/** `inside outside count` of /proc/self/uid_map: which ids there are here. */
export async function idRanges(
  file: '/proc/self/uid_map' | '/proc/self/gid_map',
): Promise<readonly { readonly start: number; readonly count: number }[]> {
  const lines = ((await text(file)) ?? '').trim().split('\n');
  return lines.flatMap((line) => {
    const [start = NaN, , count = NaN] = line.trim().split(/\s+/).map(Number);
    return count > 0 ? [{ start, count }] : [];
  });
}

async function container(): Promise<Facts['container']> {
  if (await exists('/var/run/secrets/kubernetes.io')) return 'kubernetes';
  if (/kubepods/.test((await text('/proc/self/cgroup')) ?? '')) return 'kubernetes';
  if (await exists('/run/.containerenv')) return 'podman';
  return (await exists('/.dockerenv')) ? 'docker' : undefined;
}

async function tool(name: string): Promise<SetuidTool> {
  for (const folder of TOOL_FOLDERS) {
    const path = join(folder, name);
    const found = await stat(path).catch(() => undefined);
    if (found !== undefined) return { path, isSetuid: (found.mode & 0o4000) !== 0 };
  }
  return undefined;
}

async function number(path: string): Promise<number | undefined> {
  const value = Number((await text(path))?.trim() || NaN);
  return Number.isNaN(value) ? undefined : value;
}

async function text(path: string): Promise<string | undefined> {
  return await readFile(path, 'utf8').catch(() => undefined);
}

async function exists(path: string): Promise<boolean> {
  return (await stat(path).catch(() => undefined)) !== undefined;
}
