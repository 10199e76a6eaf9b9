/** Image archives of every kind to files: an OCI archive, or what `docker save` has written at any time. */

import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { open, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { makeDirectory } from '../../cache/index.ts';
import { TsbuildError } from '../errors.ts';
import { type Digest, parseDigest } from '../oci/digest.ts';
import { BLOB_DIRECTORY, INDEX_FILE, LAYOUT_MARKER } from './export-result.ts';
import { isErrno } from './failure.ts';

/** A file of an archive. */
export interface UnpackedFile {
  readonly path: string;
  readonly digest: Digest;
  readonly size: number;
}

/** An image that docker's manifest.json lists. It has no manifest of its own. */
export interface DockerImage {
  readonly names: readonly string[];
  readonly config: UnpackedFile;
  /** Lowest first. */
  readonly layers: readonly UnpackedFile[];
}

/** `layout`: the directory is one now. */
export type UnpackedImage =
  | { readonly kind: 'layout' }
  | { readonly kind: 'docker'; readonly images: readonly DockerImage[] };

/**
 * Unpacks an archive, plain or gzip, into a new directory. The names in it lead nowhere outside. What the
 * blobs of a layout are is not verified: who reads the layout does that.
 * @throws ERR_IMAGE_NOT_FOUND, ERR_IMAGE_INVALID
 */
export async function unpackImage(
  archive: string,
  directory: string,
  signal: AbortSignal,
): Promise<UnpackedImage> {
  await makeDirectory(join(directory, BLOB_DIRECTORY));
  try {
    const members = await unpack(archive, directory, signal);
    if (members.files.has(INDEX_FILE)) return { kind: 'layout' };
    return { kind: 'docker', images: await dockerImages(members) };
  } catch (error) {
    signal.throwIfAborted();
    throw unreadable(archive, error);
  }
}

interface Members {
  readonly files: ReadonlyMap<string, UnpackedFile>;
  /** Old versions of docker write a layer that images share once. */
  readonly links: ReadonlyMap<string, string>;
}

/** Names of a layout keep their names, so that the directory is one. */
const LAYOUT_FILE = new RegExp(
  `^(?:${LAYOUT_MARKER}|${INDEX_FILE.replace('.', '\\.')}|${BLOB_DIRECTORY}/[0-9a-f]{64})$`,
);

async function unpack(archive: string, directory: string, signal: AbortSignal): Promise<Members> {
  // Bundled, a CommonJS package has its default export alone.
  const { default: tar } = await import('tar-stream');
  const files = new Map<string, UnpackedFile>();
  const links = new Map<string, string>();
  const reader = tar.extract();
  const gunzip = (await isGzip(archive)) ? await createUnpacker() : undefined;
  // Nothing is waited for before somebody listens: a stream that fails alone ends the process.
  const source = createReadStream(archive, { highWaterMark: READ_BUFFER });
  const reading =
    gunzip === undefined
      ? pipeline(source, reader, { signal })
      : pipeline(source, gunzip, reader, { signal });
  // Its failure is that of the entries, too.
  reading.catch(() => undefined);
  for await (const entry of reader) {
    const { type, linkname } = entry.header;
    const name = clean(entry.header.name);
    if (type === 'file') {
      const path = join(directory, LAYOUT_FILE.test(name) ? name : `member-${files.size}`);
      const { counted, told } = counting();
      await pipeline(entry, counted, createWriteStream(path), { signal });
      files.set(name, { path, ...told() });
    } else {
      if (linkname) {
        const base = type === 'link' ? '' : name.slice(0, name.lastIndexOf('/') + 1);
        links.set(name, clean(`${base}${linkname}`));
      }
      entry.resume();
    }
  }
  await reading;
  return { files, links };
}

const READ_BUFFER = 1024 * 1024;

function counting(): {
  readonly counted: Transform;
  readonly told: () => Pick<UnpackedFile, 'digest' | 'size'>;
} {
  const hash = createHash('sha256');
  let size = 0;
  const counted = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk);
      size += chunk.length;
      done(null, chunk);
    },
  });
  return { counted, told: () => ({ digest: parseDigest(`sha256:${hash.digest('hex')}`), size }) };
}

async function isGzip(archive: string): Promise<boolean> {
  const file = await open(archive);
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(2), 0, 2, 0);
    return bytesRead === 2 && buffer.readUInt16BE(0) === 0x1f8b;
  } finally {
    await file.close();
  }
}

/** Few builds unpack anything: the module is loaded for those that do. */
async function createUnpacker(): Promise<Transform> {
  const { createGunzip } = await import('node:zlib');
  return createGunzip({ chunkSize: READ_BUFFER });
}

/** Without `.`, `..` and doubled slashes. */
function clean(name: string): string {
  const parts: string[] = [];
  for (const part of name.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '' && part !== '.') parts.push(part);
  }
  return parts.join('/');
}

/** Bytes: of a list of images, and of a config. */
const MAX_DOCUMENT = 16 * 1024 * 1024;

async function dockerImages(members: Members): Promise<readonly DockerImage[]> {
  const list = await readDocument(find(members, 'manifest.json'));
  if (!Array.isArray(list) || list.length === 0) throw new Error('manifest.json lists no image');
  return list.map((item: unknown) => {
    const image = item as { Config?: unknown; RepoTags?: unknown; Layers?: unknown } | null;
    return {
      names: textsOf(image?.RepoTags ?? []),
      config: find(members, String(image?.Config)),
      layers: textsOf(image?.Layers).map((name) => find(members, name)),
    };
  });
}

function find({ files, links }: Members, name: string): UnpackedFile {
  const at = clean(name);
  const file = files.get(at) ?? files.get(links.get(at) ?? '');
  if (file === undefined) throw new Error(`it lacks the file "${name}"`);
  return file;
}

async function readDocument({ path }: UnpackedFile): Promise<unknown> {
  const { size } = await stat(path);
  if (size > MAX_DOCUMENT) throw new Error('manifest.json is too large');
  return JSON.parse(await readFile(path, 'utf8'));
}

function textsOf(value: unknown): readonly string[] {
  if (!Array.isArray(value)) throw new Error('manifest.json is not as docker writes it');
  return value.map(String);
}

function unreadable(archive: string, cause: unknown): TsbuildError {
  const isMissing = isErrno(cause, 'ENOENT');
  return new TsbuildError(isMissing ? 'ERR_IMAGE_NOT_FOUND' : 'ERR_IMAGE_INVALID', {
    message: `Cannot read the image archive "${archive}"`,
    details: { reference: archive },
    hint: isMissing
      ? 'There is no such file.'
      : 'It is neither an OCI archive nor one of docker, or it is damaged.',
    cause,
  });
}
