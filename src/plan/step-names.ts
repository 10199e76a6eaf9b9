/** What a step is called in progress output: `[build 2/5] RUN make` (MP-5, LIM-4). */

import type { Heredoc } from '../../parser/index.ts';
import { formatAll, formatPlatform, normalizePlatform, type Platform } from '../oci/platform.ts';
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

  /** `platform`: from `platformLabel()`, where the build is for several. */
  next(text: string, platform = ''): string {
    this.#index += 1;
    const total = String(this.#total);
    const index = String(this.#index).padStart(total.length);
    const place = [platform, this.#stage, `${index}/${total}`].filter((part) => part !== '');
    return `[${place.join(' ')}] ${text}`;
  }
}

/**
 * The platform that a step runs on, and after an arrow the one that it works for, if a TARGET… argument
 * has told it of another: `linux/amd64->arm64`. Until then it is the same step for all of them.
 */
export function platformLabel(
  platform: Platform,
  lookup: (name: string) => string | undefined,
): string {
  const own = formatAll(platform);
  const target = toldPlatform(platform, lookup);
  if (formatPlatform(target) === formatPlatform(platform)) return own;
  const isSibling = target.os === platform.os && target.architecture !== platform.architecture;
  const text = formatPlatform(target);
  return `${own}->${isSibling ? text.slice(target.os.length + 1) : text}`;
}

function toldPlatform(platform: Platform, lookup: (name: string) => string | undefined): Platform {
  const whole = lookup('TARGETPLATFORM');
  const [os, architecture, variant] = whole
    ? whole.replace(/\(.*?\)/, '').split('/')
    : ['TARGETOS', 'TARGETARCH', 'TARGETVARIANT'].map((name) => lookup(name) || undefined);
  const isSame = architecture === undefined || architecture === platform.architecture;
  return normalizePlatform({
    os: os ?? platform.os,
    architecture: architecture ?? platform.architecture,
    // Whoever asked for the architecture alone has not been told of another variant.
    variant: variant ?? (isSame ? platform.variant : undefined) ?? '',
  });
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
