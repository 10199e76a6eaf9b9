/** Sources of ADD that are not in the build context (CP-23 to CP-25). */

import { type GitSource, gitChecksum, parseGitUrl, redactGitUrl } from '../context/git-url.ts';
import { hasCode, TsbuildError } from '../errors.ts';
import { invalid } from './failures.ts';

/** A file to download: an http(s) address that is no git repository's. */
export function isHttpSource(source: string): boolean {
  return /^https?:\/\//.test(source) && !isGitSource(source, false);
}

/**
 * A git repository: `git://…`, `ssh://…`, `user@host:path`, or an http(s) address that ends in
 * `.git`. With `--keep-git-dir`, every http(s) address is one (`isKnown`).
 */
export function isGitSource(source: string, isKnown: boolean): boolean {
  try {
    return parseGitUrl(source, { isKnown }) !== undefined;
  } catch (error) {
    // One with a mistake in it is one, too.
    return hasCode(error, 'ERR_GIT_INVALID');
  }
}

/** What the flags of ADD say of a repository. */
export interface GitFlags {
  readonly keepGitDir: boolean | undefined;
  readonly checksum: string | undefined;
}

/** A repository, with what the flags say in it; undefined for what is none. @throws ERR_GIT_INVALID, ERR_INSTRUCTION_INVALID */
export function gitSource(text: string, flags: GitFlags): GitSource | undefined {
  const isKnown = flags.keepGitDir !== undefined;
  const source = parseGitUrl(text, { isKnown });
  if (source === undefined) return undefined;
  const fail = (why: string): TsbuildError => invalid(`Cannot add "${source.shown}": ${why}`);
  const { keepGitDir, checksum } = source;
  if (isKnown && keepGitDir !== undefined && keepGitDir !== flags.keepGitDir) {
    throw fail('inconsistent keep-git-dir configuration');
  }
  const pinned = flags.checksum === undefined ? undefined : gitChecksum(flags.checksum, fail);
  if (pinned !== undefined && checksum !== undefined && pinned !== checksum) {
    throw fail(`checksum mismatch "${pinned}" != "${checksum}"`);
  }
  return Object.freeze({
    ...source,
    keepGitDir: keepGitDir ?? flags.keepGitDir,
    checksum: checksum ?? pinned,
  });
}

/** Words as people and records may see them: without the users and passwords of addresses. */
export function redactWords(text: string): string {
  return text.replaceAll(/[a-z]+:\/\/[^\s"']+/gi, redactGitUrl);
}

/** The name of a download whose destination is a directory. @throws ERR_INSTRUCTION_INVALID */
export function urlFileName(url: string): string {
  if (!URL.canParse(url)) throw invalid(`Cannot add "${url}": it is no valid address`);
  const { pathname } = new URL(url);
  return decodeName(pathname.replace(/\/+$/, '').split('/').at(-1) ?? '') || '__unnamed__';
}

/** A digest of what is downloaded, as given. @throws ERR_DIGEST_INVALID */
export function checkChecksum(text: string): string {
  const [algorithm = '', hex = ''] = text.split(':', 2);
  if (LENGTHS.get(algorithm) === hex.length && /^[0-9a-f]+$/.test(hex)) return text;
  throw new TsbuildError('ERR_DIGEST_INVALID', {
    message: `Cannot use "${text}" as a checksum`,
    details: { digest: text },
    hint: 'A checksum is "sha256:" and 64 lower-case hexadecimal digits; sha384 and sha512 can be used as well.',
  });
}

const LENGTHS: ReadonlyMap<string, number> = new Map([
  ['sha256', 64],
  ['sha384', 96],
  ['sha512', 128],
]);

function decodeName(name: string): string {
  try {
    const decoded = decodeURIComponent(name);
    return decoded.includes('/') ? decoded.slice(decoded.lastIndexOf('/') + 1) : decoded;
  } catch {
    // Not percent-encoded UTF-8: then that is its name.
    return name;
  }
}
