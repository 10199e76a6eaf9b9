/** Checks of what an image starts from, and as whom. */

import type { Instruction, WordInstruction } from '../../ast.ts';
import { expandWord } from '../../expand.ts';
import {
  type BeyondChecks,
  type BeyondStage,
  instructionsOf,
  type StageRun,
  isWindows,
} from './context.ts';
import { OWN_RULES } from './rules.ts';

/** A base image must say which version it is. What cannot be evaluated is passed over. */
export function checkPinned({ stage }: BeyondStage, checks: BeyondChecks): void {
  const { globals, dockerfile, options, reporter } = checks;
  if (stage.base !== undefined || stage.isScratch) return;
  const image = evaluate(stage.from.image.text, globals.values, dockerfile.escape);
  if (image === undefined || options.buildContexts?.includes(image) === true) return;
  const name = image.slice(image.lastIndexOf('/') + 1);
  const tag = name.split(':')[1];
  if (image === '' || image.includes('@') || (tag !== undefined && tag !== 'latest')) return;
  reporter.at(stage.from)(OWN_RULES.UnpinnedBase, image);
}

function evaluate(
  text: string,
  values: ReadonlyMap<string, string>,
  escape: '\\' | '`',
): string | undefined {
  let isKnown = true;
  const onUnset = (): void => {
    isKnown = false;
  };
  try {
    const value = expandWord(text, (name) => values.get(name), { escape, onUnset });
    return isKnown ? value : undefined;
  } catch {
    return undefined;
  }
}

const ROOT = /^(?:root|0)(?::|$)/;

/** Images that are made to run as somebody else, as their names say. */
const ROOTLESS = /non-?root|rootless|unprivileged|^cgr\.dev\//;

/** Only for an image that says what it runs. */
export function checkUser(
  stage: BeyondStage,
  { dockerfile, globals, reporter, options, target }: BeyondChecks,
): void {
  const { from, instructions } = stage.stage;
  // There, nobody is called root.
  if (isWindows(dockerfile, options)) return;
  if (stage.stage !== target) return;
  const all = instructionsOf(stage);
  if (!all.some(({ kind }) => kind === 'cmd' || kind === 'entrypoint')) return;
  const user = all.findLast(isUser);
  if (user !== undefined) {
    const own = instructions.includes(user) ? user : from;
    if (ROOT.test(user.value)) reporter.at(own)(OWN_RULES.RunsAsRoot, '');
    return;
  }
  const known = knownUser(stage);
  const image = evaluate(stage.root.from.image.text, globals.values, dockerfile.escape);
  if (known === 'root') reporter.at(from)(OWN_RULES.RunsAsRoot, '');
  else if (known === undefined && image !== undefined && !ROOTLESS.test(image)) {
    reporter.at(from)(OWN_RULES.RunsAsRoot, image);
  }
}

function isUser(instruction: Instruction): instruction is WordInstruction {
  return instruction.kind === 'user';
}

/** Who an image's processes are before any USER; undefined when nobody knows. */
function knownUser({ root, facts }: BeyondStage): 'root' | 'other' | undefined {
  if (root.isScratch) return 'root';
  if (facts?.user === undefined) return undefined;
  return facts.user === '' || ROOT.test(facts.user) ? 'root' : 'other';
}

/** Who a RUN is, as far as USER and the base image say. */
export function userOf({ user }: StageRun, stage: BeyondStage): 'root' | 'other' | undefined {
  if (user === undefined) return knownUser(stage);
  if (user.value.includes('$')) return undefined;
  return ROOT.test(user.value) ? 'root' : 'other';
}
