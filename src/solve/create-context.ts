/** Puts together what executing steps needs. */

import type { Device } from '../../parser/index.ts';
import type { FetchedFile } from '../context/fetch-file.ts';
import type { ScannedContext } from '../context/scanned-context.ts';
import { locate, type SourceLocation, TsbuildError } from '../errors.ts';
import { formatPlatform, hostPlatform, type Platform } from '../oci/platform.ts';
import type { PlannedStage } from '../plan/step.ts';
import type { Refusal } from './diagnose.ts';
import { executionOf } from './emulation.ts';
import { Findings } from './findings.ts';
import type { BaseImage, Layer } from './layer.ts';
import { GitSources } from './git-sources.ts';
import { unsetLimits } from './limits.ts';
import { Origins } from './origins.ts';
import { findTunnel, type NetworkMode, readHostResolver } from './run-network.ts';
import { Once } from './schedule.ts';
import type { Session } from './session.ts';
import type { Executed, SandboxOptions, StepContext } from './step-context.ts';

export interface StepContextOptions {
  readonly session: Session;
  /** Lists the build context; asked once. */
  readonly context: () => Promise<ScannedContext>;
  /** Lists a named context; asked once for each. */
  readonly namedContext: (name: string) => Promise<ScannedContext>;
  readonly fetchFile: (url: string, checksum?: string) => Promise<FetchedFile>;
  readonly sandbox: Omit<SandboxOptions, 'resolver'>;
  /** Gets what there is to say of the machine, or of the step at a place. */
  readonly onNote: (note: string, location?: SourceLocation) => void;
  /** As `StepContext.onBlob`. */
  readonly onBlob: StepContext['onBlob'];
  /** The plan's RUNs: before anything is executed, it must be sure that this machine can execute them. */
  readonly runs: readonly PlannedRun[];
  /** SOURCE_DATE_EPOCH: seconds since the Unix epoch. */
  readonly epoch: number | undefined;
  readonly stage: (stage: PlannedStage<BaseImage>) => Promise<readonly Layer[]>;
  readonly signal: AbortSignal;
}

/** What is asked of the machine. */
interface PlannedRun {
  readonly platform: Platform;
  readonly network: NetworkMode;
  readonly devices: readonly Device[];
  readonly location: SourceLocation;
}

export async function createStepContext(options: StepContextOptions): Promise<StepContext> {
  const { session, signal } = options;
  const { store, layers, helpers, runs, jobs } = session;
  const now = options.epoch ?? Math.floor(Date.now() / 1000);
  const scans = new Once<ScannedContext>();
  const checks = new Once<void>();
  const origins = new Origins({
    layers,
    context: () => scans.get('', options.context),
    namedContext: (name) => scans.get(`named ${name}`, () => options.namedContext(name)),
    stage: options.stage,
  });
  return {
    store,
    layers,
    helpers,
    origins,
    runs,
    jobs,
    signal,
    now,
    epoch: options.epoch,
    ssh: session.ssh,
    guard: session.guard,
    sandbox: { ...options.sandbox, resolver: await readHostResolver() },
    executions: new Once<Executed>(),
    // Its failure is seen again, and reported, when the image asks for the same work.
    background: (work) => session.background.add(work),
    onBlob: options.onBlob,
    mountable: new Once<string>(),
    findings: new Findings(store),
    emptied: new Once<void>(),
    tell: tellOnce(options.onNote),
    beforeExecution: async () => await checks.get('', () => checkMachine(options)),
    fetchFile: options.fetchFile,
    git: new GitSources({
      ...{ mirrors: store.gitPath, secrets: options.sandbox.secrets },
      ...{ layers, helpers, now, signal, materials: session.materials },
    }),
  };
}

function tellOnce(tell: StepContextOptions['onNote']): StepContext['tell'] {
  const told = new Set<string>();
  return (note, location) => {
    const what = JSON.stringify([note, location?.range]);
    if (told.has(what)) return;
    told.add(what);
    tell(note, location);
  };
}

/** @throws ERR_SANDBOX_UNAVAILABLE at the RUN that cannot be executed, whichever step asks */
async function checkMachine(options: StepContextOptions): Promise<void> {
  const { runs, session, signal } = options;
  const [first] = runs;
  if (first === undefined) return;
  try {
    await session.helpers.sandbox();
  } catch (error) {
    throw locate(error, first.location);
  }
  await checkNetwork(runs);
  await checkDevices(options);
  await checkLimits(options);
  // One of each platform is enough.
  const platforms = new Map(runs.toReversed().map((run) => [formatPlatform(run.platform), run]));
  const scratch = session.workspace.path;
  for (const { platform, location } of platforms.values()) {
    const execution = await executionOf(platform, {
      host: hostPlatform(process.arch),
      scratch,
      signal,
    });
    if (execution.kind === 'refused') throw locate(foreign(platform, execution), location);
  }
}

async function checkNetwork(runs: readonly PlannedRun[]): Promise<void> {
  const run = runs.find(({ network }) => network === 'private');
  if (run === undefined) return;
  await findTunnel().catch((error: unknown) => {
    throw locate(error, run.location);
  });
}

async function checkDevices({ runs, sandbox }: StepContextOptions): Promise<void> {
  for (const name of sandbox.hostDevices) {
    if (name.startsWith('/') || (await sandbox.devices.find(name)).length > 0) continue;
    throw await sandbox.devices.missing(name);
  }
  for (const { devices, location } of runs) {
    for (const { name, required } of devices) {
      if (!required || (await sandbox.devices.find(name)).length > 0) continue;
      throw locate(await sandbox.devices.missing(name), location);
    }
  }
}

/** A limit that cannot be set is told, not fatal: what is built is the same. */
async function checkLimits(options: StepContextOptions): Promise<void> {
  const { sandbox, session, signal, onNote } = options;
  if (sandbox.cgroup === undefined) return;
  const { helper } = await session.helpers.sandbox();
  for (const note of await unsetLimits(helper, sandbox.cgroup, signal)) onNote(note);
}

function foreign(platform: Platform, { reason, fix }: Refusal): TsbuildError {
  const hint = fix === undefined ? undefined : `To change it: ${fix}.`;
  return new TsbuildError('ERR_SANDBOX_UNAVAILABLE', {
    message: `Cannot execute RUN for ${formatPlatform(platform)} on this machine: ${reason}`,
    details: { reasons: [reason], fixes: fix === undefined ? [] : [fix] },
    hint,
  });
}
