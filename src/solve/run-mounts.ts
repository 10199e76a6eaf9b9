/** `RUN --mount`: what each kind becomes in the sandbox, and what of it enters the cache key (RUN-14 … RUN-24). */

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { BindMount, CacheMount, TmpfsMount } from '../../parser/index.ts';
import type { MountOperation } from '../../native/index.ts';
import type { PlannedMount, RunStep } from '../plan/step.ts';
import type { Entry } from '../tree/entry.ts';
import { type Found, ImageTree } from '../tree/image-tree.ts';
import { identityOfEntries } from '../tree/index-codec.ts';
import { joinPath } from '../tree/path.ts';
import { type HeldCaches, lockCaches } from './cache-locks.ts';
import { cacheDirectory, type CacheRequest } from './cache-mounts.ts';
import { composeLayer } from './compose.ts';
import { copyEntries } from './copy-entries.ts';
import type { BaseImage } from './layer.ts';
import type { Origin } from './origins.ts';
import { overlayStack } from './overlay-stack.ts';
import type { PreparedMount, PreparedMounts } from './prepared-mounts.ts';
import { secretIdentity, secretMount } from './secret-mounts.ts';
import { selectMounted } from './selection.ts';
import { sshMount } from './ssh-mounts.ts';
import type { StepContext } from './step-context.ts';
import { requireReadable } from './unreadable.ts';

type Planned = PlannedMount<BaseImage>;

/** What of the mounts enters the key: contents of bind sources; ids of caches; names of secrets (design.md §5). */
export async function mountInputs(
  step: RunStep<BaseImage>,
  context: StepContext,
): Promise<readonly object[]> {
  return await Promise.all(
    step.mounts.map(async ({ mount, target, from }) => ({
      ...mount,
      from: undefined,
      target,
      content:
        mount.kind === 'bind' && from !== undefined
          ? await bindIdentity(await context.origins.open(from), mount.source, context)
          : null,
      ...(mount.kind === 'secret' && { value: await secretIdentity(mount, context) }),
    })),
  );
}

/** Prepares everything that the mounts of one RUN need. */
export async function prepareMounts(
  step: RunStep<BaseImage>,
  context: StepContext,
): Promise<PreparedMounts> {
  const requests = new Map(
    step.mounts.flatMap((planned) =>
      planned.mount.kind === 'cache' ? [[planned, cacheRequest(planned, planned.mount, step)]] : [],
    ),
  );
  const caches = await lockCaches([...requests.values()], context);
  try {
    const prepared: PreparedMount[] = [];
    for (const planned of step.mounts) {
      const request = requests.get(planned);
      prepared.push(
        request === undefined
          ? await prepareMount(planned, context)
          : await prepareCache(request, caches, context),
      );
    }
    return {
      operations: prepared.flatMap(({ operations }) => operations ?? []),
      env: prepared.flatMap(({ env }) => env ?? []),
      directories: prepared.flatMap(({ directories }) => directories ?? []),
      files: prepared.flatMap(({ files }) => files ?? []),
      release: caches.release,
    };
  } catch (error) {
    await caches.release();
    throw error;
  }
}

async function prepareMount(planned: Planned, context: StepContext): Promise<PreparedMount> {
  const { mount, target } = planned;
  switch (mount.kind) {
    case 'bind': {
      const { operation, isFile } = await bindMount(planned, mount, context);
      const points = isFile ? { files: [target] } : { directories: [target] };
      return { operations: [operation], ...points };
    }
    case 'cache':
      throw new TypeError('A cache is prepared with its lock');
    case 'tmpfs':
      return { operations: [tmpfs(mount, target)], directories: [target] };
    case 'secret':
      return secretMount(mount, target, context);
    case 'ssh':
      return await sshMount(mount, target, context);
  }
}

async function prepareCache(
  request: CacheRequest,
  caches: HeldCaches,
  context: StepContext,
): Promise<PreparedMount> {
  const { mount, target } = request;
  const source = await cacheDirectory(caches.pathOf(request), request, context);
  const { readonly } = mount;
  const flags = ['nosuid', 'nodev'] as const;
  return {
    operations: [{ kind: 'bind', source, target, readonly, recursive: false, flags }],
    directories: [target],
  };
}

function cacheRequest(
  { target, from }: Planned,
  mount: CacheMount,
  step: RunStep<BaseImage>,
): CacheRequest {
  const { ignoreCache: empty, location } = step;
  return { mount, target, from, empty, location };
}

function tmpfs({ size, readonly }: TmpfsMount, target: string): MountOperation {
  const flags = ['nosuid', 'nodev'] as const;
  return {
    kind: 'tmpfs',
    target,
    mode: 0o1777,
    readonly,
    flags,
    ...(size !== undefined && { size }),
  };
}

/** @throws ERR_SOURCE_MISSING, ERR_CONTEXT_MISSING for what may not be read */
function findSource(origin: Origin, source: string): { path: string; found: Found } {
  requireReadable(origin, source, []);
  const selected = selectMounted(origin.tree, source);
  requireReadable(origin, source, [selected.path]);
  return selected;
}

async function bindIdentity(
  origin: Origin,
  source: string,
  { findings }: StepContext,
): Promise<string> {
  const { path, found } = findSource(origin, source);
  // All of a context, as its scan had it: nothing need be read again.
  if (path === '' && origin.layers === undefined) return origin.identity;
  const { identity, resetOwner } = origin;
  const [mounted = ''] = await findings.get('mounted', { identity, resetOwner, path }, () => [
    identityOfEntries(bindEntries(origin, path, found)),
  ]);
  return mounted;
}

function* bindEntries(origin: Origin, path: string, found: Found): Generator<Entry> {
  const skip = path === '' ? 0 : path.length + 1;
  const owner = origin.resetOwner ? { uid: 0, gid: 0 } : {};
  const entryAt = (item: Found, at: string): Entry => {
    // A hard link's other name need not be in the mount: its content is what counts.
    const entry = origin.tree.contentOf(item)?.entry ?? item.entry;
    return { ...entry, ...owner, path: at };
  };
  yield entryAt(found, 'source');
  for (const item of origin.tree.below(path)) {
    yield entryAt(item, joinPath('source', item.entry.path.slice(skip)));
  }
}

async function bindMount(
  { target, from }: Planned,
  mount: BindMount,
  context: StepContext,
): Promise<{ operation: MountOperation; isFile: boolean }> {
  const origin = await context.origins.open(from ?? { kind: 'context' });
  const { path, found } = findSource(origin, mount.source);
  const isFile = found.entry.type !== 'directory';
  const writable = mount.readonly ? undefined : await scratchPair(context);
  const layers =
    origin.layers === undefined
      ? [await contextDirectory(origin, path, context)]
      : overlayStack(
          await Promise.all(
            origin.layers.slice(origin.tree.lowest).map((layer) => context.layers.directory(layer)),
          ),
        );
  return {
    isFile,
    operation: {
      kind: 'overlay',
      layers,
      ...writable,
      subpath: origin.layers === undefined ? '/source' : `/${path}`,
      target,
      readonly: mount.readonly,
    },
  };
}

async function scratchPair({ layers }: StepContext): Promise<{ upper: string; work: string }> {
  const base = layers.temporary('bind');
  const pair = { upper: join(base, 'upper'), work: join(base, 'work') };
  await mkdir(pair.upper, { recursive: true });
  await mkdir(pair.work);
  return pair;
}

/** The part of a context that a mount shows, as a layer directory: root's, and without what is ignored. */
async function contextDirectory(
  origin: Origin,
  path: string,
  context: StepContext,
): Promise<string> {
  const { identity, resetOwner, datedBy = '' } = origin;
  const what = `context ${identity} ${resetOwner} ${datedBy} ${path}`;
  return await context.mountable.get(what, () => makeContextDirectory(origin, path, context));
}

async function makeContextDirectory(
  origin: Origin,
  path: string,
  context: StepContext,
): Promise<string> {
  const found = origin.tree.lookup(path);
  const isFile = found !== undefined && origin.tree.contentOf(found) !== undefined;
  const result = copyEntries({
    sources: [{ origin, selection: { kind: 'matches', matches: [{ named: path, path, found }] } }],
    destination: isFile ? '/source' : '/source/',
    parent: new ImageTree([]),
    owner: undefined,
    chmod: undefined,
    exclude: [],
    now: 0,
  });
  const { layer } = await composeLayer(result, { directory: true, blob: false }, context);
  return await context.layers.directory(layer);
}
