/**
 * Who may use which cache mount when (RUN-16): locks on files of the store, so that builds of one machine
 * or container do not get in each other's way. The kernel lets go of them when a build is killed.
 *
 * `shared` mounts share the lock, a `locked` one waits until it has it alone, and a `private` one takes
 * the first directory of the cache that nobody uses.
 */

import { rename, stat } from 'node:fs/promises';
import { type CacheRequest, identify } from './cache-mounts.ts';
import type { StepContext } from './step-context.ts';

export interface HeldCaches {
  /** The directory in the store that a request is to use; not made yet. */
  readonly pathOf: (request: CacheRequest) => string;
  readonly release: () => Promise<void>;
}

/**
 * Waits until the caches of one RUN can be used; the first RUN of a build that is to begin with an empty
 * cache empties it (RUN-17). Everybody locks in the order of the ids, each once: nobody waits in a circle.
 */
export async function lockCaches(
  requests: readonly CacheRequest[],
  context: StepContext,
): Promise<HeldCaches> {
  const paths = new Map<CacheRequest, string>();
  const held: number[] = [];
  const release = async (): Promise<void> => {
    if (held.length === 0) return;
    const { helper } = await context.helpers.directories();
    const { signal } = new AbortController(); // Also after an abort.
    for (const lock of held.splice(0)) await helper.unlock({ lock }, { signal });
  };
  try {
    for (const [id, users] of await usersById(requests, context)) {
      const isEmpty = users.some(({ empty }) => empty);
      await context.emptied.get(id, () =>
        isEmpty ? emptyCache(id, users, context) : Promise.resolve(),
      );
      const { path, lock } = await lockOne(id, users, context);
      held.push(lock);
      for (const user of users) paths.set(user, path);
    }
  } catch (error) {
    await release().catch(() => undefined);
    throw error;
  }
  return {
    pathOf: (request) => {
      const path = paths.get(request);
      if (path === undefined) throw new TypeError('The cache is not locked');
      return path;
    },
    // A helper that is gone has let go already.
    release: () => release().catch(() => undefined),
  };
}

type Sharing = CacheRequest['mount']['sharing'];

async function usersById(
  requests: readonly CacheRequest[],
  context: StepContext,
): Promise<readonly (readonly [string, readonly CacheRequest[]])[]> {
  const users = new Map<string, CacheRequest[]>();
  for (const request of requests) {
    const { id } = await identify(request, context);
    users.set(id, [...(users.get(id) ?? []), request]);
  }
  return [...users].sort(([a], [b]) => Number(a > b) - Number(a < b));
}

/** One RUN that mounts a cache twice has one directory: the stricter wish counts. */
function sharingOf(users: readonly CacheRequest[]): Sharing {
  const wishes = users.map(({ mount }) => mount.sharing);
  return (['locked', 'private'] as const).find((wish) => wishes.includes(wish)) ?? 'shared';
}

interface Locked {
  readonly path: string;
  readonly lock: number;
}

async function lockOne(
  id: string,
  users: readonly CacheRequest[],
  context: StepContext,
): Promise<Locked> {
  const sharing = sharingOf(users);
  const shared = sharing === 'shared';
  for (let slot = 0; ; slot++) {
    const path = slotPath(id, slot, context);
    const lock =
      sharing === 'private'
        ? await take(path, { shared, wait: false }, context)
        : await waitFor({ path, shared, users }, context);
    if (lock !== undefined) return { path, lock };
  }
}

/** How long it takes until it is told what is waited for, in milliseconds. */
const SILENCE = 1000;

interface Wish {
  readonly path: string;
  readonly shared: boolean;
  readonly users: readonly CacheRequest[];
}

/** Takes a lock as soon as nobody else has it; who waits for long hears what for. */
async function waitFor(
  { path, shared, users }: Wish,
  context: StepContext,
): Promise<number | undefined> {
  const free = await take(path, { shared, wait: false }, context);
  if (free !== undefined) return free;
  const [user] = users;
  const name = user?.mount.id ?? user?.target ?? '';
  const note = `RUN waits for the cache "${name}", which a RUN of this or another build has`;
  const timer = setTimeout(() => context.tell(note, user?.location), SILENCE);
  try {
    return await take(path, { shared, wait: true }, context);
  } finally {
    clearTimeout(timer);
  }
}

async function take(
  path: string,
  how: { readonly shared: boolean; readonly wait: boolean },
  { helpers, signal }: StepContext,
): Promise<number | undefined> {
  const { helper } = await helpers.directories();
  return (await helper.lock({ path: `${path}.lock`, ...how }, { signal })).lock;
}

/** A cache has one directory, and more when several RUNs wanted it for themselves at once. */
function slotPath(id: string, slot: number, { store }: StepContext): string {
  return store.mountPath(slot === 0 ? id : `${id} ${slot}`);
}

/** Empties all of a cache's directories, each when nobody uses it any more. */
async function emptyCache(
  id: string,
  users: readonly CacheRequest[],
  context: StepContext,
): Promise<void> {
  const { helpers, layers, signal } = context;
  const { helper } = await helpers.directories();
  for (let slot = 0; ; slot++) {
    const path = slotPath(id, slot, context);
    if ((await stat(path).catch(() => undefined)) === undefined) return;
    const lock = await waitFor({ path, shared: false, users }, context);
    try {
      const aside = layers.temporary('mount');
      const isMoved = await rename(path, aside).then(
        () => true,
        () => false,
      );
      if (isMoved) await helper.remove({ paths: [aside] }, { signal });
    } finally {
      if (lock !== undefined) await helper.unlock({ lock }, new AbortController());
    }
  }
}
