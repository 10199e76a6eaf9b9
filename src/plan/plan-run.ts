/** RUN: what is executed, with which environment and mounts (1.7, 1.9). */

import { expandWords, type RunInstruction } from '../../parser/index.ts';
import { invalid } from './failures.ts';
import { layerEntry, runText } from './history.ts';
import { planDevices } from './plan-devices.ts';
import { planMounts } from './plan-mounts.ts';
import { type Planning, stepBase } from './planning.ts';
import type { StageState } from './stage-state.ts';
import type { RunStep } from './step.ts';

/** @throws ERR_INSTRUCTION_INVALID, ERR_VARIABLE, and what finding a mount's `from` throws */
export async function planRun<Image>(
  state: StageState<Image>,
  instruction: RunInstruction,
  planning: Planning<Image>,
): Promise<RunStep<Image>> {
  checkEntitlements(instruction, planning);
  const { words, script } = readCommand(instruction);
  const isShell = instruction.command.form === 'shell';
  const argv = Object.freeze(isShell ? [...state.shell, ...words] : words);
  // Before anything is waited for: the number belongs to this instruction.
  const name = planning.nextName();
  const { mounts, sshSocket } = await planMounts(state, instruction, planning);
  const devices = await planDevices(instruction.devices, planning);
  return Object.freeze({
    kind: 'run',
    ...stepBase(state, planning, { name, history: layerEntry(runText(argv, state.args)) }),
    argv,
    env: environmentOf(state, sshSocket),
    proxyEnv: Object.freeze([...planning.args.proxyEnv]),
    cwd: state.workingDirectory,
    user: state.user,
    network: networkOf(instruction, planning),
    hostname: planning.args.hostname,
    security: instruction.security ?? 'sandbox',
    mounts,
    devices,
    script,
    platform: state.platform,
  });
}

/** The first agent is the one that programs find, unless the image says otherwise (RUN-22). */
function environmentOf<Image>(
  { env }: StageState<Image>,
  sshSocket: string | undefined,
): readonly string[] {
  const variables = [...env].map(([key, value]) => `${key}=${value}`);
  if (sshSocket !== undefined && !env.has('SSH_AUTH_SOCK')) {
    variables.push(`SSH_AUTH_SOCK=${sshSocket}`);
  }
  return Object.freeze(variables);
}

/** ENT-1, RUN-2. The host's network is no privilege where every RUN of the build has it anyway. */
function checkEntitlements(
  { network, security }: RunInstruction,
  { network: usual, allow }: Pick<Planning<unknown>, 'network' | 'allow'>,
): void {
  const hasHost = usual === 'default' || usual === 'host';
  if (network === 'host' && !hasHost) demand('network.host', allow);
  if (security === 'insecure') demand('security.insecure', allow);
}

function demand(entitlement: string, allow: ReadonlySet<string>): void {
  if (allow.has(entitlement)) return;
  throw invalid(
    `Cannot run the step: ${entitlement} is not allowed`,
    `If you trust this Dockerfile with it, say so: "--allow ${entitlement}".`,
  );
}

/** `--network=default` is the build's, which is also what no flag means (RUN-2). */
function networkOf(
  instruction: RunInstruction,
  planning: { readonly network: RunStep<unknown>['network'] },
): RunStep<unknown>['network'] {
  const { network = 'default' } = instruction;
  return network === 'default' ? planning.network : network;
}

interface RunCommand {
  readonly words: readonly string[];
  readonly script: RunStep<unknown>['script'];
}

function readCommand({ command, heredocs }: RunInstruction): RunCommand {
  if (command.form === 'exec') {
    if (heredocs.length === 0) return { words: [...command.argv], script: undefined };
    throw invalid('Cannot run the command: it has a heredoc, but no shell to read it');
  }
  const [first] = heredocs;
  if (first === undefined) return { words: [command.line], script: undefined };
  if (!isHeredocAlone(command.line)) {
    // The shell reads it by itself: as written, bodies and all (HD-5).
    const bodies = heredocs.map(({ content, name }) => `\n${content}${name}`);
    return { words: [command.line + bodies.join('')], script: undefined };
  }
  if (!first.content.startsWith('#!')) return { words: [first.content], script: undefined };
  const script = Object.freeze({ path: `/dev/pipes/${first.name}`, content: first.content });
  return { words: [script.path], script };
}

/** `<<EOF` and nothing else: its body is the script (HD-4). */
function isHeredocAlone(line: string): boolean {
  const delimiter = /^\s*\d*<<-?\s*([^<]*)$/.exec(line)?.[1];
  if (delimiter === undefined) return false;
  return expandWords(delimiter, () => undefined, { escape: '\\' }).length === 1;
}
