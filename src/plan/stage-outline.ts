/** The stages of a Dockerfile before any is evaluated: names, bases, platforms (1.6). */

import {
  type Dockerfile,
  expandWord,
  type FromInstruction,
  type Instruction,
} from '../../parser/index.ts';
import { locate, type SourceLocation, suggest, TsbuildError } from '../errors.ts';
import { type Platform, parsePlatform } from '../oci/platform.ts';
import { invalid, locationOf, withHint } from './failures.ts';
import type { BaseImage } from './options.ts';
import type { Source, Sources } from './sources.ts';

export type StageInstruction = Exclude<Instruction, FromInstruction>;

export interface StageOutline {
  readonly index: number;
  /** Lower case. */
  readonly name: string | undefined;
  /** `build`, `stage-2`, or '' when there is but one stage (MP-5). */
  readonly displayName: string;
  readonly base: { readonly kind: 'stage'; readonly stage: StageOutline } | Source;
  /** From `--platform`. */
  readonly platform: Platform | undefined;
  /** Empty when a named context takes the stage's place (FROM-9). */
  readonly instructions: readonly StageInstruction[];
  /** A named context has the stage's name. */
  readonly isReplaced: boolean;
  readonly location: SourceLocation;
}

interface OutlineOptions<Image extends BaseImage> {
  readonly values: ReadonlyMap<string, string>;
  readonly buildPlatform: Platform;
  readonly sources: Sources<Image>;
}

/** The stages in file order. @throws ERR_INSTRUCTION_INVALID, ERR_REFERENCE_INVALID, ERR_PLATFORM_INVALID, ERR_VARIABLE */
export function outlineStages<Image extends BaseImage>(
  dockerfile: Dockerfile,
  options: OutlineOptions<Image>,
): readonly StageOutline[] {
  const groups = groupByStage(dockerfile);
  const byName = new Map<string, StageOutline>();
  const stages: StageOutline[] = [];
  for (const [index, { from, instructions }] of groups.entries()) {
    const location = locationOf(dockerfile, from.range);
    try {
      const name = from.name?.toLowerCase();
      const platform = platformOf(from, dockerfile, options);
      const replacement = name === undefined ? undefined : options.sources.context(name, platform);
      const stage: StageOutline = Object.freeze({
        index,
        name,
        displayName: name ?? `stage-${index}`,
        base: replacement ?? baseOf(from, byName, { ...options, dockerfile, platform }),
        platform,
        instructions: replacement === undefined ? instructions : [],
        isReplaced: replacement !== undefined,
        location,
      });
      stages.push(stage);
      if (name !== undefined) byName.set(name, stage);
    } catch (error) {
      throw locate(error, location);
    }
  }
  return stages;
}

/** The stage that a `--from` or a target means: the last of that name (FROM-2, FROM-3). */
export function findStage(stages: readonly StageOutline[], name: string): StageOutline | undefined {
  return stages.findLast((stage) => stage.name === name.toLowerCase());
}

/** The stage to build: by name, by index, or the last (FROM-4). @throws ERR_STAGE_UNKNOWN */
export function findTarget(
  stages: readonly StageOutline[],
  target: string | undefined,
): StageOutline {
  const found =
    target === undefined || target === ''
      ? stages.at(-1)
      : (findStage(stages, target) ?? (/^\d+$/.test(target) ? stages[Number(target)] : undefined));
  if (found !== undefined) return found;
  const name = target ?? '';
  const names = stages.flatMap((stage) => stage.name ?? []);
  const close = suggest(name, names);
  throw new TsbuildError('ERR_STAGE_UNKNOWN', {
    message: `Cannot build "${name}": target stage "${name}" could not be found`,
    details: { stage: name },
    hint:
      close === undefined
        ? `The stages are: ${names.map((each) => `"${each}"`).join(', ') || 'without names'}.`
        : `Did you mean "${close}"?`,
  });
}

interface StageGroup {
  readonly from: FromInstruction;
  readonly instructions: StageInstruction[];
}

function groupByStage(dockerfile: Dockerfile): readonly StageGroup[] {
  const groups: StageGroup[] = [];
  for (const instruction of dockerfile.instructions) {
    if (instruction.kind === 'from') groups.push({ from: instruction, instructions: [] });
    else groups.at(-1)?.instructions.push(instruction);
  }
  if (groups.length > 0) return groups;
  throw invalid(`Cannot build "${dockerfile.file}": dockerfile contains no stages to build`);
}

function baseOf<Image extends BaseImage>(
  from: FromInstruction,
  byName: ReadonlyMap<string, StageOutline>,
  options: OutlineOptions<Image> & {
    readonly dockerfile: Dockerfile;
    readonly platform: Platform | undefined;
  },
): StageOutline['base'] {
  const written = from.image.text;
  const { text, unset } = expandGlobal(written, options.dockerfile, options.values);
  const stage = byName.get(text);
  if (stage !== undefined) return { kind: 'stage', stage };
  const hint = unsetHint(unset, options);
  if (text === '') {
    throw invalid(`Cannot start a stage: base name (${written}) should not be blank`, hint);
  }
  try {
    return options.sources.find(text, options.platform);
  } catch (error) {
    // What is missing in the name matters more than the name that is left.
    throw hint === undefined ? error : withHint(error, hint);
  }
}

function platformOf<Image extends BaseImage>(
  from: FromInstruction,
  dockerfile: Dockerfile,
  options: OutlineOptions<Image>,
): Platform | undefined {
  if (from.platform === undefined) return undefined;
  const { text, unset } = expandGlobal(from.platform, dockerfile, options.values);
  if (text !== '') return parsePlatform(text, options.buildPlatform);
  throw invalid(
    `Cannot start a stage: empty platform value from expression ${from.platform}`,
    unsetHint(unset, { ...options, dockerfile }),
  );
}

function expandGlobal(
  written: string,
  dockerfile: Dockerfile,
  values: ReadonlyMap<string, string>,
): { readonly text: string; readonly unset: readonly string[] } {
  const unset: string[] = [];
  const text = expandWord(written, (name) => values.get(name), {
    escape: dockerfile.escape,
    onUnset: (name) => unset.push(name),
  });
  return { text, unset };
}

function unsetHint<Image extends BaseImage>(
  unset: readonly string[],
  { dockerfile, values }: OutlineOptions<Image> & { readonly dockerfile: Dockerfile },
): string | undefined {
  const [name] = unset;
  if (name === undefined) return undefined;
  const firstStage = dockerfile.instructions.findIndex(({ kind }) => kind === 'from');
  const isDeclared = dockerfile.instructions
    .slice(0, firstStage)
    .some((each) => each.kind === 'arg' && each.args.some((arg) => arg.name === name));
  if (isDeclared) return `"${name}" has no value. Pass one with "--build-arg ${name}=…".`;
  const close = suggest(name, values.keys());
  if (close !== undefined) return `"${name}" is not declared. Did you mean "${close}"?`;
  return `FROM sees only ARGs from above the first FROM. Declare "ARG ${name}" there.`;
}
