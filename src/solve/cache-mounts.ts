/**
 * Cache mounts: directories that outlive the build, by id (RUN-16, RUN-17).
 *
 * Their content never enters a layer or a key. Who may use one when is in `cache-locks.ts`.
 */

import { lstat, mkdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { CacheMount } from '../../parser/index.ts';
import type { SourceLocation } from '../errors.ts';
import { digestOf, hexOf } from '../oci/digest.ts';
import type { CopyOrigin } from '../plan/step.ts';
import type { Entry } from '../tree/entry.ts';
import { ImageTree } from '../tree/image-tree.ts';
import { toPath } from '../tree/path.ts';
import { withSources } from './compose.ts';
import { copyEntries } from './copy-entries.ts';
import type { BaseImage } from './layer.ts';
import { writeList } from './compose-list.ts';
import { sourceMissing } from './match-source.ts';
import type { Origin } from './origins.ts';
import { Places } from './places.ts';
import type { StepContext } from './step-context.ts';
import { requireReadable } from './unreadable.ts';

export interface CacheRequest {
  readonly mount: CacheMount;
  readonly target: string;
  readonly from: CopyOrigin<BaseImage> | undefined;
  /** `--no-cache` is on for the RUN. */
  readonly empty: boolean;
  /** Of the RUN. */
  readonly location: SourceLocation;
}

/**
 * What to mount of a cache whose directory is at a path of the store, and is made when it is first used;
 * the lock for it is held. @throws ERR_SOURCE_MISSING for `source`
 */
export async function cacheDirectory(
  path: string,
  request: CacheRequest,
  context: StepContext,
): Promise<string> {
  const { mount } = request;
  if ((await stat(path).catch(() => undefined)) === undefined) {
    const { seed } = await identify(request, context);
    await createCache(path, mount, seed, context);
  }
  return await pathWithin(join(path, 'fs', 'cache'), mount.source);
}

/** What tells a cache from others: its id, what it begins with, and as whose (RUN-17). */
export async function identify(
  { mount, target, from }: CacheRequest,
  context: StepContext,
): Promise<{ readonly id: string; readonly seed: Origin | undefined }> {
  const seed = from === undefined ? undefined : await context.origins.open(from);
  const identity = [mount.id ?? target, seed?.identity, mount.mode, mount.uid, mount.gid];
  return { id: hexOf(digestOf(JSON.stringify(identity))), seed };
}

/** The directory, with its seed's content in it. Another build may be first: its directory is as good. */
async function createCache(
  path: string,
  mount: CacheMount,
  seed: Origin | undefined,
  context: StepContext,
): Promise<void> {
  const { layers, helpers, signal } = context;
  const { mode = 0o755, uid = 0, gid = 0 } = mount;
  const root: Entry = { path: 'cache', type: 'directory', mode, uid, gid, mtime: 0, mtimeNsec: 0 };
  const places = new Places();
  const seeded = seed === undefined ? [] : await seedEntries(seed, places);
  const wrapper = layers.temporary('mount');
  const list = layers.temporary('list');
  await mkdir(wrapper);
  await writeList(list, [root, ...[...seeded].filter(({ path: at }) => at !== root.path)]);
  const { helper } = await helpers.directories();
  const directory = join(wrapper, 'fs');
  const { roots, files } = places;
  await helper.compose({ verb: 'compose', list, roots, files, directory }, { signal });
  await rm(list);
  await rename(wrapper, path).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error;
  });
}

async function seedEntries(origin: Origin, places: Places): Promise<Iterable<Entry>> {
  requireReadable(origin, '/', []);
  const everything = { named: '', path: '', found: undefined };
  const result = copyEntries({
    sources: [{ origin, selection: { kind: 'matches', matches: [everything] } }],
    destination: '/cache/',
    parent: new ImageTree([]),
    owner: undefined,
    chmod: undefined,
    exclude: [],
    now: 0,
  });
  return await withSources(result, places);
}

/** `source` of a cache: no component may be a symlink, which a RUN could have pointed anywhere. */
async function pathWithin(root: string, source: string | undefined): Promise<string> {
  let path = root;
  for (const part of toPath(source ?? '/').split('/')) {
    if (part === '') continue;
    path = join(path, part);
    const found = await lstat(path).catch(() => undefined);
    if (found === undefined || found.isSymbolicLink()) throw sourceMissing(source ?? '/');
  }
  return path;
}
