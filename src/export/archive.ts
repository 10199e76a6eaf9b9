/** Images as an OCI archive: a layout directory's files in one tar. The bytes depend on the images only. */

import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Pack } from 'tar-stream';
import {
  BLOB_DIRECTORY,
  blobFiles,
  dockerFile,
  type ExportResult,
  type ExportOptions,
  indexEntries,
  indexFile,
  type LayoutFile,
  markerFile,
} from './export-result.ts';
import { CHUNK, lend, refuseTerminal, resolveTarget } from './destination.ts';
import { outputFailure } from './failure.ts';
import { withParents } from './new-parents.ts';

/** The largest time that all readers of plain tar headers understand. */
const MAX_HEADER_TIME = 0x7fff_ffff;

/**
 * Writes what was built as an archive (TAR-1, TAR-4). A file appears complete or not at all, and replaces an
 * older one; into a device or a pipe it is written directly. A stream is left open.
 * @throws ERR_OUTPUT_FAILED, ERR_USAGE when the stream is a terminal (OUT-3)
 */
export async function writeArchive(
  destination: string | Writable,
  result: ExportResult,
  options: ExportOptions,
): Promise<void> {
  const { signal } = options;
  const path = typeof destination === 'string' ? destination : '-';
  try {
    signal.throwIfAborted();
    if (typeof destination !== 'string') {
      refuseTerminal(destination);
      await packInto(lend(destination), result, options);
    } else {
      await withParents(resolve(destination), () => writeTo(destination, result, options));
    }
  } catch (error) {
    throw outputFailure(error, path, signal);
  }
}

/** The same into a stream that is no output of its own, and is left open. Rejects with whatever failed. */
export async function streamArchive(
  stream: Writable,
  result: ExportResult,
  options: ExportOptions,
): Promise<void> {
  await packInto(lend(stream), result, options);
}

async function writeTo(path: string, result: ExportResult, options: ExportOptions): Promise<void> {
  const target = await resolveTarget(path);
  // Renaming over /dev/null would replace the device.
  const isSpecial = target.kind === 'special';
  const written = isSpecial ? target.path : `${target.path}.${randomUUID()}.tmp`;
  const file = await open(written, isSpecial ? 'w' : 'wx');
  try {
    await packInto(file.createWriteStream({ highWaterMark: CHUNK }), result, options);
    options.signal.throwIfAborted();
    if (!isSpecial) await rename(written, target.path);
  } catch (error) {
    await closeQuietly(file);
    if (!isSpecial) await rm(written, { force: true });
    throw error;
  }
}

/** The stream has closed it, unless it failed before it began. */
async function closeQuietly(file: FileHandle): Promise<void> {
  await file.close().catch(() => undefined);
}

/**
 * Packs and writes side by side; whichever fails stops the other, and both have ended afterwards.
 *
 * tar-stream's streams are not Node's. Given to `pipeline()`, one that is destroyed destroys its
 * neighbours once more when nobody listens for their errors any longer, which ends the process. So
 * they are only iterated over and written to.
 */
async function packInto(
  sink: Writable,
  result: ExportResult,
  { created, forDocker, signal }: ExportOptions,
): Promise<void> {
  // The default export: bundled, a CommonJS module has no other.
  const { default: tar } = await import('tar-stream');
  const pack = tar.pack({ highWaterMark: CHUNK });
  pack.on('error', ignore);
  const failure = new AbortController();
  const stop = AbortSignal.any([signal, failure.signal]);
  const files = [
    ...blobFiles(result),
    indexFile(indexEntries(result, created)),
    ...(forDocker ? [dockerFile(result)] : []),
    markerFile(),
  ];
  const fail = (error: unknown): void => {
    failure.abort(error);
    // Else the iteration waits for it for ever.
    pack.destroy(null);
  };
  await Promise.all([
    pipeline(chunksOf(pack), sink, { signal: stop }).catch(fail),
    packAll(pack, files, { created, signal: stop }).catch(fail),
  ]);
  signal.throwIfAborted();
  failure.signal.throwIfAborted();
}

/** The failure is told by the iteration or by the write. */
function ignore(): void {}

async function* chunksOf(pack: Pack): AsyncGenerator<Uint8Array> {
  for await (const chunk of pack as AsyncIterable<Uint8Array>) yield chunk;
}

async function packAll(
  pack: Pack,
  files: readonly LayoutFile[],
  { created, signal }: ExportOptions,
): Promise<void> {
  const times = headerTimes(created);
  for (const name of ['blobs/', `${BLOB_DIRECTORY}/`]) {
    pack.entry({ name, type: 'directory', mode: 0o755, ...COMMON, ...times });
  }
  for (const { name, size, content } of files) {
    signal.throwIfAborted();
    const entry = pack.entry({ name, size, type: 'file', mode: 0o644, ...COMMON, ...times });
    entry.on('error', ignore);
    let written = 0;
    for await (const chunk of contentOf(content)) {
      written += chunk.length;
      if (written > size) break;
      if (!entry.write(chunk)) await once(entry, 'drain', { signal });
    }
    if (written !== size) throw new Error(`The blob "${name}" has not the size ${size}`);
    entry.end(undefined);
    await once(entry, 'finish', { signal });
  }
  pack.finalize();
}

function contentOf(
  content: LayoutFile['content'],
): AsyncIterable<Uint8Array> | Iterable<Uint8Array> {
  if (content.kind === 'bytes') return [content.bytes];
  return createReadStream(content.path, { highWaterMark: CHUNK });
}

const COMMON = { uid: 0, gid: 0, uname: '', gname: '' } as const;

interface HeaderTimes {
  readonly mtime: Date;
  readonly pax?: Record<string, string>;
}

/** tar-stream writes a wrong year outside of 1970 to 2038; a pax record holds any time. */
function headerTimes(created: Date | undefined): HeaderTimes {
  const seconds = Math.floor((created?.getTime() ?? 0) / 1000);
  if (seconds >= 0 && seconds <= MAX_HEADER_TIME) return { mtime: new Date(seconds * 1000) };
  const clamped = Math.min(Math.max(seconds, 0), MAX_HEADER_TIME);
  return { mtime: new Date(clamped * 1000), pax: { mtime: String(seconds) } };
}
