/** What a step is called in progress output: `[build 2/5] RUN make` (MP-5, LIM-4). */

import type { Heredoc } from '../../parser/index.ts';
import type { StageInstruction } from './stage-outline.ts';

/** Numbers the steps of one stage. */
export class StepNames {
  readonly #stage: string;
  readonly #total: number;
  #index = 0;

  /** `total` counts FROM, if it names an image, and the instructions that `isCounted()`. */
  constructor(stage: string, total: number) {
    this.#stage = stage;
    this.#total = total;
  }

  next(text: string): string {
    this.#index += 1;
    const total = String(this.#total);
    const index = String(this.#index).padStart(total.length);
    return `[${this.#stage === '' ? '' : `${this.#stage} `}${index}/${total}] ${text}`;
  }
}

/** Whether an instruction has a number. */
export function isCounted(instruction: StageInstruction): boolean {
  return ['run', 'copy', 'add', 'workdir'].includes(instruction.kind);
}

/** The instruction in one line. A script that is a heredoc is shown by its first line (HD-7). */
export function instructionText(instruction: StageInstruction, isTrigger: boolean): string {
  const line = instruction.text.replace(/\s+/g, ' ').trim();
  const space = line.indexOf(' ');
  const text =
    space < 0 ? line.toUpperCase() : line.slice(0, space).toUpperCase() + line.slice(space);
  const script = instruction.kind === 'run' ? instruction.heredocs[0] : undefined;
  const summary = script === undefined ? '' : ` (${summarize(script)})`;
  return `${isTrigger ? 'ONBUILD ' : ''}${text}${summary}`;
}

function summarize(heredoc: Heredoc): string {
  const [first = '', ...rest] = heredoc.content.trim().split(/\r?\n/);
  return rest.length > 0 ? `${first}...` : first;
}
