/** The files of a commit and of its submodules, as they are on every machine: modes and dates set. */

import { randomBytes } from 'node:crypto';
import { chmod, lstat, lutimes, mkdir, readdir, realpath, rm } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { mirrorRef, type MirrorOptions, openMirror } from './git-mirror.ts';
import { hasProgram, runGit } from './git-process.ts';
import { GitRemote, type RemoteOptions } from './git-remote.ts';
import type { GitRevision } from './git-revision.ts';
import { listSubmodules, submoduleSource } from './git-submodules.ts';

export type CheckoutOptions = MirrorOptions & Omit<RemoteOptions, 'top'>;

interface Work {
  readonly remote: GitRemote;
  readonly revision: GitRevision;
  /** The bare repository. */
  readonly mirror: string;
  readonly options: CheckoutOptions;
}

/** A submodule in a submodule in …: more is a mistake, or a trap. */
const MAX_DEPTH = 16;

/** A new directory with the files; `.git` is in it if wanted. @throws ERR_GIT_FAILED */
export async function checkOut(work: Work, keepGitDir: boolean): Promise<string> {
  const { remote, options } = work;
  const directory = join(options.scratch, `checkout-${randomBytes(8).toString('hex')}`);
  await mkdir(directory, { mode: 0o755 });
  const { subdir } = remote.source;
  await checkOutTree(work, directory, 0);
  if (subdir !== undefined) return await insideOf(directory, subdir, remote);
  if (keepGitDir) await addGitDirectory(work, directory);
  return directory;
}

/** When the commit was made, in seconds since the Unix epoch. */
export async function commitTime(work: Work): Promise<number> {
  const args = ['show', '--no-patch', '--format=%ct', work.revision.commit, '--'];
  const { signal } = work.options;
  const { stdout } = await runGit({ args, gitDirectory: work.mirror, signal });
  return Number(stdout.trim().split('\n').at(-1)) || 0;
}

/** Dates everything, and gives it the modes that umask 022 gives. */
export async function normalize(
  directory: string,
  time: number,
  signal: AbortSignal,
): Promise<void> {
  signal.throwIfAborted();
  const entries = await readdir(directory, { withFileTypes: true });
  for (let at = 0; at < entries.length; at += 64) {
    await Promise.all(
      entries.slice(at, at + 64).map(async (entry) => {
        const path = join(directory, entry.name);
        if (entry.isDirectory()) return await normalize(path, time, signal);
        const { mode } = await lstat(path);
        if (entry.isFile()) await setMode(path, mode, (mode & 0o100) === 0 ? 0o644 : 0o755);
        await lutimes(path, time, time);
      }),
    );
  }
  await setMode(directory, (await lstat(directory)).mode, 0o755);
  await lutimes(directory, time, time);
}

async function setMode(path: string, mode: number, wanted: number): Promise<void> {
  if ((mode & 0o7777) !== wanted) await chmod(path, wanted);
}

async function checkOutTree(work: Work, directory: string, depth: number): Promise<void> {
  const { remote, revision, mirror, options } = work;
  const index = join(options.scratch, `index-${randomBytes(8).toString('hex')}`);
  const result = await runGit({
    args: ['read-tree', '-u', '--reset', revision.commit],
    gitDirectory: mirror,
    workTree: directory,
    index,
    config: await largeFiles(remote, options),
    knownHosts: options.knownHosts,
    signal: options.signal,
  });
  await rm(index, { force: true });
  if (result.exitCode !== 0) throw remote.failure(result);
  if (remote.source.submodules) await addSubmodules(work, directory, depth);
}

/** Whether files in Git LFS are fetched; they are their pointers if not. */
export async function hasLargeFiles(): Promise<boolean> {
  return await hasProgram('git-lfs');
}

async function largeFiles(
  remote: GitRemote,
  options: CheckoutOptions,
): Promise<readonly (readonly [string, string])[]> {
  if (!(await hasLargeFiles())) return [];
  return [
    ...remote.config,
    ['filter.lfs.process', 'git-lfs filter-process'],
    ['filter.lfs.smudge', 'git-lfs smudge -- %f'],
    ['filter.lfs.required', 'true'],
    ['remote.origin.url', remote.source.remote],
    ['lfs.storage', join(options.scratch, 'lfs')],
  ];
}

async function addSubmodules(parent: Work, directory: string, depth: number): Promise<void> {
  const { remote, revision, mirror, options } = parent;
  for (const submodule of await listSubmodules(mirror, revision.commit, options.signal)) {
    if (depth >= MAX_DEPTH) throw remote.error('its submodules are nested too deep', 'content');
    const source = submoduleSource(submodule, remote);
    const child = new GitRemote(source, { ...options, top: remote.top });
    const wanted = { commit: submodule.commit, tag: undefined, refName: undefined };
    const childMirror = await openMirror(child, wanted, options);
    const place = join(directory, submodule.path);
    await requireRealDirectory(directory, submodule.path, remote);
    const work = { remote: child, revision: wanted, mirror: childMirror, options };
    await checkOutTree(work, place, depth + 1);
  }
}

/** git made it when it checked out the tree; a symlink on the way would lead out of it. */
async function requireRealDirectory(root: string, path: string, remote: GitRemote): Promise<void> {
  let at = root;
  for (const part of path.split('/')) {
    at = join(at, part);
    const found = await lstat(at).catch(() => undefined);
    if (found?.isDirectory() === true && !['', '.', '..', '.git'].includes(part.toLowerCase()))
      continue;
    throw remote.error(`the submodule "${path}" has no place in its tree`, 'content');
  }
}

/** The directory that the address names: it must be one, and inside. */
async function insideOf(root: string, subdir: string, remote: GitRemote): Promise<string> {
  const top = await realpath(root);
  const found = await realpath(join(top, subdir)).catch(() => undefined);
  const isDirectory = found !== undefined && (await lstat(found)).isDirectory();
  if (!isDirectory) throw remote.error(`it has no directory "${subdir}"`, 'not-found');
  const way = relative(top, found);
  if (way === '..' || way.startsWith('../')) {
    throw remote.error(`the directory "${subdir}" leads out of the repository`, 'content');
  }
  return found;
}

/**
 * `.git` as BuildKit leaves it: one commit, detached, with the ref that was asked for and the remote's
 * address. The index has no dates of this machine, so that it is the same for everybody.
 */
async function addGitDirectory(work: Work, directory: string): Promise<void> {
  const { remote, revision, mirror, options } = work;
  const { signal } = options;
  const object = revision.tag ?? revision.commit;
  const gitDirectory = join(directory, '.git');
  const format = object.length === 64 ? ['--object-format=sha256'] : [];
  const target = revision.refName === undefined ? '' : `:${revision.refName}`;
  const commands = [
    { args: ['init', '--quiet', ...format, '--', directory] },
    {
      args: [
        ...['fetch', '--quiet', '--no-tags', '--no-write-fetch-head', '--update-head-ok'],
        ...['--depth=1', '--', `file://${encodeURI(mirror)}`, `+${mirrorRef(object)}${target}`],
      ],
      isLocal: true,
      config: [['pack.threads', '1']] as const,
      gitDirectory,
    },
    { args: ['update-ref', '--no-deref', 'HEAD', `${revision.commit}^{commit}`], gitDirectory },
    { args: ['config', 'remote.origin.url', remote.source.shown], gitDirectory },
    {
      args: ['config', 'remote.origin.fetch', '+refs/heads/*:refs/remotes/origin/*'],
      gitDirectory,
    },
    { args: ['read-tree', revision.commit], gitDirectory },
  ];
  for (const command of commands) {
    const result = await runGit({ ...command, signal });
    if (result.exitCode !== 0) throw remote.failure(result);
  }
}
