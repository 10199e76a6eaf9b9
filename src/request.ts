/** What building and checking have in common: options read, a session opened, the Dockerfile planned. */

import { homedir, userInfo } from 'node:os';
import { join } from 'node:path';
import type { Dockerfile } from '../parser/index.ts';
import { type NamedContextValue, parseNamedContext } from './context/named-context.ts';
import { type AttestRequest, isAttested, readAttestations } from './attest/requests.ts';
import { TsbuildError } from './errors.ts';
import type { ImageForm, OutputSpec } from './export/index.ts';
import { hostPlatform, parsePlatforms, type Platform } from './oci/platform.ts';
import type { Reference } from './oci/reference.ts';
import type { BuildOptions } from './options.ts';
import { readOutputs } from './outputs.ts';
import type { NamedContext, PlanOptions } from './plan/options.ts';
import { planBuild } from './plan/plan.ts';
import type { BuildPlan } from './plan/step.ts';
import type { Progress } from './progress/progress.ts';
import { CDI_DIRECTORIES, Devices } from './solve/devices.ts';
import { parseHostDevice } from './solve/host-device.ts';
import { type ImagesOptions, openLayoutImage, pullImage } from './solve/images.ts';
import type { BaseImage } from './solve/layer.ts';
import type { Machine } from './solve/rungs.ts';
import { openSession, type Session } from './solve/session.ts';

/** Everything of the options that can be wrong without looking at a file. */
export interface Request {
  readonly host: Platform;
  /** What to build for, in the order asked for, each once; never none (MP-1). */
  readonly platforms: readonly Platform[];
  /** The first of them: a check is about that one. */
  readonly platform: Platform;
  /** The result is an index. */
  readonly isIndex: boolean;
  readonly machine: Machine;
  readonly outputs: readonly OutputSpec[];
  /** Of the image that the answer is about: what the first output that is one wants. */
  readonly form: ImageForm;
  readonly names: readonly Reference[];
  /** What is said about the images besides. */
  readonly attest: AttestRequest;
  readonly devices: Devices;
  readonly contexts: ReadonlyMap<string, NamedContextValue>;
}

/** @throws ERR_USAGE, ERR_PLATFORM_INVALID, ERR_REFERENCE_INVALID, ERR_UNSUPPORTED */
export function readRequest(options: BuildOptions): Request {
  const host = hostPlatform(process.arch);
  for (const text of options.devices ?? []) if (text.startsWith('/')) parseHostDevice(text);
  const platforms = platformsOf(options, host);
  const attest = readAttestations(options, platforms);
  return {
    host,
    ...platforms,
    machine: thisMachine(),
    attest,
    ...readOutputs(options, { ...platforms, isAttested: isAttested(attest) }),
    devices: new Devices([...CDI_DIRECTORIES, ...(options.cdiDirectories ?? [])]),
    contexts: new Map(
      Object.entries(options.buildContexts ?? {}).map(([name, value]) => [
        name,
        parseNamedContext(name, value),
      ]),
    ),
  };
}

/** MP-1: the machine's unless some are asked for; several are an index, one is if a build argument says so. */
function platformsOf(
  { platform: text, buildArgs }: BuildOptions,
  host: Platform,
): Pick<Request, 'platforms' | 'platform' | 'isIndex'> {
  const asked = parsePlatforms(text === undefined ? [] : [text], host);
  const [platform = host] = asked;
  const platforms = asked.length === 0 ? [host] : asked;
  const isIndex = isMultiPlatform(buildArgs?.['BUILDKIT_MULTI_PLATFORM']) ?? platforms.length > 1;
  if (isIndex || platforms.length === 1) return { platforms, platform, isIndex };
  throw new TsbuildError('ERR_USAGE', {
    message: 'Cannot build for several platforms: BUILDKIT_MULTI_PLATFORM says that there is one',
    details: undefined,
    hint: 'Leave that build argument out, or name one platform.',
  });
}

function isMultiPlatform(text = ''): boolean | undefined {
  if (text === '') return undefined;
  if (/^(?:1|t|true)$/i.test(text)) return true;
  if (/^(?:0|f|false)$/i.test(text)) return false;
  throw new TsbuildError('ERR_USAGE', {
    message: `Cannot use "${text}" for BUILDKIT_MULTI_PLATFORM`,
    details: undefined,
    hint: 'It is true or false.',
  });
}

/** Opens the session that the options ask for. @throws ERR_STORE_UNUSABLE */
export async function openRequestSession(
  options: Omit<BuildOptions, 'context'>,
  work: {
    readonly request: Pick<Request, 'machine'>;
    readonly attempts?: number | undefined;
    readonly progress: Progress;
    readonly signal: AbortSignal;
  },
): Promise<Session> {
  return await openSession({
    store: options.store ?? defaultStore(),
    helper: options.helper,
    dockerConfig: options.dockerConfig,
    environment: options.environment,
    insecureRegistries: options.insecureRegistries,
    machine: work.request.machine,
    isolation: options.isolation,
    concurrency: options.concurrency,
    ssh: options.ssh ?? {},
    attempts: work.attempts,
    progress: work.progress,
    signal: work.signal,
  });
}

/** A Dockerfile's options, and where its images come from. */
export interface PlanRequest {
  readonly options: BuildOptions;
  readonly request: Request;
  readonly session: Session;
  /** Of the context, if it has a time of its own (ARG-9). */
  readonly contextEpoch: number | undefined;
  /** Of what SOURCE_DATE_EPOCH names. */
  readonly namedEpoch?: number | undefined;
  /** How to look at images of registries. */
  readonly pull?: PullImage;
  readonly signal: AbortSignal;
}

/** As `pullImage()`. */
export type PullImage = (
  reference: string,
  platform: Platform,
  options: ImagesOptions,
) => Promise<BaseImage>;

/** Plans what the options ask for. @throws what `planBuild()` throws */
export async function planRequest(
  dockerfile: Dockerfile,
  request: PlanRequest,
): Promise<BuildPlan<BaseImage>> {
  const { devices } = request.request;
  return await planBuild(dockerfile, { ...planOptionsOf(request), devices });
}

/** What the options mean to a plan. */
export function planOptionsOf({
  options,
  request,
  session,
  contextEpoch,
  namedEpoch,
  pull = pullImage,
  signal,
}: PlanRequest): PlanOptions<BaseImage> {
  const { store, client } = session;
  const resolveImage = (reference: string, platform: Platform): Promise<BaseImage> =>
    pull(reference, platform, { store, client, signal });
  return {
    target: options.target,
    buildArgs: options.buildArgs ?? {},
    platform: request.platform,
    isPlatformImplicit: !options.platform,
    isOneOfSeveral: request.isIndex,
    buildPlatform: request.host,
    noCache: options.noCache,
    noCacheFilter: options.noCacheFilter,
    network: options.network ?? 'default',
    allow: new Set(options.allow),
    namedContexts: namedContexts(request, resolveImage, signal),
    contextEpoch,
    namedEpoch,
    resolveImage,
  };
}

function namedContexts(
  { contexts }: Request,
  resolveImage: (reference: string, platform: Platform) => Promise<BaseImage>,
  signal: AbortSignal,
): ReadonlyMap<string, NamedContext<BaseImage>> {
  const named = new Map<string, NamedContext<BaseImage>>();
  for (const [name, value] of contexts) {
    switch (value.kind) {
      case 'files':
        named.set(name, { kind: 'directory' });
        break;
      case 'scratch':
        named.set(name, { kind: 'scratch' });
        break;
      case 'oci-layout':
        named.set(name, {
          kind: 'image',
          reference: value.location,
          resolve: (platform) => openLayoutImage(value.location, platform, { signal }),
        });
        break;
      case 'image':
        named.set(name, {
          kind: 'image',
          reference: value.reference,
          resolve: (platform) => resolveImage(value.reference, platform),
        });
    }
  }
  return named;
}

/** Who runs this process. */
export function thisMachine(): Machine {
  const uid = process.getuid?.() ?? 0;
  return { uid, gid: process.getgid?.() ?? 0, user: userName() ?? String(uid) };
}

/** In a container, a process may have a uid that no passwd file knows. */
function userName(): string | undefined {
  try {
    return userInfo().username;
  } catch {
    return undefined;
  }
}

/** design.md §6 without the environment, which only the command line reads. */
export function defaultStore(): string {
  return process.getuid?.() === 0 ? '/var/cache/tsbuild' : join(homedir(), '.cache', 'tsbuild');
}
