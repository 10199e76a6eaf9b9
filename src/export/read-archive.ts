/** The way back: an OCI archive to the layout directory that it holds. */

import { createReadStream, createWriteStream } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { makeDirectory } from '../../cache/index.ts';
import { TsbuildError } from '../errors.ts';
import { BLOB_DIRECTORY, INDEX_FILE, LAYOUT_MARKER } from './export-result.ts';
import { isErrno } from './failure.ts';

/** Names that a layout has; a tar may have others, and they lead nowhere. */
const FILE = new RegExp(
  `^(?:\\./)?(${LAYOUT_MARKER}|${INDEX_FILE.replace('.', '\\.')}|${BLOB_DIRECTORY}/[0-9a-f]{64})$`,
);

/**
 * Unpacks an archive into a new directory. The bytes are not verified: who reads the layout does that.
 * After a failure the directory may have some of the files. @throws ERR_IMAGE_NOT_FOUND, ERR_IMAGE_INVALID
 */
export async function unpackArchive(
  archive: string,
  directory: string,
  signal: AbortSignal,
): Promise<void> {
  // Bundled, a CommonJS package has its default export alone.
  const { default: tar } = await import('tar-stream');
  const unpack = tar.extract();
  const source = createReadStream(archive, { highWaterMark: 1024 * 1024 });
  await makeDirectory(join(directory, BLOB_DIRECTORY));
  const reading = pipeline(source, unpack, { signal });
  // Its failure is that of the entries, too.
  reading.catch(() => undefined);
  try {
    for await (const entry of unpack) {
      const name = entry.header.type === 'file' ? FILE.exec(entry.header.name)?.[1] : undefined;
      if (name === undefined) entry.resume();
      else await pipeline(entry, createWriteStream(join(directory, name)), { signal });
    }
    await reading;
  } catch (error) {
    signal.throwIfAborted();
    throw unreadable(archive, error);
  }
}

function unreadable(archive: string, cause: unknown): TsbuildError {
  const isMissing = isErrno(cause, 'ENOENT');
  return new TsbuildError(isMissing ? 'ERR_IMAGE_NOT_FOUND' : 'ERR_IMAGE_INVALID', {
    message: `Cannot read the image archive "${archive}"`,
    details: { reference: archive },
    hint: isMissing ? 'There is no such file.' : 'It is no OCI archive, or it is damaged.',
    cause,
  });
}
