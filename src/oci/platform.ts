/** Platforms: `os[/architecture[/variant]]`, normalised as containerd does (MP-2). */

import { TsbuildError } from '../errors.ts';

export interface Platform {
  readonly os: string;
  readonly architecture: string;
  readonly variant?: string;
  readonly 'os.version'?: string;
  /** Only in documents: nobody asks for it. */
  readonly 'os.features'?: readonly string[];
}

/** Node's names of the machine's architecture in Go's words. */
const NODE_ARCHITECTURES: Readonly<Record<string, readonly [string, string?]>> = {
  x64: ['amd64'],
  arm64: ['arm64'],
  arm: ['arm', 'v7'],
  ia32: ['386'],
  ppc64: ['ppc64le'],
};

const PART = '[a-z0-9_.-]+';
const PLATFORM = new RegExp(
  `^([a-z0-9_-]+)(?:\\(([a-z0-9_.-]*)\\))?(?:/(${PART})(?:/(${PART}))?)?$`,
  'i',
);

/** Go's names, which containerd tells systems from architectures by. */
const SYSTEMS = new Set(
  'aix android darwin dragonfly freebsd hurd illumos ios js linux nacl netbsd openbsd plan9 solaris windows zos'.split(
    ' ',
  ),
);
const ARCHITECTURES = new Set(
  '386 amd64 amd64p32 arm armbe arm64 arm64be ppc64 ppc64le loong64 mips mipsle mips64 mips64le mips64p32 mips64p32le ppc riscv riscv64 s390 s390x sparc sparc64 wasm'.split(
    ' ',
  ),
);

/** The platform of a machine, from Node's `process.arch`; the images we build are Linux's. */
export function hostPlatform(arch: string): Platform {
  const [architecture, variant] = NODE_ARCHITECTURES[arch] ?? [arch];
  return { os: 'linux', architecture, ...(variant !== undefined && { variant }) };
}

/** Text to Platform, in its normal form; `local` is the machine's. @throws ERR_PLATFORM_INVALID */
export function parsePlatform(text: string, host: Platform): Platform {
  if (text.toLowerCase() === 'local') return host;
  const [, first = '', version, architecture, variant] = PLATFORM.exec(text) ?? [];
  if (first === '') throw invalid(text);
  const named = version ? { 'os.version': version } : {};
  if (architecture !== undefined) {
    const given = variant === undefined ? { architecture } : { architecture, variant };
    return normalizePlatform({ os: first, ...given, ...named });
  }
  // One word alone is a system or an architecture; the other is the machine's.
  const system = normalizePlatform({ ...host, os: first, ...named });
  if (SYSTEMS.has(system.os)) return system;
  const machine = normalizePlatform({ os: host.os, architecture: first });
  if (version === undefined && ARCHITECTURES.has(machine.architecture)) return machine;
  throw invalid(text);
}

/** The platforms of `--platform`: with commas, repeated, or both; each once, in the order given (MP-1). */
export function parsePlatforms(texts: readonly string[], host: Platform): readonly Platform[] {
  const given = texts
    .flatMap((text) => text.split(','))
    .map((text) => text.trim())
    .filter((text) => text !== '')
    .map((text) => parsePlatform(text, host));
  return [...new Map(given.map((platform) => [formatAll(platform), platform])).values()];
}

/** The one spelling of each platform: `x86_64` is `amd64`, `arm` is `arm/v7` (MP-2). */
export function normalizePlatform(platform: Platform): Platform {
  const { os, 'os.version': version } = platform;
  const [architecture, variant] = normalNames(
    platform.architecture.toLowerCase(),
    platform.variant?.toLowerCase().replace(/^(?=\d)/, 'v'),
  );
  return {
    os: os.toLowerCase().replace(/^macos$/, 'darwin'),
    architecture,
    ...(variant && { variant }),
    ...(version && { 'os.version': version }),
  };
}

function normalNames(
  architecture: string,
  variant: string | undefined,
): readonly [architecture: string, variant?: string | undefined] {
  switch (architecture) {
    case 'i386':
      return ['386'];
    case 'x86_64':
    case 'x86-64':
    case 'amd64':
      return ['amd64', variant === 'v1' ? undefined : variant];
    case 'aarch64':
    case 'arm64':
      if (variant === 'v8' || variant === 'v8.0') return ['arm64'];
      return ['arm64', variant === 'v9.0' ? 'v9' : variant];
    case 'armhf':
      return ['arm', 'v7'];
    case 'armel':
      return ['arm', 'v6'];
    case 'arm':
      return ['arm', variant || 'v7'];
    default:
      return [architecture, variant];
  }
}

/** `linux/amd64`, `linux/arm/v7`. */
export function formatPlatform(platform: Platform): string {
  const { os, architecture, variant } = platform;
  return variant === undefined ? `${os}/${architecture}` : `${os}/${architecture}/${variant}`;
}

/** With the version of the system, if there is one: `windows(10.0.17763)/amd64` (ARG-5). */
export function formatAll(platform: Platform): string {
  const version = platform['os.version'];
  return formatPlatform(
    version === undefined ? platform : { ...platform, os: `${platform.os}(${version})` },
  );
}

/** How well an image's platform serves the wanted one: 0 not at all, more is better (MP-3). */
export function matchPlatform(wanted: Platform, offered: Platform): number {
  const [want, offer] = [normalizePlatform(wanted), normalizePlatform(offered)];
  if (want.os !== offer.os) return 0;
  const served = servedBy(want);
  const place = served.indexOf(nameOf(offer));
  return place < 0 ? 0 : served.length - place;
}

function nameOf({ architecture, variant = '' }: Omit<Platform, 'os'>): string {
  return variant === '' ? architecture : `${architecture}/${variant}`;
}

/** What a machine can run, best first: itself, older versions, then its 32-bit sibling. */
function servedBy(platform: Platform): readonly string[] {
  const { architecture } = platform;
  const { variant = { arm64: 'v8', amd64: 'v1' }[architecture] ?? '' } = platform;
  const [, major = 0, minor = 0] = (/^v(\d+)(?:\.(\d))?$/.exec(variant) ?? []).map(Number);
  const below = (from: number, last: number, name: string): string[] =>
    Array.from({ length: Math.max(0, from - last) }, (_, i) => `${name}${from - 1 - i}`);
  switch (architecture) {
    case 'amd64':
      // The first version is the one without a name.
      return [nameOf(platform), ...below(major, 2, 'amd64/v'), 'amd64', '386'];
    case 'arm':
      return [nameOf(platform), ...below(major, 5, 'arm/v')];
    case 'arm64': {
      const newer =
        major === 9 ? [...below(minor, 1, 'arm64/v9.'), 'arm64/v9', `arm64/v8.${minor + 5}`] : [];
      const older = below(major === 9 ? minor + 5 : minor, 1, 'arm64/v8.');
      return [nameOf(platform), ...newer, ...older, 'arm64', ...below(9, 5, 'arm/v')];
    }
    default:
      return [nameOf(platform)];
  }
}

function invalid(text: string): TsbuildError<'ERR_PLATFORM_INVALID'> {
  return new TsbuildError('ERR_PLATFORM_INVALID', {
    message: `Cannot use "${text}" as a platform`,
    details: { platform: text },
    hint: 'A platform is os/architecture[/variant], for example "linux/amd64" or "linux/arm/v7".',
  });
}
