/**
 * Pushes images: blobs side by side, then what names them, the tag last. Who sees the tag sees all of it.
 *
 * https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#push
 */

import { discardBody } from '../http/transport.ts';
import { formatReference, type Reference } from '../oci/reference.ts';
import type { RegistryClient } from './client.ts';
import { pushBlob } from './push-blob.ts';
import type { PushContent, PushManifest } from './push-content.ts';
import { checkDigest, type PushSizes, type PushTarget, sendPush } from './push-request.ts';
import type { BlobFile } from './push-upload.ts';

/** A name to push to. Without a tag it is pushed by digest alone. */
export interface PushDestination {
  readonly reference: Reference;
  /** `registry.insecure=true`: plain HTTP and unknown certificates will do. */
  readonly insecure?: boolean;
}

export interface PushOptions {
  readonly client: RegistryClient;
  readonly sizes?: PushSizes;
  readonly signal: AbortSignal;
}

/** Tells that something begins; what it answers is called when that is done. */
export type OnStage = (name: string) => () => void;

/** The pushes of one build: a blob goes to a repository once. */
export interface Pusher {
  /** Begins to upload a blob that will be pushed there. Its failure is forgotten: the push tries again. */
  begin(blob: BlobFile, destination: PushDestination): void;
  /**
   * Pushes to all destinations, one repository after another. Rejects with the first failure, after all
   * that was under way has stopped. @throws ERR_REGISTRY_*, ERR_DIGEST_MISMATCH, ERR_LAYER_INVALID
   */
  push(
    content: PushContent,
    destinations: readonly PushDestination[],
    onStage: OnStage,
  ): Promise<void>;
  /** Stops what is under way, and waits for it. */
  close(): Promise<void>;
}

const SIZES: PushSizes = { small: 4 * 1024 * 1024, part: 16 * 1024 * 1024 };
/** Uploads to one registry at a time, besides its documents (LAY-6). */
const UPLOADS = 4;

/** Opens nothing: the first request does. */
export function createPusher({ client, sizes = SIZES, signal }: PushOptions): Pusher {
  const stop = new AbortController();
  const stopping = AbortSignal.any([signal, stop.signal]);
  const blobs = new Map<string, Promise<void>>();
  const gates = new Map<string, Gate>();
  /** Repositories that have a blob, by registry and digest. */
  const holders = new Map<string, Set<string>>();

  const targetOf = ({ reference, insecure }: PushDestination): PushTarget => ({
    ...{ client, reference, insecure, sizes, signal: stopping },
  });
  const bring = async (blob: BlobFile, destination: PushDestination): Promise<void> => {
    const { registry, repository } = destination.reference;
    const gate = gates.get(registry) ?? createGate(UPLOADS);
    gates.set(registry, gate);
    const key = `${registry} ${blob.digest}`;
    await gate(async () => {
      stopping.throwIfAborted();
      const origin = repositoryAt(registry, blob.origin);
      const from = [...(holders.get(key) ?? []), ...origin].filter((it) => it !== repository);
      await pushBlob(blob, { target: targetOf(destination), from });
      holders.set(key, (holders.get(key) ?? new Set()).add(repository));
    });
  };
  const ensure = (blob: BlobFile, destination: PushDestination): Promise<void> => {
    const { registry, repository } = destination.reference;
    const key = `${registry} ${repository} ${blob.digest}`;
    const known = blobs.get(key);
    if (known !== undefined) return known;
    const work = bring(blob, destination);
    blobs.set(key, work);
    work.catch(() => blobs.delete(key));
    return work;
  };

  return {
    begin: (blob, destination) => void ensure(blob, destination).catch(() => undefined),

    async push(content, destinations, onStage) {
      for (const [first, ...others] of byRepository(destinations)) {
        const pushed = onStage('pushing layers');
        await all(content.blobs, (blob) => ensure(blob, first), stop);
        pushed();
        await putManifests(content, [first, ...others], { targetOf, onStage });
      }
    },

    async close() {
      stop.abort(new Error('The push is over'));
      await Promise.allSettled(blobs.values());
    },
  };
}

/** The repository of a name at this registry, if it is there. */
function repositoryAt(registry: string, name: string | undefined): readonly string[] {
  return name?.startsWith(`${registry}/`) ? [name.slice(registry.length + 1)] : [];
}

type Repository = readonly [PushDestination, ...PushDestination[]];

function byRepository(destinations: readonly PushDestination[]): readonly Repository[] {
  const repositories = new Map<string, Repository>();
  for (const destination of destinations) {
    const { registry, repository } = destination.reference;
    const name = `${registry}/${repository}`;
    const others = repositories.get(name);
    repositories.set(name, others === undefined ? [destination] : [...others, destination]);
  }
  return [...repositories.values()];
}

/** Waits for everything begun; the first failure stops the others. */
async function all<T>(
  items: readonly T[],
  work: (item: T) => Promise<void>,
  stop: AbortController,
): Promise<void> {
  let failure: { readonly error: unknown } | undefined;
  await Promise.all(
    items.map(async (item) => {
      try {
        await work(item);
      } catch (error) {
        failure ??= { error };
        stop.abort(error);
      }
    }),
  );
  if (failure !== undefined) throw failure.error;
}

interface ManifestOptions {
  readonly targetOf: (destination: PushDestination) => PushTarget;
  readonly onStage: OnStage;
}

/** What an index names by digest, then the top under each tag, or under its digest where there is none. */
async function putManifests(
  { manifests, descriptor }: PushContent,
  [first, ...others]: Repository,
  { targetOf, onStage }: ManifestOptions,
): Promise<void> {
  for (const manifest of manifests) {
    if (manifest.digest === descriptor.digest) continue;
    await putManifest(manifest, manifest.digest, targetOf(first));
  }
  const top = manifests.find(({ digest }) => digest === descriptor.digest);
  if (top === undefined) throw new TypeError('The content has no top');
  for (const destination of [first, ...others]) {
    const { reference } = destination;
    const { digest: _, ...named } = reference;
    const pushed = onStage(
      `pushing manifest for ${formatReference({ ...named, digest: top.digest })}`,
    );
    await putManifest(top, reference.tag ?? top.digest, targetOf(destination));
    pushed();
  }
}

async function putManifest(
  { mediaType, digest, bytes }: PushManifest,
  name: string,
  target: PushTarget,
): Promise<void> {
  const response = await sendPush(target, {
    method: 'PUT',
    path: `manifests/${name}`,
    headers: { 'content-type': mediaType },
    body: bytes,
  });
  await discardBody(response.body);
  checkDigest(response, digest, target);
}

type Gate = (work: () => Promise<void>) => Promise<void>;

/** Lets so many in at a time, in the order in which they came. */
function createGate(room: number): Gate {
  let free = room;
  const waiting: (() => void)[] = [];
  return async (work) => {
    if (free === 0) await new Promise<void>((enter) => waiting.push(enter));
    else free--;
    try {
      await work();
    } finally {
      const next = waiting.shift();
      if (next === undefined) free++;
      else next();
    }
  };
}
