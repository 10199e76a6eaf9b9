/** Pushes an image that is there already: of the store, of a layout, of an archive. Executes no step (T-59). */

import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { TsbuildError } from './errors.ts';
import { unpackArchive } from './export/index.ts';
import type { Descriptor } from './oci/descriptor.ts';
import { type Digest, parseDigest } from './oci/digest.ts';
import { familiarName, formatReference, parseReference, type Reference } from './oci/reference.ts';
import type { SessionOptions } from './options.ts';
import { Progress } from './progress/progress.ts';
import { storedContent } from './finish/push-image.ts';
import { parseLayoutLocation, type PushContent, readContent } from './registry/index.ts';
import { openRequestSession, thisMachine } from './request.ts';
import type { Session } from './solve/session.ts';

/** What `push()` takes. Only `name` is required. */
export interface PushOptions extends SessionOptions {
  /** Where it goes: `registry/repository:tag`; with a digest and no tag, under its digest alone. */
  readonly name: string;
  /**
   * What to push: another name that was built, or `oci:PATH[:TAG]` for a layout or an archive.
   * Default: what was built last as `name`.
   */
  readonly source?: string;
  /** Which image of the store, instead of the one that was built last. */
  readonly digest?: string;
}

/** What was pushed. */
export interface PushResult {
  readonly digest: Digest;
  readonly descriptor: Descriptor;
  /** The full name, with its tag or its digest. */
  readonly name: string;
}

/**
 * Pushes an image without building anything: the same bytes, the same digest. Rejects with a TsbuildError,
 * or with the signal's reason, after all that was under way has stopped.
 */
export async function push(options: PushOptions): Promise<PushResult> {
  const { signal = new AbortController().signal, onEvent } = options;
  signal.throwIfAborted();
  const name = parseReference(options.name);
  const progress = new Progress(onEvent);
  const work = { request: { machine: thisMachine() }, progress, signal };
  const session = await openRequestSession(options, work);
  const reporter = progress.start({ name: `pushing ${familiarName(name)}`, location: undefined });
  try {
    const content = await contentOf(name, options, { session, signal });
    const { descriptor } = content;
    const { registry, repository, tag } = name;
    const reference = { registry, repository, ...(tag !== undefined && { tag }) };
    await session.pusher.push(content, [{ reference }], reporter.status);
    reporter.end({ cached: false, detail: descriptor.digest });
    const { digest } = descriptor;
    const full = tag === undefined ? { ...reference, digest } : reference;
    return { digest, descriptor, name: formatReference(full) };
  } catch (error) {
    signal.throwIfAborted();
    reporter.fail(error instanceof TsbuildError ? error : undefined);
    throw error;
  } finally {
    await session.close();
  }
}

interface Work {
  readonly session: Session;
  readonly signal: AbortSignal;
}

async function contentOf(
  name: Reference,
  { source, digest }: PushOptions,
  work: Work,
): Promise<PushContent> {
  const layout = source?.replace(/^oci(?:-archive)?:/, 'oci-layout:');
  const location = layout === undefined ? undefined : parseLayoutLocation(layout);
  if (location !== undefined) {
    const directory = await directoryOf(location.directory, work);
    return await readContent({ ...location, directory });
  }
  const reference = source === undefined ? name : parseReference(source);
  const { session } = work;
  const wanted = digest === undefined ? reference.digest : parseDigest(digest);
  const named = await session.store.getImage(formatReference(reference));
  const known = wanted ?? named?.image.digest;
  if (known === undefined) throw notBuilt(reference);
  return await storedContent(known, reference, { session, origins: named?.origins ?? {} });
}

/** An archive is unpacked for as long as the push lasts. */
async function directoryOf(path: string, { session, signal }: Work): Promise<string> {
  const found = await stat(path).catch(() => undefined);
  if (found === undefined || found.isDirectory()) return path;
  const directory = join(session.workspace.path, 'archive');
  await unpackArchive(path, directory, signal);
  return directory;
}

function notBuilt(reference: Reference): TsbuildError {
  const name = familiarName(reference);
  return new TsbuildError('ERR_IMAGE_NOT_FOUND', {
    message: `Cannot find "${name}" in the store: nothing was built under this name`,
    details: { reference: name },
    hint: `Build it with "-t ${name}", or say what to push: "tsbuild push oci:PATH ${name}".`,
  });
}
