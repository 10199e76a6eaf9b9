/** What the steps leave in the image's history (HIST-1, HIST-2). */

import type { History } from '../oci/image.ts';

/** Says which builder wrote an entry; BuildKit's is `buildkit.dockerfile.v0`. */
export const HISTORY_COMMENT = 'tsbuild.dockerfile.v0';

/** An entry without its time. */
export type HistoryEntry = Omit<History, 'created'>;

/** The entry of a step that makes a layer. */
export function layerEntry(createdBy: string): HistoryEntry {
  return Object.freeze({ created_by: createdBy, comment: HISTORY_COMMENT });
}

/** The entry of a step that only changes the config. */
export function emptyEntry(createdBy: string): HistoryEntry {
  return Object.freeze({ created_by: createdBy, comment: HISTORY_COMMENT, empty_layer: true });
}

/** RUN's text: `RUN |2 A=1 B=2 /bin/sh -c make # buildkit`, each ARG once, in order of declaration. */
export function runText(argv: readonly string[], args: ReadonlyMap<string, string>): string {
  const prefix =
    args.size === 0
      ? []
      : [`|${args.size}`, ...[...args].map(([name, value]) => `${name}=${value}`)];
  return `RUN ${[...prefix, ...argv].join(' ')} # buildkit`;
}
