/**
 * Cache mounts: directories that outlive the build, by id (RUN-16, RUN-17).
 *
 * Their content never enters a layer or a key. `--no-cache` empties those of the affected RUNs once
 * per build, as BuildKit does.
 */

import { lstat, mkdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { CacheMount } from '../../parser/index.ts';
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
}

/** The directory of a cache mount, made when it is first used. @throws ERR_SOURCE_MISSING for `source` */
export async function cacheDirectory(request: CacheRequest, context: StepContext): Promise<string> {
  const { mount, empty } = request;
  const { id, seed } = await identify(request, context);
  const path = context.store.mountPath(id);
  if (empty && !context.emptied.has(id)) await discard(path, context);
  context.emptied.add(id);
  if ((await stat(path).catch(() => undefined)) === undefined) {
    await createCache(path, mount, seed, context);
  }
  return await pathWithin(join(path, 'fs', 'cache'), mount.source);
}

/**
 * Waits until nobody else has the caches of a RUN that do not want to be shared. Answers what lets
 * them go. Everybody locks in the order of the ids, each once: nobody waits in a circle.
 */
export async function lockCaches(
  requests: readonly CacheRequest[],
  context: StepContext,
): Promise<() => void> {
  const ids = new Set<string>();
  for (const request of requests) {
    if (request.mount.sharing !== 'shared') ids.add((await identify(request, context)).id);
  }
  const turn = Promise.withResolvers<void>();
  for (const id of [...ids].sort()) {
    const before = context.locks.get(id) ?? Promise.resolve();
    context.locks.set(
      id,
      before.then(() => turn.promise),
    );
    await before;
  }
  return turn.resolve;
}

async function identify(
  { mount, target, from }: CacheRequest,
  context: StepContext,
): Promise<{ readonly id: string; readonly seed: Origin | undefined }> {
  const seed = from === undefined ? undefined : await context.origins.open(from);
  const identity = [mount.id ?? target, seed?.identity, mount.mode, mount.uid, mount.gid];
  return { id: hexOf(digestOf(JSON.stringify(identity))), seed };
}

async function discard(path: string, { helpers, layers, signal }: StepContext): Promise<void> {
  const aside = layers.temporary('mount');
  // Moved first: whoever uses it still has it, whoever comes next makes a new one.
  const moved = await rename(path, aside).then(
    () => true,
    () => false,
  );
  if (!moved) return;
  const { helper } = await helpers.directories();
  await helper.remove({ verb: 'remove', paths: [aside] }, { signal });
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
