/** What a Dockerfile can build, and what a build of it can be given: parse → plan → list (OPT-3). */

import { parseDockerfile } from '../parser/index.ts';
import type { SourceRange } from './errors.ts';
import { withInput } from './input.ts';
import type { BuildOptions } from './options.ts';
import { descriptionOf } from './plan/descriptions.ts';
import { globalArgsOf } from './plan/global-args.ts';
import { type BuildOutline, outlineOf } from './plan/outline.ts';
import { planBuild } from './plan/plan.ts';
import { Progress } from './progress/progress.ts';
import { planOptionsOf, readRequest } from './request.ts';
import { ATTEMPTS, type LookedAt, type UnseenImage, UnseenImages } from './unseen-images.ts';

export type { BuildOutline, OutlineArg, OutlineCache, OutlineMount } from './plan/outline.ts';

/** Where an answer is from. */
interface Source {
  /** The Dockerfile's name. */
  readonly file: string;
  readonly source: string;
}

/** What `outline()` answers. */
export interface OutlineResult extends BuildOutline, Source {
  /** What of them ARGs depend on (variables, triggers) is not in the lists. */
  readonly unseenImages: readonly UnseenImage[];
}

/** What `targets()` answers. */
export interface TargetsResult extends Source {
  /** In file order. */
  readonly targets: readonly BuildTarget[];
}

/** A stage: what `target` can name. */
export interface BuildTarget {
  /** Lower case; undefined when its FROM gives none. */
  readonly name: string | undefined;
  /** Built when nobody names one. */
  readonly isDefault: boolean;
  /** From the comment above it, '' without one. */
  readonly description: string;
  /** As written: a stage, an image, with variables. */
  readonly base: string;
  /** As written in `--platform`. */
  readonly platform: string | undefined;
  /** Of its FROM. */
  readonly range: SourceRange;
}

/**
 * Lists the ARGs, secrets, SSH agents and cache mounts of the target and of what it needs. Nothing is
 * run; of base images only the configs are read, if their registries answer. Takes what `build()` takes.
 * Rejects with what a build would fail with before its first step, and with the signal's reason.
 */
export async function outline(options: BuildOptions): Promise<OutlineResult> {
  options.signal?.throwIfAborted();
  const request = readRequest(options);
  const signal = options.signal ?? new AbortController().signal;
  const progress = new Progress(undefined);
  const unseen = new UnseenImages();
  return await withInput(
    { options, request, attempts: ATTEMPTS, progress, signal },
    async ({ file, context, session }) => {
      const dockerfile = parseDockerfile(file.text, { file: file.name });
      const planOptions = planOptionsOf({
        options,
        request,
        session: await session(),
        contextEpoch: context.epoch,
        pull: unseen.pull,
        signal,
      });
      const plan = await planBuild<LookedAt>(dockerfile, {
        ...planOptions,
        standIn: unseen.standIn,
      });
      const globals = globalArgsOf(dockerfile, planOptions);
      const listed = outlineOf(dockerfile, { plan, globals });
      return { ...listed, unseenImages: unseen.found, file: file.name, source: file.text };
    },
  );
}

/**
 * Lists the stages. Only the Dockerfile is read. Takes what `build()` takes. @throws what
 * `parseDockerfile()` throws, ERR_CONTEXT_MISSING, ERR_DOCKERFILE_MISSING, …
 */
export async function targets(options: BuildOptions): Promise<TargetsResult> {
  options.signal?.throwIfAborted();
  const signal = options.signal ?? new AbortController().signal;
  const work = {
    options,
    request: readRequest(options),
    progress: new Progress(undefined),
    signal,
  };
  const file = await withInput(work, async (input) => input.file);
  const { instructions } = parseDockerfile(file.text, { file: file.name });
  const froms = instructions.filter((each) => each.kind === 'from');
  const listed = froms.map((from, index) => {
    const name = from.name?.toLowerCase();
    return {
      name,
      isDefault: index === froms.length - 1,
      description: name === undefined ? '' : descriptionOf(name, from),
      base: from.image.text,
      platform: from.platform,
      range: from.range,
    };
  });
  return { targets: listed, file: file.name, source: file.text };
}
