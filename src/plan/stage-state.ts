/** What is true at one point of a stage: environment, ARGs, config, and the steps so far (1.4, 1.5). */

import { type Dockerfile, expandWord } from '../../parser/index.ts';
import type { ContainerConfig, ImageConfig } from '../oci/image.ts';
import type { Platform } from '../oci/platform.ts';
import { resolvePath } from './paths.ts';
import type { StageOutline } from './stage-outline.ts';
import type { PlannedArg, PlannedStage, Step } from './step.ts';

type Draft<T> = { -readonly [Key in keyof T]: T[Key] };

/** The parts of an image config that a stage inherits and changes. */
export type StageConfig = PlannedStage<unknown>['config'];

interface StageStart {
  readonly outline: StageOutline;
  readonly platform: Platform;
  readonly config: StageConfig;
  readonly escape: Dockerfile['escape'];
  /** The end of the base stage, if that is what the base is. */
  readonly parent: StageState<unknown> | undefined;
  readonly ignoreCache: boolean;
}

/** Changes as instructions are planned, one after the other. What it hands out is never changed. */
export class StageState<Image> {
  readonly outline: StageOutline;
  readonly platform: Platform;
  readonly ignoreCache: boolean;
  readonly container: Draft<ContainerConfig>;
  readonly steps: Step<Image>[] = [];
  readonly declared: PlannedArg[] = [];
  author: string | undefined;
  /** CMD was used in this stage: ENTRYPOINT leaves it alone (CMD-2). */
  hasCommand = false;

  readonly #image: Omit<StageConfig, 'author' | 'config'>;
  readonly #escape: Dockerfile['escape'];
  /** What RUN sees. A name moves to the end when it is set again, as in BuildKit. */
  readonly #env = new Map<string, string>();
  /** The ARGs of this stage and of those it builds on; values only of those that were never set. */
  readonly #args = new Map<string, string>();

  constructor(start: StageStart) {
    const { config, author, ...image } = start.config;
    this.outline = start.outline;
    this.platform = start.platform;
    this.ignoreCache = start.ignoreCache;
    this.author = author;
    this.container = { ...config };
    this.#image = image;
    this.#escape = start.escape;
    for (const [name, value] of start.parent?.env ?? []) this.setEnv(name, value);
    for (const [name, value] of start.parent?.args ?? []) this.#args.set(name, value);
    // After the parent's: an ENV of it wins over its later ARG from here on (VAR-11).
    for (const [name, value] of pairsOf(config.Env)) this.setEnv(name, value);
  }

  /** The value that an instruction or a RUN sees (VAR-7). */
  readonly lookup = (name: string): string | undefined => this.#env.get(name);

  /** A word with its variables replaced. @throws ERR_VARIABLE */
  expand(text: string): string {
    return expandWord(text, this.lookup, { escape: this.#escape });
  }

  get escape(): Dockerfile['escape'] {
    return this.#escape;
  }

  get env(): ReadonlyMap<string, string> {
    return this.#env;
  }

  setEnv(name: string, value: string): void {
    this.#env.delete(name);
    this.#env.set(name, value);
  }

  declareArg(name: string, value: string | undefined): void {
    this.#args.set(name, value ?? '');
  }

  /** The declared ARGs with the values that RUN sees, in the order of their first declaration (HIST-2). */
  get args(): ReadonlyMap<string, string> {
    return new Map([...this.#args].map(([name, value]) => [name, this.#env.get(name) ?? value]));
  }

  /** Absolute, clean; `/` when nothing was said. */
  get workingDirectory(): string {
    return resolvePath('/', this.container.WorkingDir ?? '');
  }

  get user(): string {
    return this.container.User ?? '';
  }

  /** The shell of shell forms (CMD-4, FROM-11). */
  get shell(): readonly string[] {
    const { Shell: shell = [] } = this.container;
    if (shell.length > 0) return shell;
    return this.#image.os === 'windows' ? ['cmd', '/S', '/C'] : ['/bin/sh', '-c'];
  }

  get config(): StageConfig {
    return Object.freeze({
      ...this.#image,
      ...(this.author !== undefined && { author: this.author }),
      config: Object.freeze(knownFields(this.container)),
    });
  }
}

/** What a stage takes from an image's config (FROM-10); fields that nobody knows are dropped (CFG-1). */
export function inheritedConfig(image: ImageConfig): StageConfig {
  const { architecture, os, variant, author, config } = image;
  const { 'os.version': version, 'os.features': features } = image;
  return {
    architecture,
    os,
    ...(variant && { variant }),
    ...(version && { 'os.version': version }),
    ...(features && { 'os.features': features }),
    ...(author && { author }),
    config: knownFields(config),
  };
}

/** The config of `FROM scratch` (FROM-5). */
export function scratchConfig(platform: Platform): StageConfig {
  return { ...platform, config: { WorkingDir: '/', Env: [`PATH=${DEFAULT_PATH}`] } };
}

/** The config with a PATH, unless Windows has its own, and an absolute working directory: what every stage starts with (FROM-10, FROM-11). */
export function startConfig(config: StageConfig): StageConfig {
  const { Env: env = [], WorkingDir: directory } = config.config;
  const hasPath = config.os === 'windows' || pairsOf(env).some(([name]) => name === 'PATH');
  return {
    ...config,
    config: {
      ...config.config,
      Env: Object.freeze(hasPath ? [...env] : [...env, `PATH=${DEFAULT_PATH}`]),
      ...(directory && {
        WorkingDir: directory.startsWith('/') ? directory : resolvePath('/', directory),
      }),
    },
  };
}

const DEFAULT_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

const FIELDS = [
  ...(['User', 'ExposedPorts', 'Env', 'Entrypoint', 'Cmd', 'ArgsEscaped', 'Volumes'] as const),
  ...(['WorkingDir', 'Labels', 'StopSignal', 'Healthcheck', 'OnBuild', 'Shell'] as const),
];

/** Without what is empty, as Go leaves it out. Documents in the wild have `null` for what is missing. */
function knownFields(config: ContainerConfig | undefined): ContainerConfig {
  const entries = FIELDS.map((field) => [field, config?.[field]] as const);
  return Object.fromEntries(entries.filter(([, value]) => !isEmpty(value)));
}

function isEmpty(value: ContainerConfig[keyof ContainerConfig] | null): boolean {
  return !value || (typeof value === 'object' && Object.keys(value).length === 0);
}

function pairsOf(env: readonly string[] = []): (readonly [name: string, value: string])[] {
  return env.map((entry) => {
    const equals = entry.indexOf('=');
    return equals < 0 ? [entry, ''] : [entry.slice(0, equals), entry.slice(equals + 1)];
  });
}
