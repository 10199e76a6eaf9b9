/** A build context of any kind (CTX-1), brought to this machine and ready to be listed. */

import { createWriteStream } from 'node:fs';
import { stat, writeFile } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import type { Helper } from '../../native/index.ts';
import { TsbuildError } from '../errors.ts';
import {
  type Archive,
  archiveFiles,
  newestTime,
  readArchive,
  scanArchive,
  writeFileContext,
} from './archive-context.ts';
import {
  confinedFiles,
  type ContextFiles,
  directoryFiles,
  readTextFile,
  unreadableAs,
} from './context-files.ts';
import type { FetchedFile } from './fetch-file.ts';
import type { GitCheckout } from './git.ts';
import type { GitSource } from './git-url.ts';
import type { IgnoreFile } from './ignore-file.ts';
import { requireDirectory, scanDirectory, type ScanOptions } from './local-context.ts';
import type { ScannedContext } from './scanned-context.ts';
import type { ContextSource } from './source.ts';
import { untilAborted } from './until-aborted.ts';
import { redactUrl } from './url-credentials.ts';

/** A context that is on this machine. */
export interface OpenContext {
  /** Its texts; of a context that is but a Dockerfile, none. */
  readonly files: ContextFiles;
  /** What it is when it is a Dockerfile and nothing else (CTX-5). */
  readonly dockerfile: string | undefined;
  /** Seconds since the Unix epoch: what `SOURCE_DATE_EPOCH=context` means (ARG-9). */
  readonly epoch: number | undefined;
  /** Lists and hashes what an ignore file leaves. */
  readonly scan: (ignore: IgnoreFile | undefined) => Promise<ScannedContext>;
}

/** What opening contexts needs; of a local one that is only read, nothing is asked for. */
export interface ContextTools {
  readonly helper: () => Promise<Helper>;
  /** A path of this build that does not exist yet. */
  readonly temporary: (what: string) => Promise<string>;
  /** Where the digests of a user's directory are remembered. */
  readonly statCache: (directory: string) => Promise<string>;
  readonly fetchFile: (url: string, checksum?: string) => Promise<FetchedFile>;
  readonly fetchGit: (source: GitSource) => Promise<GitCheckout>;
  readonly signal: AbortSignal;
}

interface Options {
  readonly tools: ContextTools;
  /** What a file is that is no archive: of the main context a Dockerfile, of a named one a file. */
  readonly single: 'dockerfile' | 'file';
}

/**
 * Opens a context. @throws ERR_CONTEXT_MISSING, ERR_CONTEXT_UNSUPPORTED for bytes that are no context,
 * ERR_DOWNLOAD_FAILED, ERR_GIT_FAILED, ERR_LAYER_INVALID and ERR_LAYER_UNSAFE_PATH of archives
 */
export async function openContext(source: ContextSource, options: Options): Promise<OpenContext> {
  const { tools } = options;
  switch (source.kind) {
    case 'directory':
      return await openDirectory(source.directory, options);
    case 'git':
      return await openGit(source.source, tools);
    case 'http': {
      const { path, mtime } = await tools.fetchFile(source.url);
      const dated = mtime === 0 ? undefined : mtime;
      return await openFile({ path, name: redactUrl(source.url), dated }, options);
    }
    case 'bytes': {
      const path = await tools.temporary('context');
      if (source.bytes instanceof Uint8Array) await writeFile(path, source.bytes);
      else await receive(source.bytes, path, tools.signal);
      return await openFile({ path, name: 'standard input', dated: undefined }, options);
    }
  }
}

/** The same, or the directory of that name: one may be called "github.com/…", and goes first, as in docker. */
export async function preferDirectory(source: ContextSource): Promise<ContextSource> {
  if (source.kind !== 'git') return source;
  const found = await stat(source.text).catch(() => undefined);
  return found?.isDirectory() === true ? { kind: 'directory', directory: source.text } : source;
}

async function openDirectory(directory: string, { tools, single }: Options): Promise<OpenContext> {
  await requireDirectory(directory, single === 'dockerfile' ? MAIN_HINT : undefined);
  return {
    files: directoryFiles(directory),
    dockerfile: undefined,
    epoch: undefined,
    scan: async (ignore) => {
      const statCache = await tools.statCache(directory);
      return await scanWith(tools, { directory, ignore, statCache });
    },
  };
}

const MAIN_HINT =
  'The last argument of tsbuild is a directory, a URL or "-"; the Dockerfile is named with -f.';

async function openGit(source: GitSource, tools: ContextTools): Promise<OpenContext> {
  const { directory, committed, datedBy } = await tools.fetchGit(source);
  return {
    files: confinedFiles(directory),
    dockerfile: undefined,
    epoch: committed,
    scan: async (ignore) =>
      await scanWith(tools, { directory, ignore, statCache: undefined, datedBy }),
  };
}

async function scanWith(
  { helper, temporary, signal }: ContextTools,
  what: Pick<ScanOptions, 'directory' | 'ignore' | 'statCache' | 'datedBy'>,
): Promise<ScannedContext> {
  const [index, opened] = [await temporary('context'), await helper()];
  return await scanDirectory({ ...what, helper: opened, index, signal });
}

async function receive(
  stream: AsyncIterable<Uint8Array | string>,
  path: string,
  signal: AbortSignal,
): Promise<void> {
  try {
    await pipeline(untilAborted(stream, signal), createWriteStream(path, { flags: 'wx' }), {
      signal,
    });
  } catch (error) {
    signal.throwIfAborted();
    throw new TsbuildError('ERR_CONTEXT_MISSING', {
      message: `Cannot read the build context from standard input: ${error instanceof Error ? error.message : 'it failed'}`,
      details: { path: '-' },
      cause: error,
    });
  }
}

interface ContextFile {
  readonly path: string;
  /** As messages name it. */
  readonly name: string;
  /** Seconds since the Unix epoch, when its source has dated it. */
  readonly dated: number | undefined;
}

/** An archive, else the one thing that the file is. */
async function openFile(file: ContextFile, { tools, single }: Options): Promise<OpenContext> {
  const { signal } = tools;
  const [index, tar] = [await tools.temporary('index'), await tools.temporary('tar')];
  const temporary = (what: string): string => (what === 'tar' ? tar : index);
  const archive = await readArchive(file.path, { helper: await tools.helper(), temporary, signal });
  if (archive !== undefined) return openArchive(archive, file.dated, tools);
  if (single === 'file') return openSingle(file, tools);
  const dockerfile = await readDockerfileText(file);
  return {
    files: NO_FILES,
    dockerfile,
    epoch: file.dated,
    scan: async () => await writeFileContext(undefined, await tools.temporary('context')),
  };
}

function openArchive(
  archive: Archive,
  dated: number | undefined,
  { temporary }: ContextTools,
): OpenContext {
  return {
    files: archiveFiles(archive),
    dockerfile: undefined,
    epoch: dated ?? newestTime(archive),
    scan: async (ignore) => await scanArchive(archive, ignore, await temporary('context')),
  };
}

const NO_FILES: ContextFiles = { nameOf: (path) => path, readText: async () => undefined };

/** As in BuildKit, a named context that is one file has it under this name. */
const SINGLE_NAME = 'context';

function openSingle({ path, dated }: ContextFile, { temporary }: ContextTools): OpenContext {
  return {
    files: NO_FILES,
    dockerfile: undefined,
    epoch: dated,
    scan: async () => {
      const { createHash } = await import('node:crypto');
      const { createReadStream } = await import('node:fs');
      const hash = createHash('sha256');
      await pipeline(createReadStream(path), hash);
      const { size } = await stat(path);
      const metadata = { mode: 0o600, uid: 0, gid: 0, mtime: dated ?? 0, mtimeNsec: 0 };
      const entry = { ...metadata, type: 'file', path: SINGLE_NAME, size } as const;
      const content = { file: path, entry: { ...entry, sha256: hash.digest('hex') } };
      return await writeFileContext(content, await temporary('context'));
    },
  };
}

async function readDockerfileText(file: ContextFile): Promise<string> {
  const reject = (why: string, cause?: unknown): TsbuildError =>
    new TsbuildError('ERR_CONTEXT_UNSUPPORTED', {
      message: `Cannot use ${shown(file)} as the build context: ${why}`,
      details: { context: file.name },
      hint: 'A context that is no directory is a tar, plain or compressed with gzip, bzip2, xz or zstd, or the text of a Dockerfile.',
      cause,
    });
  try {
    const text = (await readTextFile(file.path)) ?? '';
    if (text.includes('\0')) throw reject('it is neither an archive nor a Dockerfile');
    return text;
  } catch (error) {
    throw unreadableAs(error, reject);
  }
}

function shown({ name }: ContextFile): string {
  return name === 'standard input' ? name : `"${name}"`;
}
