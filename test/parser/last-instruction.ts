/** The instruction that a test of the parser is about. */

import assert from 'node:assert/strict';
import { type Instruction, parseDockerfile } from '../../parser/index.ts';

/** The last instruction of a file; its kind must be the one given. */
export function lastOf<K extends Instruction['kind']>(
  source: string,
  kind: K,
): Instruction & { kind: K } {
  const found = parseDockerfile(source).instructions.at(-1);
  assert.ok(found !== undefined && isKind(found, kind));
  return found;
}

/** The same of a stage, whose FROM is line 1. */
export function lastInStage<K extends Instruction['kind']>(
  text: string,
  kind: K,
): Instruction & { kind: K } {
  return lastOf(`FROM x\n${text}`, kind);
}

function isKind<K extends Instruction['kind']>(
  instruction: Instruction,
  kind: K,
): instruction is Instruction & { kind: K } {
  return instruction.kind === kind;
}
