/**
 * Fetched commits in the store: `git/REMOTE/OBJECT`, a bare repository for each, which never changes
 * once it has its name. It is made in the build's own directory, out of hard links to the newest of
 * its siblings, so that the server sends only what is new; then it is renamed.
 */

import { createHash, randomBytes } from 'node:crypto';
import { cp, link, mkdir, readdir, readFile, rename, rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { runGit } from './git-process.ts';
import type { GitRemote } from './git-remote.ts';
import { type GitRevision, isFullCommit, isShortCommit } from './git-revision.ts';

export interface MirrorOptions {
  /** The store's folder. */
  readonly mirrors: string;
  /** This build's directory, on the same filesystem. */
  readonly scratch: string;
  readonly signal: AbortSignal;
}

/** With more packs than this, a fresh start is cheaper than to go on collecting. */
const MAX_PACKS = 30;

/** A bare repository that has the revision's commit, and its tag. @throws ERR_GIT_FAILED */
export async function openMirror(
  remote: GitRemote,
  revision: GitRevision,
  options: MirrorOptions,
): Promise<string> {
  const object = revision.tag ?? revision.commit;
  const path = join(folderOf(remote, options), object);
  if (await isUsable(path, object, options.signal)) {
    // The date of its last use.
    await utimes(path, new Date(), new Date()).catch(() => undefined);
    return path;
  }
  const temporary = await startMirror(remote, object.length, options);
  await fetchObject(remote, revision, temporary, options.signal);
  return await publish(temporary, path, options);
}

/** The commit that begins with these digits: of the store, else of everything that the remote has. */
export async function findShortCommit(
  remote: GitRemote,
  prefix: string,
  options: MirrorOptions,
): Promise<GitRevision | undefined> {
  if (!isShortCommit(prefix)) return undefined;
  const wanted = prefix.toLowerCase();
  const names = await readdir(folderOf(remote, options)).catch(() => []);
  const known = names.filter((name) => isFullCommit(name) && name.startsWith(wanted));
  const [only] = known;
  if (only !== undefined && known.length === 1) {
    return { commit: only, tag: undefined, refName: undefined };
  }
  const { signal } = options;
  const temporary = await startMirror(remote, 40, options);
  await fetchEverything(remote, undefined, temporary);
  const args = ['rev-parse', '--verify', '--quiet', `${wanted}^{commit}`];
  const { stdout } = await runGit({ args, gitDirectory: temporary, signal });
  const commit = stdout.trim();
  if (!isFullCommit(commit)) return undefined;
  await keep(temporary, commit, signal);
  await publish(temporary, join(folderOf(remote, options), commit), options);
  return { commit, tag: undefined, refName: undefined };
}

/** The ref under which a mirror has its object. */
export function mirrorRef(object: string): string {
  return `refs/tsbuild/${object}`;
}

function folderOf(remote: GitRemote, { mirrors }: MirrorOptions): string {
  return join(mirrors, createHash('sha256').update(remote.source.remote).digest('hex'));
}

/** A crash of the machine can leave less than was written: then it is fetched again. */
async function isUsable(path: string, object: string, signal: AbortSignal): Promise<boolean> {
  const found = await stat(path).catch(() => undefined);
  if (found === undefined) return false;
  const args = ['rev-parse', '--verify', '--quiet', `${mirrorRef(object)}^{tree}`];
  const { exitCode } = await runGit({ args, gitDirectory: path, signal });
  return exitCode === 0;
}

async function startMirror(
  remote: GitRemote,
  digits: number,
  options: MirrorOptions,
): Promise<string> {
  const { scratch, signal } = options;
  const path = join(scratch, `git-${randomBytes(8).toString('hex')}`);
  const newest = await newestSibling(folderOf(remote, options), digits);
  if (newest !== undefined) {
    try {
      await cloneByLinks(newest, path);
      return path;
    } catch {
      // Links may be forbidden here, or the sibling was removed meanwhile.
      await rm(path, { recursive: true, force: true });
    }
  }
  const format = digits === 64 ? ['--object-format=sha256'] : [];
  const args = ['init', '--quiet', '--bare', ...format, '--', path];
  const result = await runGit({ args, signal });
  if (result.exitCode !== 0) throw remote.failure(result);
  return path;
}

async function newestSibling(folder: string, digits: number): Promise<string | undefined> {
  let newest: { readonly path: string; readonly time: number } | undefined;
  for (const name of await readdir(folder).catch(() => [])) {
    if (name.length !== digits) continue;
    const path = join(folder, name);
    const time = (await stat(path).catch(() => undefined))?.mtimeMs;
    if (time !== undefined && time > (newest?.time ?? 0)) newest = { path, time };
  }
  if (newest === undefined) return undefined;
  const packs = await readdir(join(newest.path, 'objects', 'pack')).catch(() => []);
  return packs.filter((name) => name.endsWith('.pack')).length > MAX_PACKS
    ? undefined
    : newest.path;
}

/** git replaces files and never writes into them: objects can be shared, the rest is small. */
async function cloneByLinks(from: string, to: string): Promise<void> {
  await mkdir(to);
  for (const entry of await readdir(from, { withFileTypes: true })) {
    if (entry.name === 'objects') continue;
    await cp(join(from, entry.name), join(to, entry.name), { recursive: true });
  }
  const objects = await readdir(join(from, 'objects'), { recursive: true, withFileTypes: true });
  await mkdir(join(to, 'objects'));
  for (const entry of objects) {
    const target = join(to, entry.parentPath.slice(from.length), entry.name);
    if (entry.isDirectory()) await mkdir(target, { recursive: true });
    else await mkdir(join(target, '..'), { recursive: true });
    if (entry.isFile()) await link(join(entry.parentPath, entry.name), target);
  }
}

async function fetchObject(
  remote: GitRemote,
  revision: GitRevision,
  gitDirectory: string,
  signal: AbortSignal,
): Promise<void> {
  const object = revision.tag ?? revision.commit;
  const only = await remote.run({
    args: (address) => [
      ...[...FETCH, '--depth=1', '--', address],
      `+${object}:${mirrorRef(object)}`,
    ],
    gitDirectory,
  });
  if (only.exitCode === 0) return;
  // Servers may refuse what no ref names, and some know no depth: then everything, as BuildKit does.
  if (!MAY_HAVE_IT.test(only.stderr)) throw remote.failure(only);
  await fetchEverything(remote, revision.refName, gitDirectory);
  if (!(await keep(gitDirectory, object, signal))) {
    throw remote.error(`it has no commit ${object}`, 'not-found');
  }
}

const FETCH = ['fetch', '--quiet', '--no-tags', '--no-write-fetch-head', '--force'];
const MAY_HAVE_IT =
  /not our ref|unadvertised object|shallow|--depth|couldn't find remote ref|not allow request|dumb http/i;

async function fetchEverything(
  remote: GitRemote,
  refName: string | undefined,
  gitDirectory: string,
): Promise<void> {
  const isShallow = await readFile(join(gitDirectory, 'shallow')).then(
    ({ length }) => length > 0,
    () => false,
  );
  const refs = ['+refs/heads/*:refs/heads/*', '+refs/tags/*:refs/tags/*'];
  if (refName !== undefined && !/^refs\/(?:heads|tags)\//.test(refName)) {
    refs.push(`+${refName}:refs/tsbuild/wanted`);
  }
  const unshallow = isShallow ? ['--unshallow'] : [];
  const result = await remote.run({
    args: (address) => [...FETCH, ...unshallow, '--', address, ...refs],
    gitDirectory,
  });
  if (result.exitCode !== 0) throw remote.failure(result);
}

/** Names an object, if it is there. */
async function keep(gitDirectory: string, object: string, signal: AbortSignal): Promise<boolean> {
  const args = ['update-ref', '--no-deref', mirrorRef(object), object];
  const { exitCode } = await runGit({ args, gitDirectory, signal });
  return exitCode === 0;
}

/** Who comes second uses what the first has put there; what is damaged goes where this build's rubbish goes. */
async function publish(temporary: string, path: string, options: MirrorOptions): Promise<string> {
  await mkdir(join(path, '..'), { recursive: true });
  for (const isLast of [false, true]) {
    try {
      await rename(temporary, path);
      return path;
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? error.code : undefined;
      if (isLast || (code !== 'ENOTEMPTY' && code !== 'EEXIST')) return temporary;
    }
    const name = path.slice(path.lastIndexOf('/') + 1);
    if (await isUsable(path, name, options.signal)) return path;
    await rename(path, `${temporary}.damaged`).catch(() => undefined);
  }
  return temporary;
}
