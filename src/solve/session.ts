/** What one build holds while it runs, and lets go of however it ends. */

import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { openStore, type Store, type Workspace } from '../../cache/index.ts';
import type { Environment } from '../http/proxy.ts';
import { openTransport, type Transport } from '../http/transport.ts';
import type { Progress } from '../progress/progress.ts';
import { createPusher, type Pusher } from '../registry/index.ts';
import { createRegistryClient, type RegistryClient, settingsPlaces } from '../registry/index.ts';
import { Helpers } from './helpers.ts';
import { Layers } from './layers.ts';
import { Materials } from './materials.ts';
import type { Isolation, Machine } from './rungs.ts';
import { Background, Limiter } from './schedule.ts';
import { SecretGuard } from './secret-guard.ts';
import { checkSshSources, SshAgents, type SshSources } from './ssh-agents.ts';

export interface SessionOptions {
  readonly store: string;
  readonly helper: string | undefined;
  /** The directory of docker's config.json. */
  readonly dockerConfig: string | undefined;
  /** For proxies, and settings of registries in files that it leads to; without it those are not looked for. */
  readonly environment?: Environment | undefined;
  readonly insecureRegistries?: readonly string[] | undefined;
  readonly machine: Machine;
  /** Default: `auto`. */
  readonly isolation?: Isolation | undefined;
  /** Default: as many layer jobs as processors; more RUNs, since those wait as often as they work. */
  readonly concurrency: number | undefined;
  /** Agents for RUNs. */
  readonly ssh: SshSources;
  /** Tries of one request to a registry; default: as many as a pull deserves. */
  readonly attempts?: number | undefined;
  readonly progress: Progress;
  readonly signal: AbortSignal;
}

export interface Session {
  readonly store: Store;
  readonly workspace: Workspace;
  readonly helpers: Helpers;
  readonly layers: Layers;
  readonly client: RegistryClient;
  /** Connections for files that are no registry's. */
  readonly downloads: Transport;
  readonly pusher: Pusher;
  readonly ssh: SshAgents;
  readonly guard: SecretGuard;
  readonly materials: Materials;
  readonly runs: Limiter;
  readonly jobs: Limiter;
  readonly background: Background;
  /** Waits for whatever is under way, ends the helpers, removes temporary files. */
  close(): Promise<void>;
}

/** RUNs of independent stages go on side by side even on a small machine: BuildKit knows no limit. */
const MIN_RUNS = 8;

/** Milliseconds. Some servers make the file when they are asked for it. */
const PATIENCE = { headers: 300_000, body: 120_000 };

/** Opens the store and a workspace in it. @throws ERR_STORE_UNUSABLE, ERR_SSH_MISSING */
export async function openSession(options: SessionOptions): Promise<Session> {
  const { signal, progress } = options;
  await checkSshSources(options.ssh);
  const store = await openStore(options.store, { signal });
  const workspace = await store.openWorkspace();
  const openHelpers = (onNotice: (message: string) => void): Helpers =>
    new Helpers({
      binary: options.helper,
      scratch: workspace.path,
      machine: options.machine,
      isolation: options.isolation,
      onNotice,
    });
  const helpers = openHelpers((message) => progress.notice('info', message));
  const jobs = new Limiter(options.concurrency ?? availableParallelism());
  const compression = new Limiter(options.concurrency ?? availableParallelism());
  const background = new Background();
  const guard = new SecretGuard(store);
  const layers = new Layers({ store, workspace, helpers, jobs, compression, guard, signal });
  const ssh = new SshAgents(options.ssh, workspace.path);
  const { dockerConfig, insecureRegistries, environment } = options;
  const client = createRegistryClient({
    places: settingsPlaces({ dockerConfig, insecureRegistries, environment }),
    ...(options.attempts !== undefined && { attempts: options.attempts }),
  });
  const downloads = openTransport({ connections: 8, environment, patience: PATIENCE });
  const pusher = createPusher({ client, signal });
  return {
    store,
    workspace,
    helpers,
    layers,
    client,
    downloads,
    pusher,
    ssh,
    guard,
    materials: new Materials(),
    runs: new Limiter(options.concurrency ?? Math.max(MIN_RUNS, availableParallelism())),
    jobs,
    background,
    close: async () => {
      // Each in turn, whatever becomes of the one before: the later ones need its things to be gone.
      try {
        await background.settled();
        await ssh.close();
        await pusher.close();
        await layers.close();
        await client.close();
        await downloads.close();
        const another = (): Helpers => openHelpers(() => undefined);
        await removeTemporaries(store, workspace, { helpers, another });
      } finally {
        await helpers.close();
        await workspace.close();
      }
    },
  };
}

/** This build's files, and those of builds that were killed. Sub-uids' files take the helper that made them. */
async function removeTemporaries(
  store: Store,
  workspace: Workspace,
  { helpers, another }: { readonly helpers: Helpers; readonly another: () => Helpers },
): Promise<void> {
  const { readdir } = await import('node:fs/promises');
  const stale = await store.staleWorkspaces();
  const own = await readdir(workspace.path);
  const paths = [
    ...stale,
    ...own.filter((name) => name !== 'lease').map((name) => join(workspace.path, name)),
  ];
  if (paths.length === 0 || (!helpers.isOpen && stale.length === 0)) return;
  const remove = async (by: Helpers): Promise<void> => {
    const sandbox = helpers.hasSandbox ? await by.directories().catch(() => undefined) : undefined;
    const helper = sandbox?.helper ?? (await by.files());
    await helper.remove({ verb: 'remove', paths }, { signal: new AbortController().signal });
  };
  try {
    await remove(helpers);
  } catch {
    // It may be dead; then another one can.
    const others = another();
    // What cannot be removed now is found again by the next build.
    await remove(others).catch(() => undefined);
    await others.close();
  }
}
