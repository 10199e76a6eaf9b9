/** Checks of one instruction, which also bring the stage's scope to what holds after it. */

import type {
  ArgInstruction,
  CommandInstruction,
  HealthcheckInstruction,
  Instruction,
  PairsInstruction,
  Word,
  WordInstruction,
} from '../ast.ts';
import { expandWords } from '../expand.ts';
import { parseMount } from '../mount.ts';
import { expandReporting, type InstructionContext, NOT_EXPORTED } from './context.ts';
import { checkCopy } from './copy-checks.ts';
import { lowerProtocol, toJson, toPair } from './fixes-values.ts';
import type { Fix } from './options.ts';
import { RULES } from './rules.ts';
import type { StageScope } from './stage-scope.ts';

/** What cannot be evaluated is passed over: the build fails there. */
export function checkInstruction(instruction: Instruction, context: InstructionContext): void {
  try {
    evaluate(instruction, context);
  } catch {
    // A bad substitution, or a mount that is none.
  }
}

function evaluate(instruction: Instruction, context: InstructionContext): void {
  switch (instruction.kind) {
    case 'arg':
      return checkArg(instruction, context);
    case 'env':
    case 'label':
      return checkPairs(instruction, context);
    case 'cmd':
    case 'entrypoint':
      return checkCommand(instruction, context);
    case 'healthcheck':
      return checkOnce(instruction, context);
    case 'copy':
    case 'add':
      return checkCopy(instruction, context);
    case 'user':
    case 'workdir':
    case 'stopsignal':
      return checkWord(instruction, context);
    case 'volume':
      for (const path of instruction.paths) expandReporting(path, context);
      return;
    case 'run':
      for (const mount of instruction.mounts) {
        parseMount(mount, { expand: (value) => expandReporting(value, context) });
      }
      return;
    case 'expose':
      for (const word of instruction.ports) checkPorts(word, context);
      return;
    case 'shell':
      context.scope.hasShell = instruction.argv.length > 0;
      return;
    case 'from':
    case 'maintainer':
    case 'onbuild':
  }
}

/** One after the other: a default sees the ARGs to its left (VAR-10). */
function checkArg(instruction: ArgInstruction, context: InstructionContext): void {
  const { scope, buildArgs, globals, warn } = context;
  for (const { name, default: written } of instruction.args) {
    if (isSecret(name)) warn(RULES.SecretsUsedInArgOrEnv, 'ARG', name);
    const given = Object.hasOwn(buildArgs, name) ? buildArgs[name] : undefined;
    const value =
      given ??
      (written === undefined ? globals.values.get(name) : expandReporting(written, context));
    if (value !== undefined && !NOT_EXPORTED.includes(name)) setVariable(scope, name, value);
    scope.declared.add(name);
  }
}

/** All words are expanded before any is set (VAR-10). */
function checkPairs(instruction: PairsInstruction, context: InstructionContext): void {
  const pairs = instruction.pairs.map(
    ({ name, value }) => [expandReporting(name, context), expandReporting(value, context)] as const,
  );
  if (instruction.legacy) {
    const fix = (): Fix | undefined => toPair(instruction, context.dockerfile, context.lines);
    context.warnFixable(fix)(RULES.LegacyKeyValueFormat, instruction.keyword);
  }
  if (instruction.kind === 'label') return;
  for (const [name, value] of pairs) {
    if (isSecret(name)) context.warn(RULES.SecretsUsedInArgOrEnv, 'ENV', name);
    setVariable(context.scope, name, value);
  }
}

function setVariable({ variables }: StageScope, name: string, value: string): void {
  variables.delete(name);
  variables.set(name, value);
}

const SECRET = /(?:_|^)(?:apikey|auth|credentials?|key|password|pword|passwd|secret|token)(?:_|$)/i;
const HARMLESS = /(?:_|^)(?:public|file|version)(?:_|$)/i;

function isSecret(name: string): boolean {
  return SECRET.test(name) && !HARMLESS.test(name);
}

function checkCommand(instruction: CommandInstruction, context: InstructionContext): void {
  checkOnce(instruction, context);
  if (instruction.command.form === 'shell' && !context.scope.hasShell) {
    const fix = (): Fix | undefined => toJson(instruction, context);
    context.warnFixable(fix)(RULES.JSONArgsRecommended, instruction.keyword);
  }
}

/** The earlier one is reported: it is the one without effect. */
function checkOnce(
  instruction: CommandInstruction | HealthcheckInstruction,
  { scope, reporter }: InstructionContext,
): void {
  const { kind, keyword, range } = instruction;
  const earlier = scope.lastOf.get(kind);
  if (earlier !== undefined) {
    reporter.at(instruction, earlier)(RULES.MultipleInstructionsDisallowed, keyword);
  }
  scope.lastOf.set(kind, range);
}

function checkWord(instruction: WordInstruction, context: InstructionContext): void {
  const value = expandReporting(instruction.value, context);
  if (instruction.kind !== 'workdir') return;
  const { scope, warn } = context;
  // The first one of the file decides; a base image may change.
  if (!scope.hasWorkdir && !value.startsWith('/')) warn(RULES.WorkdirRelativePath, value);
  scope.hasWorkdir = true;
}

/** BuildKit does not look for undefined variables here. */
function checkPorts(word: Word, { scope, warn, warnFixable }: InstructionContext): void {
  const { escape, variables } = scope;
  for (const port of expandWords(word.text, (name) => variables.get(name), { escape })) {
    const protocol = port.slice(port.lastIndexOf(':') + 1).split('/')[1] ?? '';
    if (protocol !== protocol.toLowerCase()) {
      warnFixable(() => lowerProtocol(word))(RULES.ExposeProtoCasing, port);
    }
    const mapping = port.slice(0, Math.max(port.lastIndexOf(':'), 0));
    if (/[^:]/.test(mapping)) warn(RULES.ExposeInvalidFormat, port);
  }
}
