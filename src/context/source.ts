/** What a build context or a Dockerfile is given as (CTX-1). */

import { parseGitUrl, type GitSource } from './git-url.ts';

/**
 * A string names something: a directory, an http(s) address, a git repository; of a Dockerfile, a
 * file or an http(s) address. Bytes, at once or as a stream, are the thing itself: of a context, a
 * tar (plain, or compressed with gzip, bzip2, xz or zstd) or a Dockerfile that needs no files.
 */
export type Given = string | Uint8Array | AsyncIterable<Uint8Array | string>;

/** Where a context is. */
export type ContextSource =
  | { readonly kind: 'directory'; readonly directory: string }
  | { readonly kind: 'git'; readonly source: GitSource; readonly text: string }
  | { readonly kind: 'http'; readonly url: string }
  | { readonly kind: 'bytes'; readonly bytes: Exclude<Given, string> };

/** Tells what a context is; no file is looked at. @throws ERR_GIT_INVALID */
export function parseContext(given: Given): ContextSource {
  if (typeof given !== 'string') return { kind: 'bytes', bytes: given };
  const git = parseGitUrl(given, { isContext: true });
  if (git !== undefined) return { kind: 'git', source: git, text: given };
  if (isHttpUrl(given)) return { kind: 'http', url: given };
  return { kind: 'directory', directory: given };
}

/** Whether a text is the address of a file. */
export function isHttpUrl(text: string): boolean {
  return /^https?:\/\//i.test(text);
}
