/**
 * Two root filesystems, path by path, without walking what they have in common: only what the layers
 * above their common ones name, and what those hide, can differ. Pure.
 */

import type { Entry } from '../tree/entry.ts';
import type { Found, ImageTree } from '../tree/image-tree.ts';
import type { LayerIndex } from '../tree/layer-index.ts';
import { comparePaths, isWithin } from '../tree/path.ts';
import { changedFields, isImplied, isOpaque, type Placed } from './file-facts.ts';
import type { FileField } from './difference.ts';

/** A path at which two filesystems differ. One of them may have nothing there. */
export interface TreeChange {
  readonly path: string;
  readonly fields: readonly FileField[];
  readonly a: Placed | undefined;
  readonly b: Placed | undefined;
}

/** Layers of an image that the other has not, lowest first. */
export type Uppers = readonly LayerIndex[];

/** Whether what differs can be told without the layers in common: both name the same, and hide the same. */
export function isSelfContained(a: Uppers, b: Uppers): boolean {
  if (a.length !== b.length) return false;
  return a.every((layer, number) => {
    const other = b[number];
    if (other === undefined) return false;
    for (const [x, y] of sideBySide(layer, other)) if (shapeOf(x) !== shapeOf(y)) return false;
    return true;
  });
}

export interface TreeSide {
  readonly tree: ImageTree;
  readonly uppers: Uppers;
  /** The place in the image of the tree's lowest layer. */
  readonly offset: number;
}

/** The differences of two trees, in the order of paths. `base`: the layers that they have in common. */
export function* treeChanges(a: TreeSide, b: TreeSide, base: ImageTree): Generator<TreeChange> {
  for (const path of candidates([...a.uppers, ...b.uppers], base)) {
    const [x, y] = [placedAt(a, path), placedAt(b, path)];
    if (x === undefined && y === undefined) continue;
    const fields = x === undefined || y === undefined ? [] : changedFields(x, y);
    if (x !== undefined && y !== undefined && fields.length === 0) continue;
    yield { path, fields, a: x, b: y };
  }
}

/** The entries of two layers that differ, hidden or not. */
export function* layerChanges(
  a: { readonly index: LayerIndex; readonly layer: number },
  b: { readonly index: LayerIndex; readonly layer: number },
): Generator<TreeChange> {
  for (const [entryA, entryB] of sideBySide(a.index, b.index)) {
    const x = entryA && placedIn(entryA, a.index, a.layer);
    const y = entryB && placedIn(entryB, b.index, b.layer);
    const only = x === undefined ? y : y === undefined ? x : undefined;
    // What an archive does not list is no entry, but comes from one below it.
    if (only !== undefined && isImplied(only.entry)) continue;
    const fields = x === undefined || y === undefined ? [] : fieldsInLayers(x, y);
    if (x !== undefined && y !== undefined && fields.length === 0) continue;
    yield { path: (entryA ?? entryB)?.path ?? '', fields, a: x, b: y };
  }
}

function fieldsInLayers(a: Placed, b: Placed): readonly FileField[] {
  const fields = changedFields(a, b);
  const isSame = fields.includes('type') || isOpaque(a.entry) === isOpaque(b.entry);
  return isSame ? fields : ['opaque', ...fields];
}

/** Whether a tree has at its path what a layer says. */
export function isVisible({ tree, offset }: TreeSide, placed: Placed | undefined): boolean {
  if (placed === undefined) return false;
  const found = tree.lookup(placed.entry.path);
  return found !== undefined && found.layer + offset === placed.layer;
}

/** Everything that some layer names, and what is below it in the base if the layer may hide that. */
function* candidates(layers: readonly LayerIndex[], base: ImageTree): Generator<string> {
  const walks: Walk[] = layers.map((layer) => startWalk(layer.within('')));
  /** Below it the base is walked already. */
  let walked: string | undefined;
  for (;;) {
    const path = lowestOf(walks);
    if (path === undefined) return;
    let hides = false;
    for (const walk of walks) {
      if (walk.head?.path !== path) continue;
      hides ||= walk.head.hides;
      advance(walk);
    }
    if (path !== '') yield path;
    if (!hides || (walked !== undefined && isWithin(path, walked))) continue;
    if (base.lookup(path)?.entry.type !== 'directory') continue;
    walked = path;
    walks.push(startWalk(entriesBelow(base, path), () => false));
  }
}

interface Walk {
  readonly entries: Iterator<Entry>;
  readonly hides: (entry: Entry) => boolean;
  head: { readonly path: string; readonly hides: boolean } | undefined;
}

function startWalk(entries: Generator<Entry>, hides = hidesBelow): Walk {
  const walk: Walk = { entries, hides, head: undefined };
  advance(walk);
  return walk;
}

function advance(walk: Walk): void {
  const { done, value } = walk.entries.next();
  walk.head = done ? undefined : { path: value.path, hides: walk.hides(value) };
}

function lowestOf(walks: readonly Walk[]): string | undefined {
  let path: string | undefined;
  for (const { head } of walks) {
    if (head !== undefined && (path === undefined || comparePaths(head.path, path) < 0)) {
      path = head.path;
    }
  }
  return path;
}

function* entriesBelow(tree: ImageTree, path: string): Generator<Entry> {
  for (const { entry } of tree.below(path)) yield entry;
}

function hidesBelow(entry: Entry): boolean {
  return entry.type !== 'directory' || entry.opaque === true;
}

/** Entries by path: one of the two may be missing. */
function* sideBySide(
  a: LayerIndex,
  b: LayerIndex,
): Generator<readonly [Entry | undefined, Entry | undefined]> {
  const [walkA, walkB] = [a.within(''), b.within('')];
  let [x, y] = [next(walkA), next(walkB)];
  while (x !== undefined || y !== undefined) {
    const order = x === undefined ? 1 : y === undefined ? -1 : comparePaths(x.path, y.path);
    yield [order <= 0 ? x : undefined, order >= 0 ? y : undefined];
    if (order <= 0) x = next(walkA);
    if (order >= 0) y = next(walkB);
  }
}

function next(walk: Generator<Entry>): Entry | undefined {
  const { done, value } = walk.next();
  return done ? undefined : value;
}

/** What an entry means for the layers below. */
function shapeOf(entry: Entry | undefined): string {
  if (entry === undefined) return '';
  if (entry.type !== 'directory') return entry.type === 'whiteout' ? 'whiteout' : 'other';
  return `directory ${entry.opaque === true} ${entry.implied === true}`;
}

/** What a tree has at a path. */
export function placedAt({ tree, offset }: TreeSide, path: string): Placed | undefined {
  const found: Found | undefined = tree.lookup(path);
  if (found === undefined) return undefined;
  return {
    entry: found.entry,
    content: tree.contentOf(found)?.entry,
    layer: found.layer + offset,
  };
}

function placedIn(entry: Entry, index: LayerIndex, layer: number): Placed {
  const content = entry.type === 'hardlink' ? index.get(entry.target) : entry;
  return { entry, content: content?.type === 'file' ? content : undefined, layer };
}
