/** What works on this machine, and the one thing to change for what does not. */

import { openStore, type Store } from '../../cache/index.ts';
import { TsbuildError } from '../errors.ts';
import { hostPlatform } from '../oci/platform.ts';
import type { BuildOptions } from '../options.ts';
import { settingsPlaces } from '../registry/index.ts';
import { defaultStore, thisMachine } from '../request.ts';
import { readFacts } from '../solve/facts.ts';
import type { RungName } from '../solve/rungs.ts';
import type { Finding } from './finding.ts';
import { machineFindings } from './machine-findings.ts';
import { networkFindings } from './network-findings.ts';
import { platformFindings } from './platform-findings.ts';
import { registryFindings } from './registry-findings.ts';
import { type RunFindings, runFindings } from './run-findings.ts';
import { storeFindings } from './store-findings.ts';

export type {
  FindingDetails,
  FindingValue,
  Finding,
  FindingGroup,
  FindingStatus,
} from './finding.ts';

/** What `doctor()` takes: what a build would be given, and the environment to look into. */
export interface DoctorOptions
  extends Pick<BuildOptions, 'store' | 'helper' | 'dockerConfig' | 'isolation' | 'signal'> {
  /** For proxies, certificates, settings of registries and PATH; default: none are seen. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
}

/** What `doctor()` answers. */
export interface DoctorReport {
  /** Whether builds with RUN work here. */
  readonly ok: boolean;
  /** The rung that RUN gets; undefined when there is none. */
  readonly isolation: RungName | undefined;
  readonly findings: readonly Finding[];
}

/**
 * Looks at the machine, the store and the settings; runs nothing of an image, and asks no network.
 * Makes the store when it is not there. Rejects only with the signal's reason.
 */
export async function doctor(options: DoctorOptions = {}): Promise<DoctorReport> {
  const signal = options.signal ?? new AbortController().signal;
  signal.throwIfAborted();
  const machine = thisMachine();
  const { dockerConfig, environment } = options;
  const places = settingsPlaces({ dockerConfig, environment });
  const aboutMachine = async (): Promise<readonly Finding[]> =>
    await machineFindings({ facts: await readFacts(), machine, signal });
  const [stored, about, registries, network] = await allEnded([
    withStore(options, signal),
    aboutMachine(),
    registryFindings(places),
    networkFindings(environment ?? {}),
  ]);
  signal.throwIfAborted();
  const { run, findings } = stored;
  return {
    ok: run.isolation !== undefined,
    isolation: run.isolation,
    findings: [...run.findings, ...findings, ...about, ...network, ...registries],
  };
}

/** Like `Promise.all()`, but not before all have ended: the store is still in use while one of them is. */
async function allEnded<const T extends readonly Promise<unknown>[]>(
  work: T,
): Promise<{ -readonly [K in keyof T]: Awaited<T[K]> }> {
  await Promise.allSettled(work);
  return await Promise.all(work);
}

interface Stored {
  readonly run: RunFindings;
  readonly findings: readonly Finding[];
}

/** What is tried in a workspace of the store, where a build would do it. */
async function withStore(
  { store: place = defaultStore(), helper: binary, isolation }: DoctorOptions,
  signal: AbortSignal,
): Promise<Stored> {
  let store: Store;
  try {
    store = await openStore(place, { signal });
  } catch (error) {
    if (!(error instanceof TsbuildError)) throw error;
    return unusable(error);
  }
  const workspace = await store.openWorkspace();
  const scratch = workspace.path;
  try {
    const [run, stored, platforms] = await allEnded([
      runFindings({ binary, scratch, machine: thisMachine(), isolation }),
      storeFindings(store.path),
      platformFindings({ host: hostPlatform(process.arch), scratch, signal }),
    ]);
    return { run, findings: [...stored, ...platforms] };
  } finally {
    await workspace.close();
  }
}

/** Nothing can be built without a store. */
function unusable({ message, hint }: TsbuildError): Stored {
  const fix = hint ?? 'TSBUILD_STORE=DIRECTORY, one that you may write to';
  const store: Finding = { id: 'store', group: 'store', status: 'no', text: message, fix };
  const text = 'RUN does not work here, for there is no store to work in';
  const run: Finding = { id: 'run', group: 'run', status: 'no', text };
  return { run: { isolation: undefined, findings: [run] }, findings: [store] };
}
