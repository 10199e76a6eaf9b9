/** Finds and reads the Dockerfile (CTX-1, CTX-2). */

import { basename, dirname, join, resolve } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { TsbuildError } from '../errors.ts';
import {
  type ContextFiles,
  directoryFiles,
  MAX_TEXT,
  readTextFile,
  textOf,
  TOO_LARGE,
  Unreadable,
  unreadableAs,
} from './context-files.ts';
import type { Given } from './source.ts';
import { untilAborted } from './until-aborted.ts';

export interface DockerfileText {
  /** As messages name it. */
  readonly name: string;
  readonly text: string;
  /** Where an ignore file of its own would be; none for one that came alone. */
  readonly place: { readonly files: ContextFiles; readonly path: string } | undefined;
}

/** In this order; the last two are what others call it. */
const NAMES = ['Dockerfile', 'dockerfile', 'Containerfile'];

/** The Dockerfile of a context that does not say which. @throws ERR_DOCKERFILE_MISSING */
export async function findDockerfile(files: ContextFiles): Promise<DockerfileText> {
  for (const path of NAMES) {
    const text = await read(files.nameOf(path), () => files.readText(path));
    if (text !== undefined) return { name: path, text, place: { files, path } };
  }
  throw missing(files.nameOf('Dockerfile'), LOCAL_HINT);
}

/** The file that is named, of this machine. @throws ERR_DOCKERFILE_MISSING */
export async function readDockerfile(file: string): Promise<DockerfileText> {
  const path = resolve(file);
  const text = await read(path, () => readTextFile(path));
  if (text === undefined) throw missing(file, LOCAL_HINT);
  return {
    name: file,
    text,
    place: { files: directoryFiles(dirname(path)), path: basename(path) },
  };
}

/** The file that is named, of a context that came from elsewhere. @throws ERR_DOCKERFILE_MISSING */
export async function readDockerfileIn(files: ContextFiles, file: string): Promise<DockerfileText> {
  // As in docker, a leading slash is the context's root.
  const path = join('/', file).slice(1);
  const text = await read(file, () => files.readText(path));
  if (text === undefined) {
    throw missing(
      file,
      'The path is one in the context; "-f -" reads the file from standard input.',
    );
  }
  return { name: file, text, place: { files, path } };
}

/** A Dockerfile's bytes. @throws ERR_DOCKERFILE_MISSING */
export async function receiveDockerfile(
  bytes: Exclude<Given, string>,
  { name, signal }: { readonly name: string; readonly signal: AbortSignal },
): Promise<DockerfileText> {
  const text = await read(name, async () => textOf(await collect(bytes, signal)));
  return { name, text: text ?? '', place: undefined };
}

async function collect(bytes: Exclude<Given, string>, signal: AbortSignal): Promise<Uint8Array> {
  if (bytes instanceof Uint8Array) return bytes;
  const chunks: Buffer[] = [];
  let size = 0;
  const keep = async (stream: AsyncIterable<Uint8Array | string>): Promise<void> => {
    for await (const chunk of stream) {
      const buffer = Buffer.from(chunk);
      size += buffer.length;
      if (size > MAX_TEXT) throw new Unreadable(TOO_LARGE);
      chunks.push(buffer);
    }
  };
  try {
    await pipeline(untilAborted(bytes, signal), keep, { signal });
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof Unreadable) throw error;
    throw new Unreadable(error instanceof Error ? error.message : 'it failed', { cause: error });
  }
  return Buffer.concat(chunks);
}

async function read(
  name: string,
  get: () => Promise<string | undefined>,
): Promise<string | undefined> {
  try {
    return await get();
  } catch (error) {
    throw unreadableAs(
      error,
      (why, cause) =>
        new TsbuildError('ERR_DOCKERFILE_MISSING', {
          message: `Cannot read the Dockerfile "${name}": ${why}`,
          details: { path: name },
          cause,
        }),
    );
  }
}

const LOCAL_HINT =
  'Name it with -f; its path is relative to the working directory, not to the context.';

function missing(name: string, hint: string): TsbuildError {
  return new TsbuildError('ERR_DOCKERFILE_MISSING', {
    message: `Cannot read the Dockerfile "${name}": no such file`,
    details: { path: name },
    hint,
  });
}
