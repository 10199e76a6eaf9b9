/** `RUN --mount`: what each kind becomes in the sandbox, and what of it enters the cache key (RUN-14 … RUN-24). */

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { BindMount, CacheMount, SecretMount, TmpfsMount } from '../../parser/index.ts';
import type { MountOperation } from '../../native/index.ts';
import { TsbuildError } from '../errors.ts';
import type { PlannedMount, RunStep } from '../plan/step.ts';
import type { Entry } from '../tree/entry.ts';
import { type Found, ImageTree } from '../tree/image-tree.ts';
import { identityOfEntries } from '../tree/index-codec.ts';
import { joinPath } from '../tree/path.ts';
import { cacheDirectory, type CacheRequest, lockCaches } from './cache-mounts.ts';
import { composeLayer } from './compose.ts';
import { copyEntries } from './copy-entries.ts';
import type { BaseImage } from './layer.ts';
import type { Origin } from './origins.ts';
import { overlayStack } from './overlay-stack.ts';
import { selectMounted } from './selection.ts';
import type { StepContext } from './step-context.ts';
import { requireReadable } from './unreadable.ts';

type Planned = PlannedMount<BaseImage>;

/** Mounts ready to be performed. */
export interface PreparedMounts {
  readonly operations: readonly MountOperation[];
  /** Secrets that are in the environment: `NAME=value`. */
  readonly env: readonly string[];
  readonly directories: readonly string[];
  readonly files: readonly string[];
  /** Lets go of locks; the mounts are gone by then. */
  readonly release: () => void;
}

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
          ? bindIdentity(await context.origins.open(from), mount.source)
          : null,
    })),
  );
}

/** Prepares everything that the mounts of one RUN need. */
export async function prepareMounts(
  step: RunStep<BaseImage>,
  context: StepContext,
): Promise<PreparedMounts> {
  const caches = step.mounts.flatMap((planned) =>
    planned.mount.kind === 'cache' ? [cacheRequest(planned, planned.mount, step)] : [],
  );
  const release = await lockCaches(caches, context);
  try {
    const prepared: PreparedMount[] = [];
    for (const planned of step.mounts) prepared.push(await prepareMount(planned, step, context));
    return {
      operations: prepared.flatMap(({ operations }) => operations ?? []),
      env: prepared.flatMap(({ env }) => env ?? []),
      directories: prepared.flatMap(({ directories }) => directories ?? []),
      files: prepared.flatMap(({ files }) => files ?? []),
      release,
    };
  } catch (error) {
    release();
    throw error;
  }
}

type PreparedMount = Partial<Omit<PreparedMounts, 'release'>>;

async function prepareMount(
  planned: Planned,
  step: RunStep<BaseImage>,
  context: StepContext,
): Promise<PreparedMount> {
  const { mount, target } = planned;
  switch (mount.kind) {
    case 'bind': {
      const { operation, isFile } = await bindMount(planned, mount, context);
      const points = isFile ? { files: [target] } : { directories: [target] };
      return { operations: [operation], ...points };
    }
    case 'cache': {
      const source = await cacheDirectory(cacheRequest(planned, mount, step), context);
      const { readonly } = mount;
      const flags = ['nosuid', 'nodev'] as const;
      return {
        operations: [{ kind: 'bind', source, target, readonly, recursive: false, flags }],
        directories: [target],
      };
    }
    case 'tmpfs':
      return { operations: [tmpfs(mount, target)], directories: [target] };
    case 'secret':
      return secretMount(mount, target, context);
    case 'ssh':
      if (!mount.required) return {};
      throw new TsbuildError('ERR_UNSUPPORTED', {
        message: 'Cannot mount an SSH agent: this version of tsbuild does not forward one',
        details: { feature: 'RUN --mount=type=ssh' },
      });
  }
}

function cacheRequest(
  { target, from }: Planned,
  mount: CacheMount,
  step: RunStep<BaseImage>,
): CacheRequest {
  return { mount, target, from, empty: step.ignoreCache };
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

function secretMount(mount: SecretMount, target: string, context: StepContext): PreparedMount {
  const bytes = secretBytes(mount, context);
  if (bytes === undefined) return {};
  const env =
    mount.env === undefined ? [] : [`${mount.env}=${Buffer.from(bytes).toString('utf8')}`];
  if (target === '') return { env };
  return { operations: [secretFile(mount, target, bytes)], env, files: [target] };
}

/** @throws ERR_SECRET_MISSING for a required one */
function secretBytes(mount: SecretMount, { sandbox }: StepContext): Uint8Array | undefined {
  const bytes = sandbox.secrets.get(mount.id);
  if (bytes === undefined && mount.required) {
    throw new TsbuildError('ERR_SECRET_MISSING', {
      message: `Cannot mount secret ${mount.id}: not found`,
      details: { id: mount.id },
      hint: `Give it with --secret id=${mount.id},src=FILE or --secret id=${mount.id},env=NAME.`,
    });
  }
  return bytes;
}

function secretFile(mount: SecretMount, target: string, bytes: Uint8Array): MountOperation {
  const executable = (mount.mode & 0o111) !== 0;
  return {
    kind: 'file',
    target,
    content: Buffer.from(bytes).toString('base64'),
    mode: mount.mode,
    uid: mount.uid,
    gid: mount.gid,
    readonly: true,
    flags: ['nosuid', 'nodev', ...(executable ? [] : (['noexec'] as const))],
  };
}

/** @throws ERR_SOURCE_MISSING, ERR_CONTEXT_MISSING for what may not be read */
function findSource(origin: Origin, source: string): { path: string; found: Found } {
  requireReadable(origin, source, []);
  const selected = selectMounted(origin.tree, source);
  requireReadable(origin, source, [selected.path]);
  return selected;
}

function bindIdentity(origin: Origin, source: string): string {
  const { path, found } = findSource(origin, source);
  // All of a context, as its scan had it: nothing need be read again.
  if (path === '' && origin.layers === undefined) return origin.identity;
  return identityOfEntries(bindEntries(origin, path, found));
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
          await Promise.all(origin.layers.map((layer) => context.layers.directory(layer))),
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
