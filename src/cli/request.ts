/** Flags and environment to what `build()` takes. Reads secrets; touches nothing else. */

import type { BuildOptions } from '../index.ts';
import type { Flags } from './args.ts';
import { usage } from './argv.ts';
import { type Environment, readSettings } from './environment.ts';
import { isolationOf } from './isolation.ts';
import type { ResultFiles } from './result-files.ts';
import { readRunFlags } from './run-flags.ts';
import { readSecrets } from './secrets.ts';
import { readSsh } from './ssh.ts';
import { parseBoolean, parseCount, splitPair, unsupported } from './values.ts';

/** How a build shows what it does. */
export type ProgressKind = 'plain' | 'quiet' | 'none';

/** A build as the command line asks for it. */
export interface BuildRequest {
  readonly options: BuildOptions;
  readonly progress: ProgressKind;
  readonly files: ResultFiles;
}

/** @throws ERR_USAGE, ERR_UNSUPPORTED, ERR_SECRET_MISSING, ERR_SSH_MISSING */
export async function createRequest(flags: Flags, environment: Environment): Promise<BuildRequest> {
  refuseTwoInputs(flags);
  checkPull(flags.pull);
  const options = {
    ...readSettings(environment),
    context: flags.context === '-' ? process.stdin : flags.context,
    dockerfile: flags.file === '-' ? process.stdin : flags.file || undefined,
    ignoreFile: flags.ignorefile || undefined,
    target: flags.target || undefined,
    buildArgs: readBuildArgs(flags.buildArg, environment),
    labels: Object.fromEntries(flags.label.map((label) => splitPair(label))),
    tags: flags.tag,
    insecureRegistries: flags.insecureRegistry,
    outputs: flags.output,
    push: flags.push,
    load: flags.load,
    annotations: flags.annotation,
    attests: flags.attest,
    provenance: flags.provenance,
    sbom: flags.sbom,
    buildContexts: readBuildContexts(flags.buildContext),
    platform: platformOf(flags.platform, environment),
    ...(await readSecrets(flags.secret, environment)),
    ssh: readSsh(flags.ssh, environment),
    addHosts: flags.addHost,
    ...readRunFlags(flags),
    isolation: isolationOf(flags.isolation),
    noCache: !flags.cache,
    noCacheFilter: flags.cacheFilter.flatMap((stages) => stages.split(',')).filter(Boolean),
    concurrency: flags.jobs === undefined ? undefined : parseCount('--jobs', flags.jobs),
  };
  const { iidfile, metadataFile } = flags;
  return {
    options: withoutUndefined(options),
    progress: progressOf(flags, environment),
    files: { iidfile, metadataFile },
  };
}

/**
 * OPT-1: `K=V`, or `K` for what the environment has; a name it does not have is left out. The
 * environment's SOURCE_DATE_EPOCH needs no flag (ARG-9).
 */
function readBuildArgs(
  pairs: readonly string[],
  environment: Environment,
): Readonly<Record<string, string>> {
  const args: Record<string, string> = {};
  const { SOURCE_DATE_EPOCH: epoch } = environment;
  if (epoch) args['SOURCE_DATE_EPOCH'] = epoch;
  for (const pair of pairs) {
    const [name, value] = pair.includes('=') ? splitPair(pair) : [pair, environment[pair]];
    if (name === '') throw usage(`Cannot use "${pair}" as a build argument: it has no name`);
    if (value !== undefined) args[name] = value;
  }
  return args;
}

function readBuildContexts(pairs: readonly string[]): Readonly<Record<string, string>> {
  const contexts = pairs.map((pair): readonly [string, string] => {
    const [name, source] = splitPair(pair);
    if (name !== '' && source !== '') return [name, source];
    throw usage(
      `Cannot use "${pair}" as a build context`,
      'Write "--build-context name=directory", or a URL, oci-layout://PATH, docker-image://NAME.',
    );
  });
  return Object.fromEntries(contexts);
}

/** CTX-1: standard input is one thing. */
function refuseTwoInputs({ context, file }: Pick<Flags, 'context' | 'file'>): void {
  if (context !== '-' || file !== '-') return;
  throw usage(
    'Cannot read both the Dockerfile and the build context from standard input',
    'Put the Dockerfile into the tar, or name a directory: "tsbuild -f - .".',
  );
}

function platformOf(flags: readonly string[], environment: Environment): string | undefined {
  const given = flags.length > 0 ? flags : [environment['DOCKER_DEFAULT_PLATFORM'] ?? ''];
  return given.join(',') || undefined;
}

/** The registry is always asked for what a tag means now, so only what forbids that is not there. */
function checkPull(policy: string | undefined): void {
  if (policy === undefined || ['always', 'newer', 'missing'].includes(policy)) return;
  if (policy === 'never') throw unsupported('"--pull=never"');
  parseBoolean('--pull', policy);
}

/** A terminal gets plain lines too. An unknown BUILDKIT_PROGRESS is no reason to fail. */
function progressOf(flags: Flags, environment: Environment): ProgressKind {
  if (flags.quiet) return 'quiet';
  const kind = flags.progress ?? environment['BUILDKIT_PROGRESS'] ?? 'auto';
  if (kind === 'quiet' || kind === 'none') return kind;
  if (flags.progress === undefined || ['auto', 'plain', 'tty'].includes(kind)) return 'plain';
  if (kind === 'rawjson') throw unsupported('"--progress=rawjson"');
  throw usage(`Cannot show progress as "${kind}"`, 'It is "auto", "plain", "quiet" or "none".');
}

type Defined<T> = { readonly [K in keyof T]: Exclude<T[K], undefined> };

/** exactOptionalPropertyTypes: an option that is not given must not be there. */
function withoutUndefined<T extends object>(options: T): Defined<T> {
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  return Object.fromEntries(given) as Defined<T>;
}
