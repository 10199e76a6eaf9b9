/** Finds and reads the Dockerfile (CTX-2). */

import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { TsbuildError } from '../errors.ts';

export interface DockerfileText {
  /** As messages name it. */
  readonly name: string;
  /** Absolute. */
  readonly path: string;
  readonly text: string;
}

/** In this order; the last two are what others call it. */
const NAMES = ['Dockerfile', 'dockerfile', 'Containerfile'];

/** A Dockerfile larger than this is something else. */
const MAX_SIZE = 64 * 1024 * 1024;

/** Reads the file named, else the one of the context. @throws ERR_DOCKERFILE_MISSING */
export async function readDockerfile(
  context: string,
  file: string | undefined,
): Promise<DockerfileText> {
  const candidates =
    file === undefined
      ? NAMES.map((name) => ({ name, path: resolve(join(context, name)) }))
      : [{ name: file, path: resolve(file) }];
  for (const { name, path } of candidates) {
    const text = await readText(path);
    if (text !== undefined) return { name, path, text };
  }
  const wanted = candidates[0]?.path ?? '';
  throw new TsbuildError('ERR_DOCKERFILE_MISSING', {
    message: `Cannot read the Dockerfile "${file ?? join(context, 'Dockerfile')}": no such file`,
    details: { path: wanted },
    hint: 'Name it with -f; its path is relative to the working directory, not to the context.',
  });
}

async function readText(path: string): Promise<string | undefined> {
  try {
    const bytes = await readFile(path);
    if (bytes.length > MAX_SIZE) throw unreadable(path, 'it is larger than 64 MiB');
    return bytes.toString('utf8');
  } catch (error) {
    if (!(error instanceof Error) || error instanceof TsbuildError) throw error;
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    if (code === 'EISDIR') throw unreadable(path, 'it is a directory', error);
    if (code === 'EACCES') throw unreadable(path, 'permission denied', error);
    throw unreadable(path, error.message, error);
  }
}

function unreadable(path: string, why: string, cause?: unknown): TsbuildError {
  return new TsbuildError('ERR_DOCKERFILE_MISSING', {
    message: `Cannot read the Dockerfile "${path}": ${why}`,
    details: { path },
    cause,
  });
}
