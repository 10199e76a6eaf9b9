/** Which commit a ref means at the moment: `git ls-remote`, read as BuildKit does. */

import { TsbuildError } from '../errors.ts';
import type { GitRemote } from './git-remote.ts';

export interface GitRevision {
  /** The commit's whole name. */
  readonly commit: string;
  /** The annotated tag that was named, if one was. */
  readonly tag: string | undefined;
  /** The full name of the ref, for one that the remote has: `refs/heads/main`. */
  readonly refName: string | undefined;
}

/** 40 digits, or 64 in a repository with sha256. */
export function isFullCommit(ref: string): boolean {
  return /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/i.test(ref);
}

/** The first digits of a commit's name, enough to look for. */
export function isShortCommit(ref: string): boolean {
  return /^[0-9a-f]{4,63}$/i.test(ref) && !isFullCommit(ref);
}

/** Undefined when the remote has no such ref. @throws ERR_GIT_FAILED */
export async function askRemote(remote: GitRemote): Promise<GitRevision | undefined> {
  const { ref = 'HEAD' } = remote.source;
  const patterns = [ref, `${ref}^{}`];
  const result = await remote.run({
    args: (address) => ['ls-remote', '--symref', '--', address, ...patterns],
  });
  if (result.exitCode !== 0) throw remote.failure(result);
  return chooseRef(result.stdout, ref);
}

/** The ref with exactly this name, else the branch, else the tag. */
export function chooseRef(listing: string, ref: string): GitRevision | undefined {
  const refs = new Map<string, string>();
  let head: string | undefined;
  for (const line of listing.split('\n')) {
    const [value = '', name = ''] = line.split('\t');
    if (isFullCommit(value)) refs.set(name, value);
    if (name === 'HEAD' && value.startsWith('ref: ')) head = value.slice('ref: '.length);
  }
  if (ref === 'HEAD') {
    const commit = refs.get('HEAD');
    return commit === undefined ? undefined : { commit, tag: undefined, refName: head };
  }
  const names = [ref, `refs/${ref}`, `refs/heads/${ref}`, `refs/tags/${ref}`];
  const refName = names.find((name) => name.startsWith('refs/') && refs.has(name));
  const found = refName === undefined ? undefined : refs.get(refName);
  if (found === undefined) return undefined;
  const peeled = refs.get(`${refName}^{}`);
  return { commit: peeled ?? found, tag: peeled === undefined ? undefined : found, refName };
}

/** CP-24: the commit, or the tag that names it, begins with these digits. @throws ERR_CHECKSUM_MISMATCH */
export function requireCommit(
  { commit, tag }: GitRevision,
  expected: string | undefined,
  shown: string,
): void {
  if (expected === undefined || commit.startsWith(expected)) return;
  if (tag?.startsWith(expected) === true) return;
  const found = tag === undefined ? commit : `${commit} (tag ${tag})`;
  throw new TsbuildError('ERR_CHECKSUM_MISMATCH', {
    message: `Cannot use "${shown}": expected checksum to match ${expected}, got ${found}`,
    details: { expected, found: commit },
    hint: 'The ref names another commit than the checksum. If the change is wanted, update the checksum.',
  });
}
