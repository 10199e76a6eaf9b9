/** What builds and checks read: the context and the Dockerfile that options name, a session when one is needed. */

import {
  type DockerfileText,
  findDockerfile,
  readDockerfile,
  readDockerfileIn,
  receiveDockerfile,
} from './context/dockerfile.ts';
import { fetchFile } from './context/fetch-file.ts';
import { fetchGit } from './context/git.ts';
import type { GitSource } from './context/git-url.ts';
import { type IgnoreFile, readIgnoreFile } from './context/ignore-file.ts';
import {
  type ContextTools,
  type OpenContext,
  openContext,
  preferDirectory,
} from './context/open-context.ts';
import type { ScannedContext } from './context/scanned-context.ts';
import { type ContextSource, type Given, isHttpUrl, parseContext } from './context/source.ts';
import { redactUrl } from './context/url-credentials.ts';
import { TsbuildError } from './errors.ts';
import type { BuildOptions } from './options.ts';
import type { Progress } from './progress/progress.ts';
import { openRequestSession, type Request } from './request.ts';
import type { Session } from './solve/session.ts';

/** The user's files, found. */
export interface Input {
  readonly file: DockerfileText;
  readonly context: OpenContext;
  /** Where the context is from. */
  readonly source: ContextSource;
  /** The ignore file in force. @throws ERR_CONTEXT_MISSING, ERR_IGNORE_PATTERN */
  readonly ignore: () => Promise<IgnoreFile | undefined>;
  /** Lists what COPY sees of the context. */
  readonly scan: () => Promise<ScannedContext>;
  /** The same of a named context; its own ignore file counts, whatever kind it is (CTX-7). */
  readonly scanNamed: (name: string) => Promise<ScannedContext>;
  readonly fetchFile: ContextTools['fetchFile'];
  /** Seconds since the Unix epoch: the time of a named context's own, if it has one (ARG-9). */
  readonly epochOfNamed: (name: string) => Promise<number | undefined>;
  /** The same of the commit that an address names. @throws ERR_GIT_FAILED */
  readonly epochOfCommit: (source: GitSource) => Promise<number>;
  /** Opened when it is first asked for. @throws ERR_STORE_UNUSABLE */
  readonly session: () => Promise<Session>;
}

export interface InputOptions {
  readonly options: BuildOptions;
  readonly request: Request;
  /** Tries of one request to a registry; default: as many as a pull deserves. */
  readonly attempts?: number;
  readonly progress: Progress;
  readonly signal: AbortSignal;
}

/**
 * Finds the context and the Dockerfile, and hands them to `use`; closes the session at the end, if
 * one was opened. @throws ERR_DOCKERFILE_MISSING, what `openContext()` throws, what `use` throws
 */
export async function withInput<T>(
  work: InputOptions,
  use: (input: Input) => Promise<T>,
): Promise<T> {
  let opened: Promise<Session> | undefined;
  const session = (): Promise<Session> => (opened ??= openRequestSession(work.options, work));
  try {
    return await use(await openInput(work, session));
  } catch (error) {
    work.signal.throwIfAborted();
    throw error;
  } finally {
    // One that did not open has nothing to close, and has failed what asked for it.
    await (await opened?.catch(() => undefined))?.close();
  }
}

async function openInput(work: InputOptions, session: () => Promise<Session>): Promise<Input> {
  const { options, request, progress } = work;
  const tools = toolsOf(work, session);
  const given = await preferDirectory(parseContext(options.context));
  const source = withGitDir(given, options.buildArgs);
  const context = await narrated(source, progress, () =>
    openContext(source, { tools, single: 'dockerfile' }),
  );
  const file = await readInputFile(source, context, { given: options.dockerfile, tools });
  const ignore = (): Promise<IgnoreFile | undefined> =>
    readIgnoreFile({
      files: context.files,
      dockerfile: file.place,
      named: options.ignoreFile,
    });
  const named = new Map<string, Promise<OpenContext>>();
  const openNamed = (name: string): Promise<OpenContext> => {
    const known = named.get(name) ?? openNamedContext(name);
    named.set(name, known);
    return known;
  };
  const openNamedContext = async (name: string): Promise<OpenContext> => {
    const value = request.contexts.get(name);
    if (value?.kind !== 'files') throw new TypeError(`No files in the context "${name}"`);
    const from = await preferDirectory(value.source);
    return await narrated(from, progress, () => openContext(from, { tools, single: 'file' }));
  };
  return {
    file,
    context,
    source,
    ignore,
    session,
    fetchFile: tools.fetchFile,
    scan: async () => await context.scan(await ignore()),
    epochOfNamed: async (name) => {
      const given = [...request.contexts.keys()].find((each) => each.toLowerCase() === name);
      return (await openNamed(given ?? name)).epoch;
    },
    epochOfCommit: async (source) => (await tools.fetchGit(source)).committed,
    scanNamed: async (name) => {
      const named = await openNamed(name);
      return await named.scan(await readIgnoreFile({ files: named.files }));
    },
  };
}

/** `--build-arg BUILDKIT_CONTEXT_KEEP_GIT_DIR=1` keeps the `.git` of the main context (ARG-8). */
function withGitDir(source: ContextSource, args: BuildOptions['buildArgs']): ContextSource {
  const value = args?.['BUILDKIT_CONTEXT_KEEP_GIT_DIR'] ?? '';
  if (source.kind !== 'git' || !/^(1|t|true)$/i.test(value)) return source;
  return { ...source, source: { ...source.source, keepGitDir: true } };
}

function toolsOf({ options, signal }: InputOptions, session: () => Promise<Session>): ContextTools {
  const secrets = new Map(Object.entries(options.secrets ?? {}));
  return {
    helper: async () => await (await session()).helpers.files(),
    temporary: async (what) => (await session()).layers.temporary(what),
    statCache: async (directory) => (await session()).store.statCachePath(directory),
    fetchFile: async (url, checksum) => {
      const { store, layers, materials, downloads: transport } = await session();
      const temporary = (): string => layers.temporary('download');
      const tools = { memory: store, temporary, secrets, transport };
      const file = await fetchFile(url, { ...tools, signal, checksum });
      materials.addFile(url, file.sha256);
      return file;
    },
    fetchGit: async (source) => {
      const { store, workspace, materials } = await session();
      const checkout = await fetchGit(source, {
        mirrors: store.gitPath,
        scratch: workspace.path,
        secrets,
        now: Math.floor(Date.now() / 1000),
        signal,
      });
      materials.addCommit(source, checkout.commit);
      return checkout;
    },
    signal,
  };
}

/** A context that comes from elsewhere takes its time: it is a step of the display. */
async function narrated<T>(
  source: ContextSource,
  progress: Progress,
  work: () => Promise<T>,
): Promise<T> {
  const name = nameOf(source);
  if (name === undefined) return await work();
  const reporter = progress.start({ name: `load build context from ${name}`, location: undefined });
  try {
    const result = await work();
    reporter.end({ cached: false });
    return result;
  } catch (error) {
    reporter.fail(error instanceof TsbuildError ? error : undefined);
    throw error;
  }
}

function nameOf(source: ContextSource): string | undefined {
  switch (source.kind) {
    case 'directory':
      return undefined;
    case 'git':
      return source.source.shown;
    case 'http':
      return redactUrl(source.url);
    case 'bytes':
      return 'standard input';
  }
}

/** `-f` as docker reads it: bytes, an address, a path in a context from elsewhere, else a path here. */
async function readInputFile(
  source: ContextSource,
  context: OpenContext,
  { given, tools }: { readonly given: Given | undefined; readonly tools: ContextTools },
): Promise<DockerfileText> {
  if (given !== undefined && typeof given !== 'string') {
    return await receiveDockerfile(given, { name: 'Dockerfile', signal: tools.signal });
  }
  if (given !== undefined && isHttpUrl(given)) {
    const { path } = await tools.fetchFile(given);
    const { text } = await readDockerfile(path);
    return { name: redactUrl(given), text, place: undefined };
  }
  if (context.dockerfile !== undefined) {
    return { name: 'Dockerfile', text: context.dockerfile, place: undefined };
  }
  if (given === undefined || given === '') return await findDockerfile(context.files);
  const isLocal = source.kind === 'directory';
  return isLocal ? await readDockerfile(given) : await readDockerfileIn(context.files, given);
}
