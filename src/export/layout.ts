/**
 * Images as an OCI image layout directory.
 *
 * https://github.com/opencontainers/image-spec/blob/v1.1.1/image-layout.md
 */

import { randomUUID } from 'node:crypto';
import { constants, type Stats } from 'node:fs';
import {
  copyFile,
  link,
  lstat,
  readdir,
  readFile,
  rename,
  rm,
  rmdir,
  stat,
  writeFile,
} from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { makeDirectory } from '../../cache/index.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import { type Digest, isDigest, parseDigest } from '../oci/digest.ts';
import {
  BLOB_DIRECTORY,
  blobFiles,
  DOCKER_FILE,
  dockerFile,
  type ExportResult,
  type ExportOptions,
  INDEX_FILE,
  indexEntries,
  indexFile,
  LAYOUT_MARKER,
  type LayoutFile,
  markerFile,
} from './export-result.ts';
import { isErrno, outputFailure, refused } from './failure.ts';
import { withParents } from './new-parents.ts';

/**
 * Writes what was built into a layout directory. One that does not exist appears complete or not at all;
 * one that does, or an empty directory, gains the blobs first and the index entry last. Of the
 * result's names an older entry is replaced, all others stay. Two writers at once in one directory
 * lose no blob, but the later index.json wins. @throws ERR_OUTPUT_FAILED
 */
export async function writeLayout(
  directory: string,
  result: ExportResult,
  { created, forDocker = false, signal }: ExportOptions,
): Promise<void> {
  const target = resolve(directory);
  const written = { result, entries: indexEntries(result, created), forDocker, signal };
  try {
    signal.throwIfAborted();
    if (await exists(target)) await addTo(target, written);
    else await withParents(target, () => createAt(target, written));
  } catch (error) {
    throw outputFailure(error, directory, signal);
  }
}

/** What writing a result into a layout replaces; without a result, all that is in it. @throws ERR_OUTPUT_FAILED */
export async function replacedEntries(
  directory: string,
  result: ExportResult | undefined,
): Promise<readonly Digest[]> {
  const entries = result === undefined ? undefined : indexEntries(result, undefined);
  const old = await readEntries(directory);
  return old
    .filter((entry) => entries === undefined || isReplaced(entry, entries))
    .flatMap((entry) => {
      const digest = isObject(entry) ? entry.digest : undefined;
      return typeof digest === 'string' && isDigest(digest) ? [parseDigest(digest)] : [];
    });
}

interface WriteOptions {
  readonly result: ExportResult;
  readonly entries: readonly Descriptor[];
  readonly forDocker: boolean;
  readonly signal: AbortSignal;
}

async function createAt(
  target: string,
  { result, entries, forDocker, signal }: WriteOptions,
): Promise<void> {
  const directory = temporaryName(target);
  const docker = forDocker ? [dockerFile(result)] : [];
  try {
    await makeDirectory(join(directory, BLOB_DIRECTORY));
    for (const file of [...blobFiles(result), markerFile(), ...docker, indexFile(entries)]) {
      signal.throwIfAborted();
      await place(directory, file);
    }
    signal.throwIfAborted();
    await rename(directory, target);
  } catch (error) {
    await rm(directory, { recursive: true, force: true });
    throw error;
  }
}

/** Keeps a list of what it created, so that a failure takes only that away. */
async function addTo(
  target: string,
  { result, entries, forDocker, signal }: WriteOptions,
): Promise<void> {
  const kept = await readEntries(target);
  const blobs = join(target, BLOB_DIRECTORY);
  const highest = await makeDirectory(blobs);
  const added: string[] = [];
  try {
    for (const file of [markerFile(), ...blobFiles(result)]) {
      signal.throwIfAborted();
      if (await place(target, file)) added.push(join(target, file.name));
    }
    signal.throwIfAborted();
    if (forDocker) await place(target, dockerFile(result));
    await place(
      target,
      indexFile([...kept.filter((old) => !isReplaced(old, entries)), ...entries]),
    );
  } catch (error) {
    for (const path of added) await rm(path, { force: true });
    if (highest !== undefined) await removeEmpty(blobs, join(target, 'blobs'));
    throw error;
  }
}

async function removeEmpty(...directories: readonly string[]): Promise<void> {
  try {
    for (const directory of directories) await rmdir(directory);
  } catch {
    // Another writer's blobs are in there.
  }
}

/** The entries of an existing layout; none of an empty directory. @throws ERR_OUTPUT_FAILED */
async function readEntries(directory: string): Promise<readonly unknown[]> {
  const names = await readdir(directory).catch((error: unknown) => {
    throw isErrno(error, 'ENOTDIR') ? refused(directory, 'It is a file.', error) : error;
  });
  if (names.length === 0) return [];
  if (!names.includes(LAYOUT_MARKER) || !names.includes(INDEX_FILE)) {
    throw refused(directory, 'The directory is not empty, and it is no OCI image layout.');
  }
  let index: unknown;
  try {
    index = JSON.parse(await readFile(join(directory, INDEX_FILE), 'utf8'));
  } catch (cause) {
    throw refused(directory, 'Its index.json cannot be read.', cause);
  }
  const manifests = isObject(index) ? (index.manifests ?? []) : undefined;
  if (!Array.isArray(manifests)) throw refused(directory, 'Its index.json is no image index.');
  return manifests;
}

/**
 * Same full name; or same tag where the older entry, of another tool, has only that. An image without
 * a name takes the place of the last one without a name.
 */
function isReplaced(old: unknown, entries: readonly Descriptor[]): boolean {
  const { name, tag } = namesOf(old);
  return entries.some((entry) => {
    const fresh = namesOf(entry);
    return name === undefined ? tag === fresh.tag : name === fresh.name;
  });
}

function namesOf(entry: unknown): { readonly name: unknown; readonly tag: unknown } {
  const annotations = isObject(entry) && isObject(entry.annotations) ? entry.annotations : {};
  return {
    name: annotations['io.containerd.image.name'],
    tag: annotations['org.opencontainers.image.ref.name'],
  };
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}

/** Puts a file in its place, whole. False if it was there already: blobs and the marker never change. */
async function place(directory: string, file: LayoutFile): Promise<boolean> {
  const path = join(directory, file.name);
  const old = await lstatOf(path);
  const isFixed = file.name !== INDEX_FILE && file.name !== DOCKER_FILE;
  if (isFixed && old?.isFile() && old.size === file.size) return false;
  if (file.content.kind === 'path') {
    await checkSize(file.content.path, file.size);
    if (old === undefined && (await tryLink(file.content.path, path))) return true;
  }
  const temporary = temporaryName(path);
  try {
    if (file.content.kind === 'bytes')
      await writeFile(temporary, file.content.bytes, { flag: 'wx' });
    else await copyFile(file.content.path, temporary, constants.COPYFILE_FICLONE);
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  return old === undefined;
}

/** A layer that was cut short in the store would else be exported as if it were whole. */
async function checkSize(path: string, expected: number): Promise<void> {
  const { size } = await stat(path);
  if (size !== expected) throw new Error(`"${path}" has ${size} bytes and not ${expected}`);
}

async function tryLink(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (error) {
    // Another file system, a system without links, somebody else's file, or too many links to it.
    if (isErrno(error, 'EXDEV', 'EPERM', 'EACCES', 'EMLINK', 'EEXIST', 'ENOTSUP', 'ENOSYS')) {
      return false;
    }
    throw error;
  }
}

/** Beside its target, so that the rename stays within a file system. */
function temporaryName(path: string): string {
  return `${path}.${randomUUID()}.tmp`;
}

async function exists(path: string): Promise<boolean> {
  return (await lstatOf(path)) !== undefined;
}

async function lstatOf(path: string): Promise<Stats | undefined> {
  try {
    return await lstat(path);
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
}
