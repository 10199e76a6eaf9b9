/** What a `--from` of COPY or of a mount means (FROM-4, FROM-9, RUN-15). */

import { expandWord } from '../../parser/index.ts';
import { locate, type SourceLocation, TsbuildError } from '../errors.ts';
import { invalid } from './failures.ts';
import type { BaseImage } from './options.ts';
import type { Source, Sources } from './sources.ts';
import { findStage, type StageOutline } from './stage-outline.ts';

export type OutlineOrigin = { readonly kind: 'stage'; readonly stage: StageOutline } | Source;

interface OriginOptions<Image extends BaseImage> {
  readonly stages: readonly StageOutline[];
  readonly sources: Sources<Image>;
  /** COPY takes stages by number too, mounts do not. */
  readonly allowIndex: boolean;
  readonly location: SourceLocation;
}

/** A stage, else an image or a named context. @throws ERR_STAGE_UNKNOWN, ERR_REFERENCE_INVALID */
export function findOrigin<Image extends BaseImage>(
  name: string,
  options: OriginOptions<Image>,
): OutlineOrigin {
  const { stages, sources, allowIndex, location } = options;
  if (allowIndex) refuseVariables(name, location);
  if (allowIndex && /^[+-]?\d+$/.test(name)) return atIndex(name, stages, location);
  const stage = findStage(stages, name);
  if (stage !== undefined) return throughReplacement(stage);
  try {
    return sources.find(name);
  } catch (error) {
    throw locate(error, location);
  }
}

/** VAR-9; the parser says the same of mounts. */
function refuseVariables(name: string, location: SourceLocation): void {
  if (expandWord(name, () => undefined, { escape: '\\' }) === name) return;
  throw locate(
    invalid(
      `Cannot copy --from=${name}: variable expansion is not supported for --from, define a new stage with FROM using ARG from global scope as a workaround`,
    ),
    location,
  );
}

function atIndex(
  name: string,
  stages: readonly StageOutline[],
  location: SourceLocation,
): OutlineOrigin {
  const stage = Number(name) < 0 ? undefined : stages[Number(name)];
  if (stage !== undefined) return throughReplacement(stage);
  throw new TsbuildError('ERR_STAGE_UNKNOWN', {
    message: `Cannot copy from stage ${name}: invalid stage index ${Number(name)}`,
    details: { stage: name },
    location,
    hint: `The stages are numbered from 0 to ${stages.length - 1}.`,
  });
}

/** A directory in the place of a stage has files, but nothing to build. */
function throughReplacement(stage: StageOutline): OutlineOrigin {
  if (stage.isReplaced && stage.base.kind === 'directory') return stage.base;
  return { kind: 'stage', stage };
}
