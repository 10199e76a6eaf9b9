/** What every RUN finds mounted in its root filesystem: the kernel's filesystems, /dev, the resolver (EX-4 … EX-8). */

import type { MountOperation } from '../../native/index.ts';
import { TsbuildError } from '../errors.ts';

const MIB = 1024 * 1024;

const DEVICES = ['null', 'zero', 'full', 'random', 'urandom', 'tty'];
const DEV_LINKS = {
  ptmx: 'pts/ptmx',
  fd: '/proc/self/fd',
  stdin: '/proc/self/fd/0',
  stdout: '/proc/self/fd/1',
  stderr: '/proc/self/fd/2',
};

const MASKED = [
  '/proc/acpi',
  '/proc/asound',
  '/proc/kcore',
  '/proc/keys',
  '/proc/latency_stats',
  '/proc/timer_list',
  '/proc/timer_stats',
  '/proc/sched_debug',
  '/proc/scsi',
  '/sys/firmware',
  '/sys/devices/virtual/powercap',
];
const READONLY = ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'];

/** BuildKit's name for the machine that a RUN sees (EX-7). */
export const HOSTNAME = 'buildkitsandbox';

/** Directories and files that must be in the root filesystem for these mounts. */
export const MOUNT_POINTS = {
  directories: ['/proc', '/dev', '/sys'],
  files: ['/etc/resolv.conf', '/etc/hosts'],
} as const;

export interface RootMountOptions {
  /** Bytes; default 64 MiB. */
  readonly shmSize: number | undefined;
  readonly hostname: string;
  readonly resolvConf: string;
  readonly addHosts: readonly string[];
  /** What `host-gateway` means. */
  readonly gateway?: string;
  /** For a RUN with every privilege: nothing is masked, and /sys is writable (6.2). */
  readonly isInsecure?: boolean;
}

/** The mounts below the user's own, in order. */
export function rootMounts(options: RootMountOptions): MountOperation[] {
  return [
    { kind: 'proc', target: '/proc' },
    ...devMounts(options.shmSize ?? 64 * MIB),
    ...(options.isInsecure === true ? insecureDevices() : []),
    ...sysMounts(options),
    textFile('/etc/resolv.conf', options.resolvConf),
    textFile('/etc/hosts', hostsFile(options)),
  ];
}

function sysMounts({ isInsecure = false }: RootMountOptions): MountOperation[] {
  if (!isInsecure) {
    return [
      { kind: 'sysfs', target: '/sys' },
      { kind: 'cgroup', target: '/sys/fs/cgroup' },
    ];
  }
  const source = '/sys';
  return [{ kind: 'bind', source, target: '/sys', readonly: false, recursive: true, flags: [] }];
}

/** Hides what containers do not get to see; goes last, so that no mount uncovers it. */
export function maskMounts(): MountOperation[] {
  return [
    ...MASKED.map((target) => ({ kind: 'mask', target }) as const),
    ...READONLY.map((target) => ({ kind: 'readonly', target }) as const),
  ];
}

/** Those of them that this machine has. */
function insecureDevices(): MountOperation[] {
  const loops = Array.from({ length: 8 }, (_, number) => `loop${number}`);
  const names = ['kmsg', 'cuse', 'fuse', 'kvm', 'loop-control', ...loops];
  return [
    ...names.map((name) => ({ kind: 'device', name, target: `/dev/${name}` }) as const),
    { kind: 'directory', target: '/dev/net', mode: 0o755 },
    { kind: 'device', name: 'net/tun', target: '/dev/net/tun' },
  ];
}

function devMounts(shmSize: number): MountOperation[] {
  const flags = ['nosuid', 'nodev', 'noexec'] as const;
  return [
    {
      kind: 'tmpfs',
      target: '/dev',
      mode: 0o755,
      size: 64 * MIB,
      readonly: false,
      flags: ['nosuid'],
    },
    ...DEVICES.map((name) => ({ kind: 'device', name, target: `/dev/${name}` }) as const),
    ...Object.entries(DEV_LINKS).map(
      ([name, to]) => ({ kind: 'symlink', target: `/dev/${name}`, to }) as const,
    ),
    ...['pts', 'shm', 'mqueue'].map(
      (name) => ({ kind: 'directory', target: `/dev/${name}`, mode: 0o755 }) as const,
    ),
    { kind: 'devpts', target: '/dev/pts' },
    { kind: 'tmpfs', target: '/dev/shm', mode: 0o1777, size: shmSize, readonly: false, flags },
    { kind: 'mqueue', target: '/dev/mqueue' },
  ];
}

/** A read-only file that is in the sandbox alone, never in the layer (EX-6). */
export function textFile(target: string, text: string, mode = 0o644): MountOperation {
  return {
    kind: 'file',
    target,
    content: Buffer.from(text, 'utf8').toString('base64'),
    mode,
    uid: 0,
    gid: 0,
    readonly: true,
    flags: [],
  };
}

function hostsFile({ hostname, addHosts, gateway }: RootMountOptions): string {
  const lines = [
    `127.0.0.1\tlocalhost ${hostname}`,
    '::1\tlocalhost ip6-localhost ip6-loopback',
    ...addHosts.map((host) => {
      const { name, address } = parseHost(host, gateway);
      return `${address}\t${name}`;
    }),
  ];
  return `${lines.join('\n')}\n`;
}

/** `name:address` or `name=address`; the address may be IPv6, in brackets or not. @throws ERR_USAGE */
export function parseHost(
  host: string,
  gateway = '127.0.0.1',
): { readonly name: string; readonly address: string } {
  const [, name, address] = /^([^:=\s]+)[:=](\S+)$/.exec(host) ?? [];
  if (name === undefined || address === undefined) {
    throw new TsbuildError('ERR_USAGE', {
      message: `Cannot add the host "${host}"`,
      details: undefined,
      hint: 'A host is name:address, for example db:192.0.2.7 or db=2001:db8::7.',
    });
  }
  if (address === 'host-gateway') return { name, address: gateway };
  return { name, address: address.replace(/^\[(.*)\]$/, '$1') };
}
