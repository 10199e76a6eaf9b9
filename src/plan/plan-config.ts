/** The instructions that change the config and nothing else (1.10 to 1.13), and ARG (1.5). */

import {
  type ArgInstruction,
  type Command,
  type CommandInstruction,
  expandWords,
  type ExposeInstruction,
  type HealthcheckInstruction,
  type PairsInstruction,
  parsePorts,
} from '../../parser/index.ts';
import type { Healthcheck } from '../oci/image.ts';
import { invalid } from './failures.ts';
import { formatHealthcheck, plainList, quoteList } from './go-format.ts';
import { descriptionOf } from './descriptions.ts';
import { resolvePath } from './paths.ts';
import type { Planning } from './planning.ts';
import { checkStopSignal } from './signals.ts';
import type { StageInstruction } from './stage-outline.ts';
import type { StageState } from './stage-state.ts';

/** The instructions of this file. */
export type ConfigInstruction = Exclude<
  StageInstruction,
  { readonly kind: 'run' | 'copy' | 'add' }
>;

/**
 * Applies an instruction to the stage's config and environment.
 *
 * Returns its history text; undefined for ONBUILD, which leaves none. @throws ERR_INSTRUCTION_INVALID, ERR_VARIABLE
 */
export function applyConfig(
  state: StageState<unknown>,
  instruction: ConfigInstruction,
  { args, location }: Pick<Planning<unknown>, 'args' | 'location'>,
): string | undefined {
  const { container } = state;
  switch (instruction.kind) {
    case 'arg':
      return applyArg(state, instruction, { args, location });
    case 'env':
      return applyEnv(state, instruction);
    case 'label':
      return applyLabel(state, instruction);
    case 'cmd':
    case 'entrypoint':
      return applyCommand(state, instruction);
    case 'expose':
      return applyExpose(state, instruction);
    case 'healthcheck':
      return applyHealthcheck(state, instruction);
    case 'maintainer':
      state.author = instruction.name;
      return `MAINTAINER ${instruction.name}`;
    case 'onbuild':
      container.OnBuild = Object.freeze([...(container.OnBuild ?? []), instruction.trigger]);
      return undefined;
    case 'shell':
      container.Shell = instruction.argv;
      return `SHELL ${plainList(instruction.argv)}`;
    case 'volume':
      return applyVolume(
        state,
        instruction.paths.map((path) => state.expand(path)),
      );
    case 'user':
      container.User = state.expand(instruction.value);
      return `USER ${container.User}`;
    case 'workdir':
      container.WorkingDir = nextDirectory(state, state.expand(instruction.value));
      return `WORKDIR ${container.WorkingDir}`;
    case 'stopsignal':
      container.StopSignal = checkStopSignal(state.expand(instruction.value));
      return `STOPSIGNAL ${container.StopSignal}`;
  }
}

/** Docker's images have an absolute path as it is written, also with a slash at its end (META-6). */
function nextDirectory(state: StageState<unknown>, path: string): string {
  if (path === '') return state.container.WorkingDir || '/';
  return path.startsWith('/') ? path : resolvePath(state.workingDirectory, path);
}

/** Declared, but never in the environment (ARG-10). */
const NOT_EXPORTED = ['BUILDKIT_SBOM_SCAN_CONTEXT', 'BUILDKIT_SBOM_SCAN_STAGE'];

/** One after the other: a default sees the ARGs to its left (VAR-10). */
function applyArg(
  state: StageState<unknown>,
  instruction: ArgInstruction,
  { args, location }: Pick<Planning<unknown>, 'args' | 'location'>,
): string {
  const texts = instruction.args.map(({ name, default: written }) => {
    const inherited = written === undefined ? args.values.get(name) : undefined;
    const value =
      args.buildArgs.get(name) ??
      inherited ??
      (written === undefined ? undefined : state.expand(written));
    if (value !== undefined && !NOT_EXPORTED.includes(name)) state.setEnv(name, value);
    state.declareArg(name, value);
    const declared = {
      name,
      value: value ?? '',
      isInherited: inherited !== undefined && !args.buildArgs.has(name),
      description: descriptionOf(name, instruction),
      location,
    };
    state.declared.push(Object.freeze(declared));
    return value === undefined ? name : `${name}=${value}`;
  });
  return `ARG ${texts.join(' ')}`;
}

function applyEnv(state: StageState<unknown>, instruction: PairsInstruction): string {
  const pairs = expandPairs(state, instruction);
  if (pairs.some(([name]) => name === '')) {
    throw invalid('Cannot set a variable: ENV names can not be blank');
  }
  const env = [...(state.container.Env ?? [])];
  for (const [name, value] of pairs) {
    state.setEnv(name, value);
    const at = env.findIndex((entry) => entry.split('=', 1)[0] === name);
    // In place: the order of the first definitions is kept (ENV-3).
    env.splice(at < 0 ? env.length : at, 1, `${name}=${value}`);
  }
  state.container.Env = Object.freeze(env);
  return pairsText('ENV', pairs);
}

function applyLabel(state: StageState<unknown>, instruction: PairsInstruction): string {
  const pairs = expandPairs(state, instruction);
  state.container.Labels = Object.freeze({
    ...state.container.Labels,
    ...Object.fromEntries(pairs),
  });
  return pairsText('LABEL', pairs);
}

/** All words are expanded before any is set (VAR-10). */
function expandPairs(
  state: StageState<unknown>,
  instruction: PairsInstruction,
): (readonly [name: string, value: string])[] {
  return instruction.pairs.map(({ name, value }) => [state.expand(name), state.expand(value)]);
}

function pairsText(keyword: string, pairs: readonly (readonly [string, string])[]): string {
  return [keyword, ...pairs.map(([name, value]) => `${name}=${value}`)].join(' ');
}

function applyCommand(state: StageState<unknown>, instruction: CommandInstruction): string {
  const { container } = state;
  const argv = commandLine(state, instruction.command);
  if (instruction.kind === 'cmd') {
    setOrClear(container, 'Cmd', argv);
    container.ArgsEscaped = true;
    state.hasCommand = true;
    return `CMD ${quoteList(argv)}`;
  }
  setOrClear(container, 'Entrypoint', argv);
  // A command of the base was meant for the base's entrypoint (CMD-2).
  if (!state.hasCommand) delete container.Cmd;
  return `ENTRYPOINT ${quoteList(argv)}`;
}

function setOrClear(
  container: StageState<unknown>['container'],
  field: 'Cmd' | 'Entrypoint',
  argv: readonly string[],
): void {
  if (argv.length === 0) delete container[field];
  else container[field] = Object.freeze([...argv]);
}

function commandLine(state: StageState<unknown>, command: Command): readonly string[] {
  return command.form === 'exec' ? command.argv : [...state.shell, command.line];
}

/** The words are sorted as written; one word may become several or none (META-1). */
function applyExpose(state: StageState<unknown>, instruction: ExposeInstruction): string {
  const written = instruction.ports.map(({ text }) => text).sort(byCodeUnit);
  const words = written.flatMap((text) =>
    expandWords(text, state.lookup, { escape: state.escape }),
  );
  const ports = parsePorts(words);
  const exposed = ports.map((port) => [port, Object.freeze({})] as const);
  state.container.ExposedPorts = Object.freeze({
    ...state.container.ExposedPorts,
    ...Object.fromEntries(exposed),
  });
  return `EXPOSE ${plainList(ports)}`;
}

function byCodeUnit(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}

function applyVolume(state: StageState<unknown>, paths: readonly string[]): string {
  if (paths.includes('')) {
    throw invalid('Cannot declare a volume: VOLUME specified can not be an empty string');
  }
  const volumes = paths.map((path) => [path, Object.freeze({})] as const);
  state.container.Volumes = Object.freeze({
    ...state.container.Volumes,
    ...Object.fromEntries(volumes),
  });
  return `VOLUME ${plainList(paths)}`;
}

function applyHealthcheck(state: StageState<unknown>, instruction: HealthcheckInstruction): string {
  const check: Healthcheck = {
    Test: Object.freeze(healthTest(instruction.command)),
    ...(instruction.interval !== 0 && { Interval: instruction.interval }),
    ...(instruction.timeout !== 0 && { Timeout: instruction.timeout }),
    ...(instruction.startPeriod !== 0 && { StartPeriod: instruction.startPeriod }),
    ...(instruction.startInterval !== 0 && { StartInterval: instruction.startInterval }),
    ...(instruction.retries !== 0 && { Retries: instruction.retries }),
  };
  state.container.Healthcheck = Object.freeze(check);
  return `HEALTHCHECK ${formatHealthcheck(check)}`;
}

/** The shell of `CMD-SHELL` is the runtime's choice (CMD-4). */
function healthTest(command: Command | undefined): readonly string[] {
  if (command === undefined) return ['NONE'];
  return command.form === 'exec' ? ['CMD', ...command.argv] : ['CMD-SHELL', command.line];
}
