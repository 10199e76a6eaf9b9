/** Platforms as FROM writes them (MP-1). */

export interface WrittenPlatform {
  readonly os: string;
  /** Undefined when only a system is written: then it is the machine's. */
  readonly architecture: string | undefined;
}

/** What `linux/arm64`, `arm64` or `linux` say, by their usual names; undefined for what is no platform. */
export function readPlatform(text: string): WrittenPlatform | undefined {
  const parts = text.toLowerCase().split('/');
  if (parts.length > 3 || !parts.every((part) => /^[a-z0-9_.()-]+$/.test(part))) return undefined;
  const [first = '', second] = parts;
  const isAlone = second === undefined && !SYSTEMS.includes(first);
  const os = isAlone ? 'linux' : first.replace(/\(.*\)$/, '');
  const written = isAlone ? first : second;
  const architecture = written === undefined ? undefined : (ARCHITECTURES[written] ?? written);
  return { os, architecture };
}

const ARCHITECTURES: Readonly<Record<string, string>> = {
  x86_64: 'amd64',
  'x86-64': 'amd64',
  aarch64: 'arm64',
  armhf: 'arm',
  armel: 'arm',
  i386: '386',
};
const SYSTEMS = ['linux', 'windows', 'darwin', 'freebsd'];
