/** Arguments from before the first stage: platforms, `--build-arg`, ARGs above the first FROM (1.5). */

import { type Dockerfile, expandWord } from '../../parser/index.ts';
import { locate } from '../errors.ts';
import { formatAll, formatPlatform, type Platform } from '../oci/platform.ts';
import { isEpochName, sourceDateEpochOf } from './epoch.ts';
import { type EpochPlace, epochPlaceOf } from './epoch-place.ts';
import { locationOf } from './failures.ts';
import type { BaseImage, PlanOptions } from './options.ts';

export interface GlobalArgs {
  /** What `--build-arg` says, SOURCE_DATE_EPOCH in seconds or gone. */
  readonly buildArgs: ReadonlyMap<string, string>;
  /** What FROM can use, and what a stage gets by `ARG NAME` (VAR-8, ARG-2). */
  readonly values: ReadonlyMap<string, string>;
  /** `NAME=value` of the predefined proxy arguments that were given (ARG-7). */
  readonly proxyEnv: readonly string[];
  /** What RUNs see as the name of their machine; undefined: the usual one (ARG-8). */
  readonly hostname: string | undefined;
  readonly sourceDateEpoch: number | undefined;
}

/** Evaluates the ARGs above the first FROM. @throws ERR_VARIABLE, ERR_USAGE */
export function globalArgsOf<Image extends BaseImage>(
  dockerfile: Dockerfile,
  options: PlanOptions<Image>,
): GlobalArgs {
  const { buildArgs, values } = givenArgs(dockerfile, options);
  const place = placeOf(dockerfile, { buildArgs, values, options });
  const { contextEpoch, namedEpoch } = options;
  const sourceDateEpoch = settleEpoch(buildArgs, values, (text) =>
    place === undefined ? sourceDateEpochOf(text, contextEpoch) : namedEpoch,
  );
  return {
    buildArgs,
    values,
    proxyEnv: proxyEnvOf(buildArgs),
    hostname: buildArgs.get('BUILDKIT_SANDBOX_HOSTNAME') || undefined,
    sourceDateEpoch,
  };
}

/** What SOURCE_DATE_EPOCH means by a name; undefined when it is none. @throws ERR_VARIABLE, ERR_GIT_INVALID */
export function epochPlaceIn<Image extends BaseImage>(
  dockerfile: Dockerfile,
  options: PlanOptions<Image>,
): EpochPlace | undefined {
  return placeOf(dockerfile, { ...givenArgs(dockerfile, options), options });
}

interface GivenArgs {
  readonly buildArgs: Map<string, string>;
  readonly values: Map<string, string>;
}

function givenArgs<Image extends BaseImage>(
  dockerfile: Dockerfile,
  options: PlanOptions<Image>,
): GivenArgs {
  const buildArgs = new Map(Object.entries(options.buildArgs));
  const values = platformArgs(options, targetName(dockerfile, options.target));
  for (const [name, value] of buildArgs) if (values.has(name)) values.set(name, value);
  for (const instruction of dockerfile.instructions) {
    if (instruction.kind !== 'arg') break;
    for (const { name, default: written } of instruction.args) {
      try {
        const value = buildArgs.get(name) ?? expanded(written, values, dockerfile.escape);
        if (value !== undefined) values.set(name, value);
      } catch (error) {
        throw locate(error, locationOf(dockerfile, instruction.range));
      }
    }
  }
  return { buildArgs, values };
}

function placeOf<Image extends BaseImage>(
  dockerfile: Dockerfile,
  { buildArgs, values, options }: GivenArgs & { readonly options: PlanOptions<Image> },
): EpochPlace | undefined {
  const text = epochTextOf(buildArgs, values) ?? '';
  if (!isEpochName(text)) return undefined;
  const files = [...options.namedContexts].filter(([, { kind }]) => kind === 'directory');
  const contexts = new Set(files.map(([name]) => name.toLowerCase()));
  return epochPlaceOf(text, dockerfile, contexts);
}

/** The names of `--build-arg` that nothing declares and nothing predefines (ARG-4). */
export function unusedBuildArgs(args: GlobalArgs, declared: ReadonlySet<string>): string[] {
  const isPredefined = (name: string): boolean =>
    PLATFORM_ARG.test(name) ||
    name.startsWith('BUILDKIT_') ||
    name === EPOCH ||
    PROXIES.includes(name.toUpperCase());
  return [...args.buildArgs.keys()].filter((name) => !declared.has(name) && !isPredefined(name));
}

const EPOCH = 'SOURCE_DATE_EPOCH';
const PROXIES = ['HTTP_PROXY', 'HTTPS_PROXY', 'FTP_PROXY', 'NO_PROXY', 'ALL_PROXY'];
const PLATFORM_ARG = /^(BUILD|TARGET)(PLATFORM|OS|OSVERSION|ARCH|VARIANT)$|^TARGETSTAGE$/;

function targetName(dockerfile: Dockerfile, target: string | undefined): string {
  if (target !== undefined && target !== '') return target;
  const last = dockerfile.instructions.findLast(({ kind }) => kind === 'from');
  return (last?.kind === 'from' && last.name?.toLowerCase()) || 'default';
}

function platformArgs(
  options: { readonly platform: Platform; readonly buildPlatform: Platform },
  target: string,
): Map<string, string> {
  const { platform, buildPlatform } = options;
  return new Map([
    ['BUILDPLATFORM', formatPlatform(buildPlatform)],
    ['BUILDOS', buildPlatform.os],
    ['BUILDOSVERSION', buildPlatform['os.version'] ?? ''],
    ['BUILDARCH', buildPlatform.architecture],
    ['BUILDVARIANT', buildPlatform.variant ?? ''],
    ['TARGETPLATFORM', formatAll(platform)],
    ['TARGETOS', platform.os],
    ['TARGETOSVERSION', platform['os.version'] ?? ''],
    ['TARGETARCH', platform.architecture],
    ['TARGETVARIANT', platform.variant ?? ''],
    ['TARGETSTAGE', target],
  ]);
}

function expanded(
  written: string | undefined,
  values: ReadonlyMap<string, string>,
  escape: Dockerfile['escape'],
): string | undefined {
  if (written === undefined) return undefined;
  return expandWord(written, (name) => values.get(name), { escape });
}

/** Puts the seconds, or nothing, in the place of `context` and the like, as BuildKit does (ARG-9). */
function settleEpoch(
  buildArgs: Map<string, string>,
  values: Map<string, string>,
  secondsOf: (text: string) => number | undefined,
): number | undefined {
  const text = epochTextOf(buildArgs, values);
  if (text === undefined) return undefined;
  const seconds = secondsOf(text);
  for (const map of [buildArgs, values]) {
    if (!map.has(EPOCH)) continue;
    if (seconds === undefined) map.delete(EPOCH);
    else map.set(EPOCH, String(seconds));
  }
  return seconds;
}

/** An empty default asks for nothing, unlike an empty --build-arg. */
function epochTextOf(
  buildArgs: ReadonlyMap<string, string>,
  values: ReadonlyMap<string, string>,
): string | undefined {
  return buildArgs.get(EPOCH) ?? (values.get(EPOCH) || undefined);
}

/** Both spellings of each proxy, with one value: programs look at one or the other. The last in order of spelling wins. */
function proxyEnvOf(buildArgs: ReadonlyMap<string, string>): string[] {
  const given = [...buildArgs.keys()].sort();
  return PROXIES.flatMap((upper) => {
    const name = given.findLast((each) => each.toUpperCase() === upper);
    const value = name === undefined ? '' : buildArgs.get(name);
    return value ? [`${upper}=${value}`, `${upper.toLowerCase()}=${value}`] : [];
  });
}
