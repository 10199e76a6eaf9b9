/** A git repository as a source of files: which commit, and its tree in a directory (CTX-4). */

import { join } from 'node:path';
import { checkOut, commitTime, normalize } from './git-checkout.ts';
import { findShortCommit, openMirror } from './git-mirror.ts';
import { GitRemote } from './git-remote.ts';
import { askRemote, type GitRevision, isFullCommit, requireCommit } from './git-revision.ts';
import type { GitSource } from './git-url.ts';

export interface GitOptions {
  /** The store's folder of fetched commits (`Store.gitPath`). */
  readonly mirrors: string;
  /** A directory of this build, which removes it in the end: the checkout is a new directory in it. */
  readonly scratch: string;
  /** By id: `GIT_AUTH_TOKEN[.host]` and `GIT_AUTH_HEADER[.host]` are for git (CP-26). */
  readonly secrets: ReadonlyMap<string, Uint8Array>;
  /** `.git` stays; the address may say so, too. */
  readonly keepGitDir?: boolean;
  /** Seconds since the Unix epoch: the date of the files, unless the address wants their commit's. */
  readonly now: number;
  readonly signal: AbortSignal;
}

export { hasLargeFiles } from './git-checkout.ts';
export type { GitRevision } from './git-revision.ts';

/** The files of a commit. */
export interface GitCheckout extends GitRevision {
  /** Absolute, in `scratch`; of a subdirectory, when the address names one. */
  readonly directory: string;
  /** Seconds since the Unix epoch: when the commit was made. */
  readonly committed: number;
  /** The commit, when the files have its time and not the build's. */
  readonly datedBy: string | undefined;
}

/** Asks the remote what is wanted; a commit's whole name needs no asking. @throws ERR_GIT_FAILED, ERR_CHECKSUM_MISMATCH */
export async function resolveGit(source: GitSource, options: GitOptions): Promise<GitRevision> {
  const revision = await findRevision(source, options);
  requireCommit(revision, source.checksum, source.shown);
  return revision;
}

/**
 * Checks out what is wanted, from the store if the commit is there.
 * @param known what `resolveGit()` has answered, if it was asked
 * @throws like `resolveGit()`
 */
export async function fetchGit(
  source: GitSource,
  options: GitOptions,
  known?: GitRevision,
): Promise<GitCheckout> {
  const revision = known ?? (await resolveGit(source, options));
  const remote = remoteOf(source, options);
  const mirror = await openMirror(remote, revision, options);
  const knownHosts = knownHostsIn(options);
  const work = { remote, revision, mirror, options: { ...options, knownHosts } };
  const committed = await commitTime(work);
  const directory = await checkOut(work, options.keepGitDir ?? source.keepGitDir ?? false);
  const datedBy = source.mtime === 'commit' ? revision.commit : undefined;
  await normalize(directory, datedBy === undefined ? options.now : committed, options.signal);
  return { ...revision, directory, committed, datedBy };
}

async function findRevision(source: GitSource, options: GitOptions): Promise<GitRevision> {
  const { ref } = source;
  if (ref !== undefined && isFullCommit(ref)) {
    return { commit: ref.toLowerCase(), tag: undefined, refName: undefined };
  }
  const remote = remoteOf(source, options);
  const found = (await askRemote(remote)) ?? (await findShortCommit(remote, ref ?? '', options));
  if (found !== undefined) return found;
  throw remote.error(
    ref === undefined ? 'it has no default branch' : `it has no branch, tag or commit "${ref}"`,
    'not-found',
  );
}

function remoteOf(source: GitSource, options: GitOptions): GitRemote {
  const { secrets, signal } = options;
  return new GitRemote(source, { secrets, signal, top: source, knownHosts: knownHostsIn(options) });
}

function knownHostsIn({ mirrors }: GitOptions): string {
  return join(mirrors, 'known_hosts');
}
