/** A plan for each platform that was asked for, made side by side. */

import type { Dockerfile } from '../parser/index.ts';
import { forPlatform, joinErrors, TsbuildError } from './errors.ts';
import { formatAll } from './oci/platform.ts';
import type { BuildPlan } from './plan/step.ts';
import { planRequest, type PlanRequest, type PullImage } from './request.ts';
import { pullImage } from './solve/images.ts';
import type { BaseImage } from './solve/layer.ts';

/**
 * Plans the Dockerfile for every platform, in the order of the request. Each image is asked for once.
 * @throws what `planBuild()` throws, of each platform, what is the same for all of them once
 */
export async function planPlatforms(
  dockerfile: Dockerfile,
  work: PlanRequest,
): Promise<readonly BuildPlan<BaseImage>[]> {
  const { platforms } = work.request;
  if (platforms.length === 1) return [await planRequest(dockerfile, work)];
  const pull = once(work.pull ?? pullImage);
  const settled = await Promise.allSettled(
    platforms.map((platform) =>
      planRequest(dockerfile, { ...work, pull, request: { ...work.request, platform } }),
    ),
  );
  const failures = settled.flatMap((result, index) => {
    const platform = platforms[index];
    if (result.status === 'fulfilled' || platform === undefined) return [];
    return [{ error: result.reason as unknown, platform: formatAll(platform) }];
  });
  if (failures.length > 0) throw joined(failures, platforms.length);
  return settled.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
}

/** Two platforms may ask for one image of the platform that the build runs on. */
function once(pull: PullImage): PullImage {
  const known = new Map<string, Promise<BaseImage>>();
  return (reference, platform, options) => {
    const key = `${reference} ${formatAll(platform)}`;
    const image = known.get(key) ?? pull(reference, platform, options);
    known.set(key, image);
    return image;
  };
}

interface Failure {
  readonly error: unknown;
  readonly platform: string;
}

/** A mistake in the Dockerfile is one of all platforms; a base that lacks one of them is not. */
function joined(failures: readonly Failure[], platforms: number): unknown {
  const expected = failures.map(({ error }) => error).filter((each) => isExpected(each));
  if (expected.length < failures.length)
    return failures.find(({ error }) => !isExpected(error))?.error;
  const [first] = expected;
  const isSame = (each: TsbuildError): boolean =>
    each.message === first?.message && lineOf(each) === lineOf(first);
  if (expected.length === platforms && expected.every(isSame)) return first;
  const named = failures.map(({ error, platform }) => forPlatform(error, platform));
  return joinErrors(named.filter((each) => isExpected(each)));
}

function isExpected(error: unknown): error is TsbuildError {
  return error instanceof TsbuildError;
}

function lineOf({ location }: TsbuildError): number | undefined {
  return location?.range.start.line;
}
