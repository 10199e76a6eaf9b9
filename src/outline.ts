/** What a Dockerfile can build, and what a build of it can be given: parse → plan → list (OPT-3). */

import { parseDockerfile } from '../parser/index.ts';
import { readDockerfile } from './context/dockerfile.ts';
import { requireDirectory } from './context/local-context.ts';
import type { SourceRange } from './errors.ts';
import type { BuildOptions } from './options.ts';
import { descriptionOf } from './plan/descriptions.ts';
import { globalArgsOf } from './plan/global-args.ts';
import { type BuildOutline, outlineOf } from './plan/outline.ts';
import { planBuild } from './plan/plan.ts';
import { Progress } from './progress/progress.ts';
import { openRequestSession, planOptionsOf, readRequest } from './request.ts';

export type { BuildOutline, OutlineArg, OutlineCache, OutlineMount } from './plan/outline.ts';

/** Where an answer is from. */
interface Source {
  /** The Dockerfile's name. */
  readonly file: string;
  readonly source: string;
}

/** What `outline()` answers. */
export interface OutlineResult extends BuildOutline, Source {}

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
 * run; of base images only the configs are read. Takes what `build()` takes. Rejects with what a build
 * would fail with before its first step, and with the signal's reason.
 */
export async function outline(options: BuildOptions): Promise<OutlineResult> {
  options.signal?.throwIfAborted();
  const request = readRequest(options);
  await requireDirectory(options.context);
  const file = await readDockerfile(options.context, options.dockerfile);
  const dockerfile = parseDockerfile(file.text, { file: file.name });
  const signal = options.signal ?? new AbortController().signal;
  const progress = new Progress(undefined);
  const session = await openRequestSession(options, { request, progress, signal });
  try {
    const planOptions = planOptionsOf({ options, request, session, signal });
    const plan = await planBuild(dockerfile, planOptions);
    const globals = globalArgsOf(dockerfile, planOptions);
    return { ...outlineOf(dockerfile, { plan, globals }), file: file.name, source: file.text };
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  } finally {
    await session.close();
  }
}

/** Lists the stages. Only the Dockerfile is read. @throws what `parseDockerfile()` throws, ERR_CONTEXT_MISSING, ERR_DOCKERFILE_MISSING */
export async function targets(
  options: Pick<BuildOptions, 'context' | 'dockerfile' | 'signal'>,
): Promise<TargetsResult> {
  options.signal?.throwIfAborted();
  await requireDirectory(options.context);
  const file = await readDockerfile(options.context, options.dockerfile);
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
