/**
 * The plan: what a Dockerfile, its target and its arguments come to. Everything here is expanded,
 * absolute and typed; the solver needs no Dockerfile and no environment any more. Frozen, located.
 */

import type { Device, Mount } from '../../parser/index.ts';
import type { GitSource } from '../context/git-url.ts';
import type { SourceLocation } from '../errors.ts';
import type { ContainerConfig, History, ImageConfig } from '../oci/image.ts';
import type { Platform } from '../oci/platform.ts';

/** What a build will do, pulls and exports aside. `Image` is whatever `resolveImage()` answers. */
export interface BuildPlan<Image> {
  /** The needed stages, each after those it needs. The last is the target. */
  readonly stages: readonly PlannedStage<Image>[];
  readonly target: PlannedStage<Image>;
  /** The platform that the image is for. */
  readonly platform: Platform;
  /** `--build-arg` names that no ARG declared and nothing predefines (ARG-4). */
  readonly unusedBuildArgs: readonly string[];
  /** From `--build-arg SOURCE_DATE_EPOCH` or a global ARG's default; undefined when neither says (ARG-9). */
  readonly sourceDateEpoch: number | undefined;
}

/** One FROM and what follows, up to the next. */
export interface PlannedStage<Image> {
  /** Its place in the Dockerfile, from 0. */
  readonly index: number;
  /** Lower case; undefined when the FROM gives none. */
  readonly name: string | undefined;
  readonly base: StageBase<Image>;
  readonly steps: readonly Step<Image>[];
  /** Its own, triggers' included, in file order; a name may come twice. */
  readonly args: readonly PlannedArg[];
  /** The platform that its RUNs are for. */
  readonly platform: Platform;
  /**
   * The image config after the last step, without layers, times and history of its own: those follow
   * from running the steps. `config` is complete but for labels given on the command line.
   */
  readonly config: Pick<
    ImageConfig,
    'architecture' | 'os' | 'variant' | 'os.version' | 'os.features' | 'author'
  > & {
    readonly config: ContainerConfig;
  };
  readonly location: SourceLocation;
  /** The display name of its FROM, e.g. `[build 1/5] FROM docker.io/library/debian:12`; undefined for scratch and stages. */
  readonly fromName: string | undefined;
}

/** One name of an ARG. */
export interface PlannedArg {
  readonly name: string;
  /** '' when it has none. */
  readonly value: string;
  /** Declared above the first FROM, or predefined: value and description are from there (ARG-2). */
  readonly isInherited: boolean;
  /** From the comment above it (DIR-9). */
  readonly description: string;
  readonly location: SourceLocation;
}

export type StageBase<Image> =
  | { readonly kind: 'scratch' }
  | { readonly kind: 'image'; readonly image: Image; readonly reference: string }
  | { readonly kind: 'stage'; readonly stage: PlannedStage<Image> };

export type Step<Image> = RunStep<Image> | CopyStep<Image> | WorkdirStep | ConfigStep;

interface StepBase {
  readonly location: SourceLocation;
  /** `[build 2/5] RUN make`; for config steps the instruction's text. */
  readonly name: string;
  /** What goes into the image's history for it, the time aside (HIST-2); undefined: nothing (ONBUILD). */
  readonly history: Omit<History, 'created'> | undefined;
  /** `--no-cache` or `--no-cache-filter` is on for its stage. */
  readonly ignoreCache: boolean;
}

/** ENV, LABEL, CMD, …: only the config and the history know of it. */
export interface ConfigStep extends StepBase {
  readonly kind: 'config';
}

/** Makes a directory if it is missing (META-6). Not planned when the path is `/`. */
export interface WorkdirStep extends StepBase {
  readonly kind: 'workdir';
  /** Absolute, clean. */
  readonly path: string;
  /** USER in force, as given; '' for none. */
  readonly user: string;
}

/** A command in a sandbox. */
export interface RunStep<Image> extends StepBase {
  readonly kind: 'run';
  /** Complete: shell form is already wrapped. */
  readonly argv: readonly string[];
  /** `NAME=value`: image, ENV, ARG, in order; proxies are apart. */
  readonly env: readonly string[];
  /** Predefined proxy arguments: in the environment, not in the key (ARG-7). */
  readonly proxyEnv: readonly string[];
  readonly cwd: string;
  readonly user: string;
  readonly network: 'default' | 'none' | 'host' | 'private';
  readonly security: 'sandbox' | 'insecure';
  /** From BUILDKIT_SANDBOX_HOSTNAME; undefined: the usual one (ARG-8). */
  readonly hostname: string | undefined;
  /** Sorted by target (RUN-23). */
  readonly mounts: readonly PlannedMount<Image>[];
  /** In the order given. */
  readonly devices: readonly Device[];
  /** A script from a heredoc with a shebang: mounted read-only at its path, mode 0755 (HD-4). */
  readonly script: { readonly path: string; readonly content: string } | undefined;
  readonly platform: Platform;
}

/** A `--mount`, expanded; targets are absolute, and its `from` is found. */
export interface PlannedMount<Image> {
  readonly mount: Mount;
  /** Absolute; '' for a secret that is in the environment alone. */
  readonly target: string;
  /** Of bind and cache mounts; undefined for the others, and for a cache without a seed. */
  readonly from: CopyOrigin<Image> | undefined;
}

/** COPY and ADD. */
export interface CopyStep<Image> extends StepBase {
  readonly kind: 'copy';
  readonly add: boolean;
  readonly origin: CopyOrigin<Image>;
  /** In the order given; inline files come last (as BuildKit has it). */
  readonly sources: readonly PlannedSource[];
  /** Absolute, expanded; a trailing slash (or `/.`) means a directory and is kept. */
  readonly destination: string;
  /** As given, expanded: `user[:group]`. */
  readonly chown: string | undefined;
  readonly chmod: Chmod | undefined;
  readonly link: boolean;
  readonly parents: boolean;
  readonly exclude: readonly string[];
}

export type PlannedSource =
  | { readonly kind: 'path'; readonly path: string; readonly unpack: boolean }
  | { readonly kind: 'inline'; readonly name: string; readonly content: string }
  | {
      readonly kind: 'url';
      readonly url: string;
      /** The file's name when the destination is a directory (CP-23). */
      readonly name: string;
      readonly checksum: string | undefined;
      readonly unpack: boolean;
    }
  /** The tree of a commit, its contents copied into the destination (CP-25). */
  | { readonly kind: 'git'; readonly git: GitSource };

/** Where COPY takes its sources from. */
export type CopyOrigin<Image> =
  | { readonly kind: 'context' }
  | { readonly kind: 'named-context'; readonly name: string }
  | { readonly kind: 'stage'; readonly stage: PlannedStage<Image> }
  | { readonly kind: 'image'; readonly image: Image; readonly reference: string };

/** `--chmod`: an octal mode, or a symbolic change of each file's own mode (CP-14). */
export type Chmod =
  | { readonly kind: 'octal'; readonly mode: number }
  | { readonly kind: 'symbolic'; readonly text: string };
