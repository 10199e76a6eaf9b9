/** What executing a step needs; made once per build. */

import type { Store } from '../../cache/index.ts';
import type { CgroupSpec } from '../../native/index.ts';
import type { SourceLocation } from '../errors.ts';
import type { FetchedFile } from '../context/fetch-file.ts';
import type { Devices } from './devices.ts';
import type { Findings } from './findings.ts';
import type { GitSources } from './git-sources.ts';
import type { Helpers } from './helpers.ts';
import type { Layer } from './layer.ts';
import type { LayerBlob } from './layer-blobs.ts';
import type { Layers } from './layers.ts';
import type { Origins } from './origins.ts';
import type { DnsOptions, HostResolver } from './run-network.ts';
import type { Limiter, Once } from './schedule.ts';
import type { SecretGuard } from './secret-guard.ts';
import type { SshAgents } from './ssh-agents.ts';

export interface StepContext {
  readonly store: Store;
  readonly layers: Layers;
  readonly helpers: Helpers;
  readonly origins: Origins;
  /** For commands, and for work on layers. */
  readonly runs: Limiter;
  readonly jobs: Limiter;
  readonly signal: AbortSignal;
  /** Seconds since the Unix epoch: the time of what the build itself creates. */
  readonly now: number;
  /** SOURCE_DATE_EPOCH, when it is given: `now` is it. */
  readonly epoch: number | undefined;
  readonly sandbox: SandboxOptions;
  readonly ssh: SshAgents;
  readonly guard: SecretGuard;
  /** Steps under execution, by cache key. */
  readonly executions: Once<Executed>;
  /** Work that goes on beside the steps; its failure is the build's. */
  readonly background: (work: Promise<unknown>) => void;
  /** Told of each blob that is a layer of the image, once it is there: it may leave already. */
  readonly onBlob: (blob: LayerBlob) => void;
  /** Directories for mounts, by what is in them: mount points, parts of contexts. Made once per build. */
  readonly mountable: Once<string>;
  /** What would take a walk over an image to find again. */
  readonly findings: Findings;
  /** Cache mounts that this build has used, by id: `--no-cache` empties one before that, once. */
  readonly emptied: Once<void>;
  /** Says something that the user should know, once per build and place however often it is said. */
  readonly tell: (note: string, location?: SourceLocation) => void;
  /** Called before anything is executed: refuses when a RUN of this build could not be. */
  readonly beforeExecution: () => Promise<void>;
  /** A file that ADD names by its address (CP-23). */
  readonly fetchFile: (url: string, checksum?: string) => Promise<FetchedFile>;
  /** Repositories that ADD names (CP-25). */
  readonly git: GitSources;
}

/** What the caller says of every RUN. */
export interface SandboxOptions {
  readonly secrets: ReadonlyMap<string, Uint8Array>;
  /** Ids of secrets whose value is part of the key (T-54). */
  readonly rotatingSecrets: ReadonlySet<string>;
  readonly addHosts: readonly string[];
  readonly shmSize: number | undefined;
  readonly ulimits: readonly string[];
  /** What the machine offers to RUNs. */
  readonly devices: Devices;
  /** For every RUN: `/dev/NAME[:PATH]`, or the name of one that is offered. */
  readonly hostDevices: readonly string[];
  readonly dns: DnsOptions;
  /** The control group of each RUN; undefined: the build's own. */
  readonly cgroup: CgroupSpec | undefined;
  /** Milliseconds that one RUN may take. */
  readonly timeout: number | undefined;
  readonly resolver: HostResolver;
}

/** What a step is to become besides an index. */
export interface Wanted {
  /** A RUN follows on top of it. */
  readonly directory: boolean;
  /** It is a layer of the image that is built. */
  readonly blob: boolean;
}

/** What executing a step came to. */
export interface Executed {
  readonly layer: Layer;
  /** The content was in the store already, nothing was made. */
  readonly cached: boolean;
}

/** How a step of one kind is keyed and executed. */
export interface StepRunner {
  /** What enters the key besides the kind and the parent: readable, JSON. */
  readonly inputs: () => Promise<Readonly<Record<string, unknown>>>;
  readonly execute: (wanted: Wanted) => Promise<Executed>;
}
