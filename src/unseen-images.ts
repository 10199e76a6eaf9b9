/**
 * Images that cannot be looked at now. A check or an outline is useful without them: it goes on with a
 * stand-in of which nothing is known, and says what it has not seen.
 */

import { hasCode, TsbuildError } from './errors.ts';
import type { ImageConfig } from './oci/image.ts';
import { formatAll, type Platform } from './oci/platform.ts';
import { familiarName, parseReference } from './oci/reference.ts';
import type { PlanOptions } from './plan/options.ts';
import type { PlannedStage } from './plan/step.ts';
import type { PullImage } from './request.ts';
import { type ImagesOptions, pullImage } from './solve/images.ts';
import type { BaseImage } from './solve/layer.ts';

/** An image that would tell more. */
export interface UnseenImage {
  /** As people write it, e.g. `debian:13`. */
  readonly image: string;
  /** Why it was not looked at, and where the Dockerfile names it. */
  readonly reason: TsbuildError;
}

/** What checks and outlines need to know of an image. */
export interface LookedAt {
  readonly config: ImageConfig;
  /** A stand-in: the image may be anything. */
  readonly isUnseen?: boolean;
}

/** Milliseconds for one image. Nobody waits longer for advice. */
const PATIENCE = 5000;

/** Tries of one request to a registry: one more for a connection that was cut. */
export const ATTEMPTS = 2;

/** Looks at images for one check or outline: at each once, and at none of a registry that is not there. */
export class UnseenImages {
  readonly #found = new Map<string, UnseenImage>();
  readonly #images = new Map<string, Promise<BaseImage>>();
  /** The first question to each registry: the others wait for its answer. */
  readonly #firsts = new Map<string, Promise<BaseImage>>();

  /** In the order in which they were asked for. */
  get found(): readonly UnseenImage[] {
    return [...this.#found.values()];
  }

  /** Like `pullImage()`, with less patience. */
  readonly pull: PullImage = (reference, platform, options) => {
    const key = `${reference} ${formatAll(platform)}`;
    const known = this.#images.get(key);
    if (known !== undefined) return known;
    const image = this.#ask(reference, platform, options);
    this.#images.set(key, image);
    return image;
  };

  /** For an image that the registry does not tell about now; undefined when it says that there is none. */
  readonly standIn: NonNullable<PlanOptions<LookedAt>['standIn']> = (
    reason,
    { reference, platform },
  ) => {
    const isUnseen =
      hasCode(reason, 'ERR_REGISTRY_UNREACHABLE') ||
      hasCode(reason, 'ERR_REGISTRY_DENIED') ||
      hasCode(reason, 'ERR_REGISTRY_FAILED');
    if (!isUnseen) return undefined;
    const key = `${reference} ${formatAll(platform)}`;
    const image = familiarName(parseReference(reference));
    if (!this.#found.has(key)) this.#found.set(key, { image, reason });
    const { os, architecture } = platform;
    const rootfs = { type: 'layers', diff_ids: [] } as const;
    return { config: { os, architecture, config: {}, rootfs, history: [] }, isUnseen: true };
  };

  async #ask(reference: string, platform: Platform, options: ImagesOptions): Promise<BaseImage> {
    const { registry } = parseReference(reference);
    const first = this.#firsts.get(registry);
    if (first === undefined) {
      const asked = pullQuickly(reference, platform, options);
      this.#firsts.set(registry, asked);
      return await asked;
    }
    const failure: unknown = await first.then(
      () => undefined,
      (error: unknown) => error,
    );
    if (!hasCode(failure, 'ERR_REGISTRY_UNREACHABLE')) {
      return await pullQuickly(reference, platform, options);
    }
    throw unreachable(reference, 'is not reachable', failure);
  }
}

async function pullQuickly(
  reference: string,
  platform: Platform,
  options: ImagesOptions,
): Promise<BaseImage> {
  const patience = AbortSignal.timeout(PATIENCE);
  try {
    const signal = AbortSignal.any([options.signal, patience]);
    return await pullImage(reference, platform, { ...options, signal });
  } catch (error) {
    options.signal.throwIfAborted();
    if (!patience.aborted) throw error;
    throw unreachable(reference, `has not answered within ${PATIENCE / 1000} seconds`, error);
  }
}

function unreachable(reference: string, what: string, cause: unknown): TsbuildError {
  const parsed = parseReference(reference);
  const { registry } = parsed;
  return new TsbuildError('ERR_REGISTRY_UNREACHABLE', {
    message: `Cannot access "${familiarName(parsed)}": ${registry} ${what}`,
    details: { registry },
    hint: cause instanceof TsbuildError ? cause.hint : undefined,
    cause,
  });
}

/** Whether what a stage starts from, through other stages, was not looked at. */
export function isOnUnseen(stage: PlannedStage<LookedAt>): boolean {
  let { base } = stage;
  while (base.kind === 'stage') ({ base } = base.stage);
  return base.kind === 'image' && base.image.isUnseen === true;
}
