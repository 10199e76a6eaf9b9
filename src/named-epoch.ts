/** The time that SOURCE_DATE_EPOCH asks for by the name of a context or of a stage (ARG-9). */

import type { Dockerfile } from '../parser/index.ts';
import type { Input } from './input.ts';
import { epochPlaceIn } from './plan/global-args.ts';
import { planOptionsOf, type PlanRequest } from './request.ts';

/**
 * Seconds since the Unix epoch; undefined when no name is asked for, and for what has no time of its own.
 * What is fetched for it is fetched once. @throws ERR_DOWNLOAD_FAILED, ERR_GIT_FAILED, …
 */
export async function findNamedEpoch(
  dockerfile: Dockerfile,
  work: PlanRequest & { readonly input: Input },
): Promise<number | undefined> {
  const { input } = work;
  const place = epochPlaceIn(dockerfile, planOptionsOf(work));
  switch (place?.kind) {
    case undefined:
      return undefined;
    case 'context':
      return await input.epochOfNamed(place.name);
    case 'git':
      return await input.epochOfCommit(place.source);
    case 'file': {
      const { mtime } = await input.fetchFile(place.url, place.checksum);
      // A server that does not say when has 0.
      return mtime === 0 ? undefined : mtime;
    }
  }
}
