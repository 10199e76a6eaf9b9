/** Puts together what executing steps needs. */

import { readFile } from 'node:fs/promises';
import type { FetchedFile } from '../context/fetch-file.ts';
import type { ScannedContext } from '../context/scanned-context.ts';
import { locate, type SourceLocation, TsbuildError } from '../errors.ts';
import type { PlannedStage } from '../plan/step.ts';
import type { BaseImage, Layer } from './layer.ts';
import { GitSources } from './git-sources.ts';
import { Origins } from './origins.ts';
import { Once } from './schedule.ts';
import type { Session } from './session.ts';
import type { Executed, SandboxOptions, StepContext } from './step-context.ts';

export interface StepContextOptions {
  readonly session: Session;
  /** Lists the build context; asked once. */
  readonly context: () => Promise<ScannedContext>;
  /** Lists a named context; asked once for each. */
  readonly namedContext: (name: string) => Promise<ScannedContext>;
  readonly fetchFile: (url: string) => Promise<FetchedFile>;
  readonly sandbox: Omit<SandboxOptions, 'resolvConf'>;
  /** Where the plan's first RUN is: before anything is executed, it must be sure that this machine can. */
  readonly firstRun: SourceLocation | undefined;
  /** SOURCE_DATE_EPOCH: seconds since the Unix epoch. */
  readonly epoch: number | undefined;
  readonly stage: (stage: PlannedStage<BaseImage>) => Promise<readonly Layer[]>;
  readonly signal: AbortSignal;
}

export async function createStepContext(options: StepContextOptions): Promise<StepContext> {
  const { session, signal } = options;
  const { store, layers, helpers, runs, jobs } = session;
  const now = options.epoch ?? Math.floor(Date.now() / 1000);
  const scans = new Once<ScannedContext>();
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
    sandbox: { ...options.sandbox, resolvConf: await readResolvConf() },
    executions: new Once<Executed>(),
    // Its failure is seen again, and reported, when the image asks for the same work.
    background: (work) => void work.catch(() => undefined),
    stubs: new Once<string>(),
    locks: new Map(),
    emptied: new Set(),
    beforeExecution: async () => {
      const { firstRun } = options;
      if (firstRun === undefined) return;
      try {
        await helpers.sandbox();
      } catch (error) {
        // Whichever step asks: the RUN is what cannot be done.
        throw locate(error, firstRun);
      }
    },
    fetchFile: options.fetchFile,
    git: new GitSources({
      ...{ mirrors: store.gitPath, secrets: options.sandbox.secrets },
      ...{ layers, helpers, now, signal },
    }),
  };
}

/** The host's resolver: RUN shares its network (EX-8, NET-7). */
async function readResolvConf(): Promise<string> {
  return await readFile('/etc/resolv.conf', 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return '';
    throw new TsbuildError('ERR_SANDBOX_FAILED', {
      message: 'Cannot read /etc/resolv.conf for RUN',
      details: { operation: 'ReadResolvConf' },
      cause: error,
    });
  });
}
