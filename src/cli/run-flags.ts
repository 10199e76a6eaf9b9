/** Flags that say what RUN gets: network, names, limits, rights. */

import type { BuildOptions, Resources } from '../index.ts';
import { usage } from './argv.ts';
import { parseDuration, parseFields, parseSize } from './values.ts';

/** As typed. */
export interface RunFlags {
  readonly network?: string;
  readonly dns: readonly string[];
  readonly dnsSearch: readonly string[];
  readonly dnsOption: readonly string[];
  readonly allow: readonly string[];
  readonly device: readonly string[];
  readonly cdiConfigDir: readonly string[];
  readonly shmSize?: string;
  readonly ulimit: readonly string[];
  readonly memory?: string;
  readonly memorySwap?: string;
  readonly cpus?: string;
  readonly cpuShares?: string;
  readonly cpuPeriod?: string;
  readonly cpuQuota?: string;
  readonly cpusetCpus?: string;
  readonly cpusetMems?: string;
  readonly pidsLimit?: string;
  readonly resource: readonly string[];
  readonly cgroupParent?: string;
  readonly timeout?: string;
}

/** As commander declares them, and their help. Those in `RUN_LISTS` may be given several times. */
export const RUN_FLAGS: Readonly<Record<string, string>> = {
  '--network <mode>': 'the network of RUN: host (the default), none or private',
  '--dns <address>': 'what RUN asks for names (default: as this machine)',
  '--dns-search <domain>': 'a domain that RUN searches for names; "." for none',
  '--dns-option <option>': 'an option of /etc/resolv.conf in RUN',
  '--allow <entitlement>':
    'network.host, security.insecure or device[=name] for RUN; buildx.local.delete',
  '--device <device>': 'a device of every RUN: /dev/NAME[:PATH], or a CDI name',
  '--cdi-config-dir <directory>': 'where CDI specs are, besides /etc/cdi and /var/run/cdi',
  '--shm-size <size>': 'the size of /dev/shm in RUN, e.g. 64m',
  '--ulimit <name=soft[:hard]>': 'a limit of the processes of RUN',
  '-m, --memory <size>': 'memory of each RUN, e.g. 2g',
  '--memory-swap <size>': 'memory and swap together; -1: no limit',
  '--cpus <number>': 'processors of each RUN, e.g. 1.5',
  '-c, --cpu-shares <weight>': 'processor time relative to other groups (1024)',
  '--cpu-period <microseconds>': 'the period of --cpu-quota (100000)',
  '--cpu-quota <microseconds>': 'processor time in each period',
  '--cpuset-cpus <list>': 'the processors of RUN, e.g. 0-2,4',
  '--cpuset-mems <list>': 'the memory nodes of RUN',
  '--pids-limit <number>': 'processes and threads of each RUN',
  '--resource <limits>': 'limits in the words of buildx: memory=2g,cpu-shares=512, …',
  '--cgroup-parent <group>': 'the control group in which RUNs get their own',
  '--timeout <duration>': 'the longest that a RUN may take, e.g. 10m',
};

export const RUN_LISTS: readonly string[] = [
  '--dns <address>',
  '--dns-search <domain>',
  '--dns-option <option>',
  '--allow <entitlement>',
  '--device <device>',
  '--cdi-config-dir <directory>',
  '--ulimit <name=soft[:hard]>',
  '--resource <limits>',
];

type RunOptions = Pick<
  BuildOptions,
  | 'network'
  | 'dns'
  | 'dnsSearch'
  | 'dnsOptions'
  | 'allow'
  | 'devices'
  | 'cdiDirectories'
  | 'shmSize'
  | 'ulimits'
  | 'resources'
  | 'cgroupParent'
  | 'timeout'
>;

/** @throws ERR_USAGE */
export function readRunFlags(flags: RunFlags): {
  readonly [K in keyof RunOptions]: RunOptions[K] | undefined;
} {
  const { shmSize, cgroupParent, timeout } = flags;
  const resources = readResources(flags);
  return {
    network: networkOf(flags.network),
    dns: orUndefined(flags.dns),
    dnsSearch: orUndefined(flags.dnsSearch),
    dnsOptions: orUndefined(flags.dnsOption),
    allow: orUndefined(flags.allow.map(entitlementOf)),
    devices: orUndefined(flags.device),
    cdiDirectories: orUndefined(flags.cdiConfigDir),
    shmSize: shmSize === undefined ? undefined : parseSize('--shm-size', shmSize),
    ulimits: flags.ulimit,
    resources: Object.keys(resources).length === 0 ? undefined : resources,
    cgroupParent: cgroupParent || undefined,
    timeout: timeout === undefined ? undefined : parseDuration('--timeout', timeout),
  };
}

function orUndefined(values: readonly string[]): readonly string[] | undefined {
  return values.length === 0 ? undefined : values;
}

/** Buildah's names of programs, and BuildKit's "sandbox", mean a network of one's own. */
function networkOf(mode: string | undefined): BuildOptions['network'] {
  if (mode === undefined || mode === 'default' || mode === 'none' || mode === 'host') return mode;
  if (['private', 'pasta', 'slirp4netns', 'sandbox'].includes(mode)) return 'private';
  throw usage(`Cannot use the network "${mode}"`, 'It is "host", "none" or "private".');
}

const ENTITLEMENT =
  /^(?:network\.host|security\.insecure|device(?:=.*)?|buildx\.local\.delete|ssh|fs(?:\.\w+)?(?:=.*)?)$/;

/** What buildx knows besides is of bake, which reads no Dockerfile's RUN. */
function entitlementOf(name: string): string {
  if (ENTITLEMENT.test(name)) return name;
  throw usage(
    `Cannot allow "${name}"`,
    'It is "network.host", "security.insecure" or "device[=NAME]".',
  );
}

/** The flags of their own win over `--resource`. */
function readResources(flags: RunFlags): Resources {
  const fields = new Map(flags.resource.flatMap((text) => [...parseFields(text)]));
  const given: Readonly<Record<string, string | undefined>> = {
    memory: flags.memory,
    'memory-swap': flags.memorySwap,
    cpus: flags.cpus,
    'cpu-shares': flags.cpuShares,
    'cpu-period': flags.cpuPeriod,
    'cpu-quota': flags.cpuQuota,
    'cpuset-cpus': flags.cpusetCpus,
    'cpuset-mems': flags.cpusetMems,
    'pids-limit': flags.pidsLimit,
  };
  for (const [name, value] of Object.entries(given))
    if (value !== undefined) fields.set(name, value);
  let resources: Resources = {};
  for (const [name, value] of fields) {
    const read = READERS[name];
    if (read === undefined) {
      throw usage(`Cannot use "${name}" as a resource`, 'E.g. "memory=2g" or "cpu-quota=50000".');
    }
    resources = { ...resources, ...read(value, `--${name}`) };
  }
  return resources;
}

type Reader = (value: string, flag: string) => Resources;

const READERS: Readonly<Record<string, Reader>> = {
  memory: (value, flag) => ({ memory: parseSize(flag, value) }),
  'memory-swap': (value, flag) => ({
    memorySwap: value === '-1' ? -1 : parseSize(flag, value),
  }),
  cpus: (value, flag) => ({ cpuQuota: cpusOf(flag, value), cpuPeriod: 100_000 }),
  'cpu-shares': (value, flag) => ({ cpuShares: parseWhole(flag, value) }),
  'cpu-period': (value, flag) => ({ cpuPeriod: parseWhole(flag, value) }),
  'cpu-quota': (value, flag) => ({ cpuQuota: value === '-1' ? -1 : parseWhole(flag, value) }),
  'cpuset-cpus': (value, flag) => ({ cpusetCpus: parseList(flag, value) }),
  'cpuset-mems': (value, flag) => ({ cpusetMems: parseList(flag, value) }),
  'pids-limit': (value, flag) => ({ pids: value === '-1' ? -1 : parseWhole(flag, value) }),
};

function cpusOf(flag: string, text: string): number {
  const cpus = /^\d*\.?\d+$/.test(text) ? Number(text) : 0;
  if (cpus < 0.01) throw usage(`Cannot use "${text}" as the value of "${flag}"`, 'E.g. "1.5".');
  return Math.round(cpus * 100_000);
}

function parseWhole(flag: string, text: string): number {
  if (/^[1-9]\d{0,14}$/.test(text)) return Number(text);
  throw usage(`Cannot use "${text}" as the value of "${flag}": it is a number from 1`);
}

function parseList(flag: string, text: string): string {
  if (/^\d+(?:-\d+)?(?:,\d+(?:-\d+)?)*$/.test(text)) return text;
  throw usage(`Cannot use "${text}" as the value of "${flag}"`, 'E.g. "0-2,4".');
}
