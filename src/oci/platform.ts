/** Platforms: `os[/architecture[/variant]]`, normalised as containerd does (MP-2). */

import { TsbuildError } from '../errors.ts';

export interface Platform {
  readonly os: string;
  readonly architecture: string;
  readonly variant?: string;
  readonly 'os.version'?: string;
}

const ARCHITECTURES: Readonly<Record<string, readonly [string, string?]>> = {
  x86_64: ['amd64'],
  'x86-64': ['amd64'],
  aarch64: ['arm64'],
  armhf: ['arm', 'v7'],
  armel: ['arm', 'v6'],
  i386: ['386'],
};

/** Node's names of the machine's architecture in Go's words. */
const NODE_ARCHITECTURES: Readonly<Record<string, readonly [string, string?]>> = {
  x64: ['amd64'],
  arm64: ['arm64'],
  arm: ['arm', 'v7'],
  ia32: ['386'],
  ppc64: ['ppc64le'],
};

const PLATFORM = /^([a-z0-9_.-]+)(?:\(([^)]*)\))?(?:\/([a-z0-9_.-]+))?(?:\/([a-z0-9_.-]+))?$/i;

/** The platform of a machine, from Node's `process.arch`; the images we build are Linux's. */
export function hostPlatform(arch: string): Platform {
  const [architecture, variant] = NODE_ARCHITECTURES[arch] ?? [arch];
  return { os: 'linux', architecture, ...(variant !== undefined && { variant }) };
}

/** Text to Platform; `local` is the machine's. @throws ERR_PLATFORM_INVALID */
export function parsePlatform(text: string, host: Platform): Platform {
  if (text === 'local') return host;
  const match = PLATFORM.exec(text);
  if (!match?.[1]) {
    throw new TsbuildError('ERR_PLATFORM_INVALID', {
      message: `Cannot use "${text}" as a platform`,
      details: { platform: text },
      hint: 'A platform is os/architecture[/variant], for example "linux/amd64" or "linux/arm/v7".',
    });
  }
  const [, first, version, second, third] = match;
  // One word alone is an operating system or an architecture (containerd's platforms.Parse).
  const alone = second === undefined && !['linux', 'windows', 'darwin', 'freebsd'].includes(first);
  const os = alone ? host.os : first.toLowerCase();
  const architecture = alone ? first : (second ?? host.architecture);
  const normal = normalizeArchitecture(architecture.toLowerCase(), third?.toLowerCase());
  return {
    os: os === 'macos' ? 'darwin' : os,
    ...normal,
    ...(version && { 'os.version': version }),
  };
}

function normalizeArchitecture(
  architecture: string,
  variant: string | undefined,
): { architecture: string; variant?: string } {
  const [name, implied] = ARCHITECTURES[architecture] ?? [architecture];
  const numbered = (variant ?? implied)?.replace(/^(\d)/, 'v$1');
  if (name === 'amd64' && numbered === 'v1') return { architecture: name };
  if (name === 'arm64' && (numbered === 'v8' || numbered === 'v8.0')) return { architecture: name };
  if (name === 'arm' && numbered === undefined) return { architecture: name, variant: 'v7' };
  return { architecture: name, ...(numbered !== undefined && { variant: numbered }) };
}

/** `linux/amd64`, `linux/arm/v7`. */
export function formatPlatform(platform: Platform): string {
  const { os, architecture, variant } = platform;
  return variant === undefined ? `${os}/${architecture}` : `${os}/${architecture}/${variant}`;
}

/** How well an image's platform serves the wanted one: 0 not at all, more is better (MP-3). */
export function matchPlatform(wanted: Platform, offered: Platform): number {
  if (wanted.os !== offered.os || wanted.architecture !== offered.architecture) return 0;
  if (wanted.variant === offered.variant) return 100;
  const rank = variantRank(offered);
  return rank <= variantRank(wanted) ? 1 + rank : 0;
}

function variantRank(platform: Platform): number {
  if (platform.variant !== undefined) return Number.parseInt(platform.variant.slice(1), 10) || 0;
  return { arm64: 8, arm: 7, amd64: 1 }[platform.architecture] ?? 0;
}
