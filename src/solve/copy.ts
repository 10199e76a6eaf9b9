/** Step kind: COPY and ADD. Entries are decided from indexes; bytes are read only for a layer that is new. */

import { createHash } from 'node:crypto';
import { readText } from './read-text.ts';
import type { FetchedFile } from '../context/fetch-file.ts';
import { redactUrl } from '../context/url-credentials.ts';
import { hasCode, TsbuildError } from '../errors.ts';
import type { CopyStep } from '../plan/step.ts';
import { ImageTree } from '../tree/image-tree.ts';
import { encodeIndex } from '../tree/index-codec.ts';
import { indexFromBytes } from '../tree/layer-index.ts';
import { resolveOwner } from '../tree/owner.ts';
import { toBytes, toPath } from '../tree/path.ts';
import { composeLayer } from './compose.ts';
import { copyEntries, type TreeSource } from './copy-entries.ts';
import type { BaseImage, Layer } from './layer.ts';
import { type Match, matchSource } from './match-source.ts';
import { fileOrigin, inlineOrigin, type Origin } from './origins.ts';
import type { StepContext, StepRunner } from './step-context.ts';
import { requireReadable } from './unreadable.ts';

/** Keys and executes one COPY or ADD on top of a parent. */
export function copyRunner(
  step: CopyStep<BaseImage>,
  parent: readonly Layer[],
  context: StepContext,
): StepRunner {
  const files = new Downloads(context);
  return {
    inputs: async () => ({
      ...canonical(step),
      epoch: context.epoch,
      origin: step.sources.some(({ kind }) => kind === 'path')
        ? await context.origins.identity(step.origin)
        : null,
      downloads: [...(await files.describe(step)), ...(await context.git.describe(step))],
    }),
    execute: async (wanted) => {
      const sources = await openSources(step, context, files);
      const linked = isLinked(step);
      const tree = linked
        ? new ImageTree([])
        : await context.layers.tree(parent, { directories: wanted.directory });
      const owner =
        step.chown === undefined
          ? undefined
          : await ownerOf(step.chown, linked ? [] : parent, tree, context);
      const { destination, chmod, exclude } = step;
      const result = copyEntries({
        sources,
        destination,
        parent: tree,
        owner,
        chmod,
        exclude,
        now: context.now,
        epoch: context.epoch,
      });
      const datedBy = datesOf(sources);
      return await composeLayer({ ...result, datedBy }, wanted, context);
    },
  };
}

/** The step as a key sees it: expanded, without names of stages and without display. */
function canonical(step: CopyStep<BaseImage>): Readonly<Record<string, unknown>> {
  const { add, destination, chown, chmod, parents, exclude } = step;
  const link = isLinked(step);
  // A record is for people to read.
  const sources = step.sources.map((source) => {
    if (source.kind === 'git') return { kind: source.kind };
    return source.kind === 'url' ? { ...source, url: redactUrl(source.url) } : source;
  });
  return { add, sources, destination, chown, chmod, link, parents, exclude };
}

/** `--link` does not look at the parent; a `--chmod` turns it off (CP-15). */
function isLinked(step: CopyStep<BaseImage>): boolean {
  return step.link && step.chmod === undefined;
}

/** `--chown`, its names looked up in the parent's /etc/passwd and /etc/group (CP-13). */
async function ownerOf(
  owner: string,
  parent: readonly Layer[],
  tree: ImageTree,
  { layers }: StepContext,
): Promise<{ readonly uid: number; readonly gid: number }> {
  if (/^\d+(:\d+)?$/.test(owner)) return resolveOwner(owner, undefined, undefined);
  const passwd = await readText(parent, tree, 'etc/passwd', layers);
  const group = await readText(parent, tree, 'etc/group', layers);
  return resolveOwner(owner, passwd, group);
}

type OpenSource = TreeSource<Origin>;

async function openSources(
  step: CopyStep<BaseImage>,
  context: StepContext,
  files: Downloads,
): Promise<OpenSource[]> {
  const opened: OpenSource[] = [];
  for (const source of step.sources) {
    switch (source.kind) {
      case 'inline': {
        const origin = inlineOrigin(source.name, source.content, context.now);
        opened.push(wholeTree(origin));
        break;
      }
      case 'url': {
        const file = await files.get(source.url, source.checksum);
        const archive = source.unpack ? await openArchive(file.path, context) : undefined;
        opened.push(archive ?? wholeTree(downloadOrigin(file, source.name)));
        break;
      }
      case 'git': {
        const origin = await context.git.open(source.git);
        const contents = { named: '', path: '', found: undefined };
        opened.push({ origin, selection: { kind: 'matches', matches: [contents] } });
        break;
      }
      case 'path': {
        const origin = await context.origins.open(step.origin);
        requireReadable(origin, source.path, []);
        if (step.parents) {
          opened.push({ origin, selection: { kind: 'parents', path: source.path } });
          break;
        }
        const matches = await matchIn(origin, source.path);
        requireReadable(
          origin,
          source.path,
          matches.map(({ path }) => path),
        );
        if (source.unpack) opened.push(...(await unpackMatches(origin, matches, context)));
        else opened.push({ origin, selection: { kind: 'matches', matches } });
      }
    }
  }
  return opened;
}

/** The commits that the sources have their times of; undefined when they have none. */
function datesOf(sources: readonly OpenSource[]): string | undefined {
  const commits = sources.flatMap(({ origin }) => origin.datedBy ?? []);
  return commits.length === 0 ? undefined : commits.join(' ');
}

/** What a source matches; if that is nothing because the ignore file hides it, the error says so. */
async function matchIn(origin: Origin, path: string): Promise<Match[]> {
  try {
    return matchSource(origin.tree, path);
  } catch (error) {
    if (!hasCode(error, 'ERR_SOURCE_MISSING')) throw error;
    const hint = await missingHint(origin, path);
    if (hint === undefined) throw error;
    const { message, details } = error;
    throw new TsbuildError('ERR_SOURCE_MISSING', { message, details, hint });
  }
}

/** What there is to say of a source that a context does not have. */
async function missingHint(origin: Origin, path: string): Promise<string | undefined> {
  if (await origin.isIgnored?.(toPath(path))) {
    return 'It is there, but the ignore file (.dockerignore) leaves it out of the build context.';
  }
  const isEmpty = origin.isIgnored !== undefined && origin.tree.list('').next().done === true;
  return isEmpty
    ? 'The build context has no files. Is it a Dockerfile alone? "tsbuild -f - DIR" gives one a directory.'
    : undefined;
}

/** Everything at the top of a small tree made for one file. */
function wholeTree(origin: Origin): OpenSource {
  const matches = [...origin.tree.list('')].map((found) => ({
    named: found.entry.path,
    path: found.entry.path,
    found,
  }));
  return { origin, selection: { kind: 'matches', matches } };
}

/** ADD: files that are archives become their members, told by content (CP-21). */
async function unpackMatches(
  origin: Origin,
  matches: readonly Match[],
  context: StepContext,
): Promise<OpenSource[]> {
  const opened: OpenSource[] = [];
  for (const match of matches) {
    const { found } = match;
    const content = found === undefined ? undefined : origin.tree.contentOf(found)?.entry;
    const path = content === undefined ? undefined : await origin.hostFile?.(match.path);
    // The key is of the bytes that were scanned: what has changed since must not be recorded under it.
    const digest = content?.sha256 === undefined ? undefined : `sha256:${content.sha256}`;
    const archive = path === undefined ? undefined : await openArchive(path, context, digest);
    opened.push(archive ?? { origin, selection: { kind: 'matches', matches: [match] } });
  }
  return opened;
}

/** The members of an archive; undefined when the file is none. @throws ERR_CONTEXT_CHANGED */
async function openArchive(
  path: string,
  context: StepContext,
  digest?: string,
): Promise<OpenSource | undefined> {
  const { layers, helpers, jobs, signal } = context;
  const helper = await helpers.files();
  const index = layers.temporary('index');
  const tar = layers.temporary('tar');
  const expected = digest === undefined ? undefined : { digest };
  const source = { kind: 'archive', path, format: 'files', tar, ...expected } as const;
  const reply = await jobs.run(
    () => helper.scan({ verb: 'scan', source, index }, { signal }),
    signal,
  );
  if (!reply.archive) return undefined;
  const file = reply.unpacked ? tar : path;
  const origin = fileOrigin(layers.openIndex(index), reply.index.identity, file);
  return { origin, selection: { kind: 'archive' } };
}

/** CP-23: 0600, root's, dated by the server. */
function downloadOrigin({ path: file, sha256, size, mtime }: FetchedFile, name: string): Origin {
  const metadata = { path: toBytes(name), mode: 0o600, uid: 0, gid: 0, mtime, mtimeNsec: 0 };
  const source = { kind: 'range', file: 0, offset: 0 } as const;
  const { bytes, identity } = encodeIndex([{ ...metadata, type: 'file', size, sha256, source }]);
  return fileOrigin(indexFromBytes(bytes), identity, file);
}

/** The files from the network that one step adds, each fetched once. */
class Downloads {
  readonly #context: StepContext;
  readonly #files = new Map<string, Promise<FetchedFile>>();

  constructor(context: StepContext) {
    this.#context = context;
  }

  /** What a key needs to know of them; Last-Modified is part of it (CS-3). */
  async describe(step: CopyStep<BaseImage>): Promise<readonly object[]> {
    const described: object[] = [];
    for (const source of step.sources) {
      if (source.kind !== 'url') continue;
      const { sha256, mtime } = await this.get(source.url, source.checksum);
      described.push({ url: redactUrl(source.url), sha256, mtime });
    }
    return described;
  }

  /** @throws ERR_DOWNLOAD_FAILED, ERR_CHECKSUM_MISMATCH */
  async get(url: string, checksum: string | undefined): Promise<FetchedFile> {
    const known = this.#files.get(url) ?? this.#context.fetchFile(url, checksum);
    this.#files.set(url, known);
    const file = await known;
    if (checksum !== undefined) await requireChecksum(file, url, checksum);
    return file;
  }
}

/** `--checksum` with sha256, sha384 or sha512 (CP-24). */
async function requireChecksum(file: FetchedFile, url: string, expected: string): Promise<void> {
  const algorithm = expected.slice(0, expected.indexOf(':'));
  let found = `sha256:${file.sha256}`;
  if (algorithm !== 'sha256') {
    const { createReadStream } = await import('node:fs');
    const { pipeline } = await import('node:stream/promises');
    const hash = createHash(algorithm);
    await pipeline(createReadStream(file.path), hash);
    found = `${algorithm}:${hash.digest('hex')}`;
  }
  if (found === expected) return;
  throw new TsbuildError('ERR_CHECKSUM_MISMATCH', {
    message: `Cannot add "${redactUrl(url)}": digest mismatch ${found}: ${expected}`,
    details: { expected, found },
    hint: 'The server has other bytes than the checksum names. If the change is wanted, update --checksum.',
  });
}
