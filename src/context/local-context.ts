/** A build context that is a directory: which files count, and their index. */

import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Helper } from '../../native/index.ts';
import { TsbuildError } from '../errors.ts';
import { digestOf } from '../oci/digest.ts';
import type { IgnoreFile } from './ignore-file.ts';
import type { ScannedDirectory } from './scanned-context.ts';

export interface ScanOptions {
  readonly directory: string;
  readonly ignore: IgnoreFile | undefined;
  readonly helper: Helper;
  /** Where the index goes. */
  readonly index: string;
  /** None for a directory that is gone after this build. */
  readonly statCache: string | undefined;
  /** What the files have their times of, if that is not when they were written: then it is what they are, too. */
  readonly datedBy?: string | undefined;
  readonly signal: AbortSignal;
}

/** Lists and hashes what the ignore rules leave. @throws ERR_CONTEXT_MISSING, ERR_CONTEXT_CHANGED */
export async function scanDirectory(options: ScanOptions): Promise<ScannedDirectory> {
  const { helper, ignore, index, statCache, datedBy, signal } = options;
  const directory = resolve(options.directory);
  await requireDirectory(directory);
  const reply = await helper.scan(
    {
      verb: 'scan',
      source: {
        kind: 'directory',
        path: directory,
        format: 'context',
        ignore: ignore?.rules ?? [],
        ...(statCache !== undefined && { statCache }),
      },
      index,
    },
    { signal },
  );
  const { sockets, unreadable } = reply;
  const listed = reply.index.identity;
  // A directory that cannot be read is not one that is not there: a COPY of it has to fail.
  const isPlain = unreadable.length === 0 && datedBy === undefined;
  const identity = isPlain ? listed : digestOf(JSON.stringify([listed, unreadable, datedBy]));
  return { kind: 'directory', directory, index, identity, datedBy, sockets, unreadable };
}

/** @throws ERR_CONTEXT_MISSING */
export async function requireDirectory(directory: string, hint?: string): Promise<void> {
  const found = await stat(directory).catch(() => undefined);
  if (found?.isDirectory()) return;
  throw new TsbuildError('ERR_CONTEXT_MISSING', {
    message:
      found === undefined
        ? `Cannot read the build context "${directory}": no such directory`
        : `Cannot read the build context "${directory}": it is not a directory`,
    details: { path: directory },
    hint,
  });
}
