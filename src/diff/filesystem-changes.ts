/** The layers and files of two images whose contents differ. */

import { stat } from 'node:fs/promises';
import { ImageTree } from '../tree/image-tree.ts';
import type { LayerIndex } from '../tree/layer-index.ts';
import { toText } from '../tree/path.ts';
import type { CompareWork, LayerPair } from './compare-work.ts';
import type { FileDifference, FirstDifference, LayerFacts } from './difference.ts';
import { changedFields, factsOf, groupOf, type Placed } from './file-facts.ts';
import { firstDifference } from './first-difference.ts';
import { bytesOf, type SubjectLayer } from './subject.ts';
import {
  isSelfContained,
  isVisible,
  layerChanges,
  placedAt,
  type TreeChange,
  treeChanges,
  type TreeSide,
} from './tree-changes.ts';

/** Adds what differs in the root filesystems, then what each layer has to do with it. */
export async function filesystemChanges(
  pairs: readonly LayerPair[],
  platform: string,
  work: CompareWork,
): Promise<void> {
  const { files } = work;
  const layers = {
    a: pairs.flatMap(({ a }) => a ?? []),
    b: pairs.flatMap(({ b }) => b ?? []),
  };
  const first = pairs.findIndex(({ a, b }) => a?.diffID !== b?.diffID);
  const upperPairs = pairs.slice(first);
  const unlike = new Set(upperPairs.flatMap(({ a, b }) => (a?.diffID === b?.diffID ? [] : [a, b])));
  const open = async (layer: SubjectLayer): Promise<LayerIndex> =>
    unlike.has(layer) ? (await files.tar(layer)).index : await files.index(layer);
  const [a, b] = await Promise.all([
    openAll(layers.a.slice(first)),
    openAll(layers.b.slice(first)),
  ]);
  const isBaseNeeded = !isSelfContained(a, b);
  const base = isBaseNeeded ? await openAll(layers.a.slice(0, first)) : [];
  const sideOf = (uppers: readonly LayerIndex[]): TreeSide => ({
    tree: new ImageTree([...base, ...uppers]),
    uppers,
    offset: isBaseNeeded ? 0 : first,
  });
  const sides: Sides = { a: sideOf(a), b: sideOf(b), layers, platform, work };
  for (const change of treeChanges(sides.a, sides.b, new ImageTree(base))) {
    await addFile(change, sides);
  }
  for (const pair of upperPairs) {
    if (pair.a?.diffID !== pair.b?.diffID) await addLayer(pair, sides);
  }

  async function openAll(list: readonly SubjectLayer[]): Promise<readonly LayerIndex[]> {
    return await Promise.all(list.map(open));
  }
}

interface Sides {
  readonly a: TreeSide;
  readonly b: TreeSide;
  readonly layers: {
    readonly a: readonly SubjectLayer[];
    readonly b: readonly SubjectLayer[];
  };
  readonly platform: string;
  readonly work: CompareWork;
}

async function addFile(change: TreeChange, sides: Sides, isInLayer = false): Promise<void> {
  const { differences, signal } = sides.work;
  const { path, fields, a, b } = change;
  signal.throwIfAborted();
  const group = groupOf(fields);
  const difference: FileDifference = {
    group,
    platform: sides.platform,
    change: a === undefined ? 'added' : b === undefined ? 'removed' : 'changed',
    path: `/${toText(path)}`,
    fields,
    ...(a !== undefined && { a: factsOf(a) }),
    ...(b !== undefined && { b: factsOf(b) }),
    ...(isInLayer && { inLayer: true }),
  };
  const isLookedInto = fields.includes('content') && differences.isKept(group);
  const first = isLookedInto ? await whereContentsPart(a, b, sides) : undefined;
  differences.add(first === undefined ? difference : { ...difference, first });
}

async function whereContentsPart(
  a: Placed | undefined,
  b: Placed | undefined,
  { layers, work }: Sides,
): Promise<FirstDifference | undefined> {
  const { files, signal } = work;
  const rangeOf = async (placed: Placed | undefined, list: readonly SubjectLayer[]) => {
    const layer = placed === undefined ? undefined : list[placed.layer];
    if (layer === undefined || placed?.content === undefined) return undefined;
    return await files.range(layer, placed.content);
  };
  const [x, y] = [await rangeOf(a, layers.a), await rangeOf(b, layers.b)];
  if (x === undefined || y === undefined) return undefined;
  return await firstDifference(x, y, signal);
}

/** How many entries of a layer differ; and those that no container sees, but who downloads the layer has. */
async function addLayer({ a, b }: LayerPair, sides: Sides): Promise<void> {
  const { platform, work } = sides;
  const { differences, files } = work;
  const common = { group: 'layers', platform } as const;
  if (a === undefined || b === undefined) {
    const only = a ?? b;
    if (only === undefined) return;
    const entries = (await files.tar(only)).index.length;
    const change = a === undefined ? 'added' : 'removed';
    const facts = factsOfLayer(only);
    differences.add({ ...common, change, entries, ...(a ? { a: facts } : { b: facts }) });
    return;
  }
  const [tarA, tarB] = [await files.tar(a), await files.tar(b)];
  let entries = 0;
  let isSame = true;
  const indexes = [
    { index: tarA.index, layer: a.index },
    { index: tarB.index, layer: b.index },
  ] as const;
  for (const change of layerChanges(...indexes)) {
    isSame = false;
    if (!differences.isIgnored(groupOf(change.fields))) entries++;
    if (!isTold(change, sides)) await addFile(change, sides, true);
  }
  const facts = { a: factsOfLayer(a), b: factsOfLayer(b) };
  if (entries > 0) differences.add({ ...common, change: 'changed', entries, ...facts });
  if (!isSame) return;
  const offset = await offsetIn(tarA.path, tarB.path, work.signal);
  differences.add({
    ...{ group: 'bytes', platform, change: 'changed', key: `layers[${a.index}].tar` },
    a: { ...bytesOf(a), digest: a.diffID },
    b: { ...bytesOf(b), digest: b.diffID },
    ...(offset !== undefined && { offset }),
  });
}

/** Whether comparing the root filesystems has told it: they differ there, by what this layer says. */
function isTold({ path, a, b }: TreeChange, sides: Sides): boolean {
  const [x, y] = [placedAt(sides.a, path), placedAt(sides.b, path)];
  if (x === undefined && y === undefined) return false;
  if (x !== undefined && y !== undefined && changedFields(x, y).length === 0) return false;
  const isRemoval = a?.entry.type === 'whiteout' || b?.entry.type === 'whiteout';
  return isRemoval || isVisible(sides.a, a) || isVisible(sides.b, b);
}

async function offsetIn(a: string, b: string, signal: AbortSignal): Promise<number | undefined> {
  const [x, y] = [await stat(a), await stat(b)];
  const ranges = [
    { path: a, offset: 0, size: x.size },
    { path: b, offset: 0, size: y.size },
  ] as const;
  return (await firstDifference(...ranges, signal))?.offset;
}

function factsOfLayer({
  index,
  diffID,
  digest,
  mediaType,
  size,
  createdBy,
}: SubjectLayer): LayerFacts {
  return {
    ...{ index, diffID },
    // A docker archive has no descriptors.
    ...(mediaType !== undefined && { digest, mediaType, size }),
    ...(createdBy !== undefined && { createdBy }),
  };
}
