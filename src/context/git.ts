/** A git repository as a source of files: which commit, and its tree in a directory (CTX-4). */

import { TsbuildError } from '../errors.ts';
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

/** What a ref means at the moment. */
export interface GitRevision {
  /** The commit's whole name. */
  readonly commit: string;
  /** The full name of the ref, for one that the remote advertises: `refs/heads/main`. */
  readonly refName: string | undefined;
}

/** The files of a commit. */
export interface GitCheckout extends GitRevision {
  /** Absolute, in `scratch`; of a subdirectory, when the address names one. */
  readonly directory: string;
  /** Seconds since the Unix epoch: when the commit was made. */
  readonly committed: number;
}

/** Asks the remote what is wanted; a commit's whole name needs no asking. @throws ERR_GIT_FAILED, ERR_CHECKSUM_MISMATCH */
export async function resolveGit(source: GitSource, options: GitOptions): Promise<GitRevision> {
  return await fetchGit(source, options);
}

/** Checks out what is wanted, from the store if the commit is there. @throws like `resolveGit()`, ERR_SOURCE_MISSING */
export async function fetchGit(source: GitSource, options: GitOptions): Promise<GitCheckout> {
  options.signal.throwIfAborted();
  throw new TsbuildError('ERR_GIT_FAILED', {
    message: `Cannot fetch "${source.shown}"`,
    details: { url: source.shown, ref: source.ref, reason: 'no-git' },
  });
}
