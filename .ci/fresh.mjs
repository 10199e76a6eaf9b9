/** Whether something made is newer than everything it is made of. Runs on Node 20 and later. */

import { mkdirSync, readdirSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/**
 * Whether `stamp` exists and nothing below `inputs` (files, or folders with what `accepts` takes)
 * was changed after it. A folder's own time counts too: it tells that a file was removed.
 */
export function isFresh(stamp, inputs, accepts = () => true) {
  const made = timeOf(stamp);
  return made !== undefined && inputs.every((input) => newest(input, accepts) <= made);
}

/** Marks `stamp` as made at `time`, the moment the work began: a change during the work is newer. */
export function writeStamp(stamp, time) {
  mkdirSync(dirname(stamp), { recursive: true });
  writeFileSync(stamp, '');
  utimesSync(stamp, time / 1000, time / 1000);
}

function newest(path, accepts) {
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats === undefined) return 0;
  if (!stats.isDirectory()) return stats.mtimeMs;
  let latest = stats.mtimeMs;
  for (const entry of readdirSync(path, { withFileTypes: true })) {
    if (!entry.isDirectory() && !accepts(entry.name)) continue;
    latest = Math.max(latest, newest(join(path, entry.name), accepts));
  }
  return latest;
}

function timeOf(path) {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs;
}
