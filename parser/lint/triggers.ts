/** What stands behind ONBUILD (HC-4). */

import type { Instruction } from '../ast.ts';
import { parseInstruction } from '../dockerfile.ts';

/** Its places are in the trigger, not in the file. Undefined when it is wrong: the build says how. */
export function readTrigger(text: string): Instruction | undefined {
  try {
    return parseInstruction(text, { file: 'ONBUILD' });
  } catch {
    return undefined;
  }
}
