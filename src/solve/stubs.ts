/**
 * The layer that goes on top of a RUN's parent, below what the RUN writes: mount points that the root
 * filesystem lacks, and directories whose unpacked layers do not know their true metadata.
 *
 * Both would otherwise have to be made in the upper directory, and would end up in the step's layer.
 * Here they are a layer like others: entries decided from the tree, with their ancestors.
 */

import { mkdir, rm } from 'node:fs/promises';
import { TsbuildError } from '../errors.ts';
import type { Entry } from '../tree/entry.ts';
import type { ImageTree } from '../tree/image-tree.ts';
import { identityOfEntries } from '../tree/index-codec.ts';
import { parentOf, toPath, toText } from '../tree/path.ts';
import { copyConflict, Destination } from './destination.ts';
import { impliedDirectories } from './implied.ts';
import type { Layer } from './layer.ts';
import { writeList } from './compose-list.ts';
import type { StepContext } from './step-context.ts';

/** Absolute targets, symlinks allowed; they are followed inside the root. */
export interface MountPoints {
  readonly directories: readonly string[];
  readonly files: readonly string[];
}

/** The directory of the layer; undefined when nothing is missing. Made once per build for equal content. */
export async function stubLayer(
  parent: readonly Layer[],
  points: MountPoints,
  context: StepContext,
): Promise<string | undefined> {
  const tree = await context.layers.tree(parent, { directories: true });
  const wrong = await impliedDirectories(parent, tree, context.findings);
  const entries = stubEntries(tree, points, wrong);
  if (entries.length === 0) return undefined;
  // Times matter here: a directory of the tree must look the same through this layer.
  const times = entries.map(({ mtime, mtimeNsec }) => `${mtime}.${mtimeNsec}`).join(' ');
  return await context.mountable.get(`stubs ${identityOfEntries(entries)} ${times}`, () =>
    makeDirectory(entries, context),
  );
}

/** Decides the layer. Pure. */
export function stubEntries(
  tree: ImageTree,
  points: MountPoints,
  wrong: readonly Entry[],
): readonly Entry[] {
  const destination = new Destination(tree);
  for (const entry of wrong) destination.replace(entry);
  const directory = { mode: 0o755, uid: 0, gid: 0, mtime: 0 };
  for (const target of points.directories) {
    forMount(target, () =>
      destination.ensureDirectory(destination.resolve(toPath(target)), directory),
    );
  }
  for (const target of points.files) {
    const path = forMount(target, () => {
      const resolved = destination.resolve(toPath(target));
      const existing = destination.lookup(resolved);
      if (existing === undefined) destination.ensureDirectory(parentOf(resolved), directory);
      if (existing?.type === 'directory') {
        throw copyConflict(resolved, `"/${toText(resolved)}" is a directory`);
      }
      return resolved;
    });
    if (destination.lookup(path) !== undefined) continue;
    destination.put({
      path,
      type: 'file',
      mode: 0o644,
      uid: 0,
      gid: 0,
      mtime: 0,
      mtimeNsec: 0,
      size: 0,
      source: { kind: 'bytes', bytes: new Uint8Array() },
      sha256: EMPTY_SHA256,
    });
  }
  return destination.isEmpty ? [] : destination.entries();
}

/** A conflict is one of a mount, not of a copy. */
function forMount<T>(target: string, act: () => T): T {
  try {
    return act();
  } catch (error) {
    if (!(error instanceof TsbuildError) || error.code !== 'ERR_COPY_CONFLICT') throw error;
    throw new TsbuildError('ERR_COPY_CONFLICT', {
      message: `Cannot mount "${target}": ${error.message.replace(/^Cannot copy: /, '')}`,
      details: { path: target },
      cause: error,
    });
  }
}

const EMPTY_SHA256 = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';

async function makeDirectory(entries: readonly Entry[], context: StepContext): Promise<string> {
  const { layers, helpers, signal } = context;
  const { helper } = await helpers.directories();
  const list = layers.temporary('list');
  const wrapper = layers.temporary('stubs');
  const directory = `${wrapper}/fs`;
  await mkdir(wrapper);
  await writeList(list, entries);
  await helper.compose({ verb: 'compose', list, roots: [], files: [], directory }, { signal });
  await rm(list);
  return directory;
}
