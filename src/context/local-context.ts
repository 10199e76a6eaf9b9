/** A build context that is a directory: which files count, and their index. */

import { readFile, stat } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import type { Helper, IgnoreRule } from '../../native/index.ts';
import { locate, TsbuildError } from '../errors.ts';
import { compileIgnore, readIgnore } from './ignore.ts';

/** A directory as it was when the build began. */
export interface ScannedContext {
  /** Absolute. */
  readonly directory: string;
  /** The index file. */
  readonly index: string;
  /** Digest over everything but mtimes; equal contexts have equal ones. */
  readonly identity: string;
}

export interface ScanOptions {
  readonly directory: string;
  /** The Dockerfile, whose own ignore file goes before the context's (IGN-1); none for named contexts. */
  readonly dockerfile: string | undefined;
  readonly helper: Helper;
  /** Where the index goes. */
  readonly index: string;
  readonly statCache: string;
  readonly signal: AbortSignal;
}

/** Lists and hashes what the ignore rules leave. @throws ERR_CONTEXT_MISSING (an ignore file, too), ERR_IGNORE_PATTERN */
export async function scanContext(options: ScanOptions): Promise<ScannedContext> {
  const { helper, index, statCache, signal } = options;
  const directory = resolve(options.directory);
  await requireDirectory(directory);
  const ignore = await readIgnoreFile(directory, options.dockerfile);
  const reply = await helper.scan(
    {
      verb: 'scan',
      source: {
        kind: 'directory',
        path: directory,
        format: 'context',
        ignore,
        statCache,
      },
      index,
    },
    { signal },
  );
  return { directory, index, identity: reply.index.identity };
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

/** The ignore file in force, for checks; undefined when there is none. @throws like `scanContext()` */
export async function readIgnorePatterns(
  directory: string,
  dockerfile: string,
): Promise<readonly string[] | undefined> {
  const found = await findIgnoreFile(resolve(directory), dockerfile);
  if (found === undefined) return undefined;
  compileFile(found.name, found.text);
  return readIgnore(found.text);
}

async function readIgnoreFile(
  directory: string,
  dockerfile: string | undefined,
): Promise<readonly IgnoreRule[]> {
  const found = await findIgnoreFile(directory, dockerfile);
  return found === undefined ? [] : compileFile(found.name, found.text);
}

/** The Dockerfile's own, else the context's (IGN-1, no merge). */
async function findIgnoreFile(
  directory: string,
  dockerfile: string | undefined,
): Promise<{ readonly name: string; readonly text: string } | undefined> {
  const candidates = [join(directory, '.dockerignore')];
  if (dockerfile !== undefined) candidates.unshift(`${dockerfile}.dockerignore`);
  for (const file of candidates) {
    const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined;
      throw new TsbuildError('ERR_CONTEXT_MISSING', {
        message: `Cannot read the ignore file "${file}": ${error.message}`,
        details: { path: file },
        cause: error,
      });
    });
    if (text !== undefined) return { name: basename(file), text };
  }
  return undefined;
}

/** Line by line, so that a failure has its place. */
function compileFile(file: string, text: string): readonly IgnoreRule[] {
  return text.split('\n').flatMap((line, index) => {
    try {
      return compileIgnore(readIgnore(line));
    } catch (error) {
      const start = { line: index + 1, column: 0 };
      const range = { start, end: { line: index + 1, column: line.length } };
      throw locate(error, { file, range, source: text });
    }
  });
}
