/** Files that were one file in the source are one file in the layer (CP-19). Pure. */

import { type Entry, metadataOf } from '../tree/entry.ts';
import type { ContentOrigin, SourceTree } from './content-origin.ts';

/**
 * Turns files into hard links where their source was one: the first name in the index's order keeps
 * the content. Two source paths with one content are links; one source path copied twice is two files.
 */
export function linkFiles<O extends SourceTree>(
  entries: Entry[],
  origins: ReadonlyMap<string, ContentOrigin<O>>,
): Entry[] {
  const links = [...origins.values()].filter(({ name, entry }) => name !== entry.path);
  if (links.length === 0) return entries;
  /** Of each content that has several names: the destinations by name. */
  const groups = new Map(links.map((link) => [contentKey(link), new Map<string, string>()]));
  for (const { path, type } of entries) {
    const origin = type === 'file' ? origins.get(path) : undefined;
    const names = origin === undefined ? undefined : groups.get(contentKey(origin));
    if (origin !== undefined && !names?.has(origin.name)) names?.set(origin.name, path);
  }
  const targets = new Map<string, string>();
  for (const names of groups.values()) {
    const [first, ...others] = names.values();
    for (const other of others) if (first !== undefined) targets.set(other, first);
  }
  return entries.map((entry) => {
    const target = targets.get(entry.path);
    return target === undefined ? entry : { ...metadataOf(entry), type: 'hardlink', target };
  });
}

/** Names contents: the copy, the layer of its tree, the path in that. */
function contentKey<O extends SourceTree>({ copy, layer, entry }: ContentOrigin<O>): string {
  return `${copy}:${layer}:${entry.path}`;
}
