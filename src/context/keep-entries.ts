/** Ignore rules on a list of entries, with what the scan of a directory makes of them. */

import { type Entry, metadataOf } from '../tree/entry.ts';
import { isWithin } from '../tree/path.ts';

/**
 * The entries that are not ignored, in their order. An ignored directory is there when something in
 * it is kept. Of a file with several names the first that is kept carries the content.
 */
export function* keepEntries(
  entries: Iterable<Entry>,
  isIgnored: (path: string) => boolean,
): Generator<Entry> {
  const withheld: Entry[] = [];
  /** Ignored entries by path, that hard links may point to. */
  const dropped = new Map<string, Entry>();
  const carriers = new Map<string, string>();
  for (const entry of entries) {
    while (withheld.length > 0 && !isWithin(entry.path, withheld.at(-1)?.path ?? '')) {
      withheld.pop();
    }
    if (isIgnored(entry.path)) {
      if (entry.type === 'directory') withheld.push(entry);
      else if (entry.type !== 'hardlink') dropped.set(entry.path, entry);
      continue;
    }
    yield* withheld.splice(0);
    if (entry.type !== 'hardlink') {
      yield entry;
      continue;
    }
    const origin = dropped.get(entry.target);
    const carrier = carriers.get(entry.target);
    if (origin === undefined) yield entry;
    else if (carrier !== undefined)
      yield { ...metadataOf(entry), type: 'hardlink', target: carrier };
    else {
      carriers.set(entry.target, entry.path);
      yield { ...origin, path: entry.path };
    }
  }
}
