/**
 * The text of a git address → what is wanted of which repository (CTX-3). Pure: the plan reads
 * addresses of ADD with it, the command line those of build contexts.
 */

import { TsbuildError } from '../errors.ts';

/** A repository, and what of it. Frozen. */
export interface GitSource {
  readonly transport: 'https' | 'http' | 'git' | 'ssh';
  /** For git: without fragment, query and password. */
  readonly remote: string;
  /** For people, records and cache keys: the remote without anything secret. */
  readonly shown: string;
  /** `host[:port]`, lower case: what secrets are named after. */
  readonly host: string;
  /** From the address: `user:password`, decoded. Never to be shown, and in no argument list. */
  readonly credentials: string | undefined;
  /** Branch, tag, commit or `refs/…`, as given; undefined: the default branch. */
  readonly ref: string | undefined;
  /** Relative and clean; undefined: the whole tree. */
  readonly subdir: string | undefined;
  /** Lower-case digits that the commit, or the annotated tag, must begin with (CP-24). */
  readonly checksum: string | undefined;
  /** Undefined when the address does not say. */
  readonly keepGitDir: boolean | undefined;
  readonly submodules: boolean;
  /** Files are dated by the checkout, or by their commit. */
  readonly mtime: 'checkout' | 'commit';
}

export interface GitAddressOptions {
  /** `github.com/…` is a repository too: so it is for a build context, and a path for ADD. */
  readonly isContext?: boolean;
  /** Every http(s) address is a repository, not only those that end in `.git`. */
  readonly isKnown?: boolean;
}

/** Undefined for what is no git address. @throws ERR_GIT_INVALID for one with something wrong in it */
export function parseGitUrl(text: string, options: GitAddressOptions = {}): GitSource | undefined {
  const [withQuery, fragment = ''] = splitOnce(text, '#');
  const [address, query] = splitOnce(withQuery, '?');
  const remote = parseRemote(address, options);
  if (remote === undefined) return undefined;
  const fail = (why: string): TsbuildError => invalidAddress(redactGitUrl(text), why);
  if (/[\0-\x20\x7f\\]/.test(address)) throw fail('it has a character that no address has');
  if (remote.host.startsWith('-') || remote.user.startsWith('-') || /:\/*-/.test(remote.path)) {
    throw fail('no part of it may begin with a "-"');
  }
  const settings = readQuery(query ?? '', fail);
  const [ref, subdir = ''] = splitOnce(fragment, ':');
  return Object.freeze({
    transport: remote.transport,
    remote: remote.address,
    shown: remote.address,
    host: remote.host.toLowerCase(),
    credentials: remote.credentials,
    ref: checkRef(oneRef(decode(ref), settings, fail), fail),
    subdir: cleanSubdir(agreed('subdir', decode(subdir), settings.subdir, fail), fail),
    checksum: settings.checksum,
    keepGitDir: settings.keepGitDir,
    submodules: settings.submodules,
    mtime: settings.mtime,
  });
}

/** An address without the user and password that it may have: for messages and records. */
export function redactGitUrl(text: string): string {
  // A user of ssh is no secret, and part of the address.
  return /^https?:/i.test(text)
    ? text.replace(/^(https?:\/\/)[^/?#]*@/i, '$1')
    : text.replace(/^([a-z]+:\/\/[^/?#@:]*):[^/?#]*@/i, '$1@');
}

interface Remote {
  readonly transport: GitSource['transport'];
  readonly address: string;
  readonly user: string;
  readonly host: string;
  /** From the colon of the scp form; '' for the others. */
  readonly path: string;
  readonly credentials: string | undefined;
}

function parseRemote(address: string, options: GitAddressOptions): Remote | undefined {
  if (options.isContext === true && /^github\.com\/./.test(address)) {
    return urlRemote(`https://${address}`, 'https');
  }
  const [, scheme] = /^([a-z]+):\/\//i.exec(address) ?? [];
  switch (scheme?.toLowerCase()) {
    case 'http':
    case 'https': {
      const isGit = options.isKnown === true || address.endsWith('.git');
      return isGit ? urlRemote(address, scheme?.length === 4 ? 'http' : 'https') : undefined;
    }
    case 'git':
      return urlRemote(address, 'git');
    case 'ssh':
      return urlRemote(address, 'ssh');
    case undefined: {
      const [, user, host, path] = /^([\w-]+)@([\w.-]+)(:.+)$/s.exec(address) ?? [];
      if (user === undefined || host === undefined || path === undefined) return undefined;
      return { transport: 'ssh', address, user, host, path, credentials: undefined };
    }
    default:
      return undefined;
  }
}

function urlRemote(address: string, transport: GitSource['transport']): Remote | undefined {
  const [, userinfo = '', host = '', path = ''] =
    /^[a-z]+:\/\/(?:([^/]*)@)?([^/]*)(.*)$/is.exec(address) ?? [];
  if (host === '' || path.length < 2) return undefined;
  const [user] = splitOnce(userinfo, ':');
  const isHttp = transport === 'http' || transport === 'https';
  const credentials = isHttp && userinfo !== '' ? `${user}:${userinfo.slice(user.length + 1)}` : '';
  // The password of ssh is of no use: nobody could type it.
  const shownUser = !isHttp && user !== '' ? `${user}@` : '';
  return {
    transport,
    address: `${transport}://${shownUser}${host}${path}`,
    user: decode(user),
    host,
    path: '',
    credentials: credentials === '' ? undefined : decode(credentials),
  };
}

interface Settings {
  ref: string | undefined;
  tag: string | undefined;
  branch: string | undefined;
  subdir: string;
  checksum: string | undefined;
  keepGitDir: boolean | undefined;
  submodules: boolean;
  mtime: 'checkout' | 'commit';
}

type Fail = (why: string) => TsbuildError;

/** Keys that mean "true" when they have no value. */
const SWITCHES = ['keep-git-dir', 'submodules', 'fetch-by-commit'];

function readQuery(query: string, fail: Fail): Settings {
  const settings: Settings = {
    ref: undefined,
    tag: undefined,
    branch: undefined,
    subdir: '',
    checksum: undefined,
    keepGitDir: undefined,
    submodules: true,
    mtime: 'checkout',
  };
  const seen = new Set<string>();
  for (const [key, value] of new URLSearchParams(query)) {
    if (seen.has(key)) throw fail(`query "${key}" has multiple values`);
    seen.add(key);
    if (value === '' && !SWITCHES.includes(key)) throw fail(`query "${key}" has no value`);
    applySetting(settings, key, value, fail);
  }
  if (seen.has('checksum') && seen.has('commit')) {
    throw fail('"checksum" and "commit" are two names of one query');
  }
  if (seen.has('fetch-by-commit') && settings.checksum === undefined) {
    throw fail('query "fetch-by-commit" needs a "commit"');
  }
  return settings;
}

function applySetting(settings: Settings, key: string, value: string, fail: Fail): void {
  switch (key) {
    case 'ref':
    case 'tag':
    case 'branch':
    case 'subdir':
      settings[key] = value;
      return;
    case 'checksum':
    case 'commit':
      settings.checksum = gitChecksum(value, fail);
      return;
    case 'keep-git-dir':
      settings.keepGitDir = toBoolean(key, value, fail);
      return;
    case 'submodules':
      settings.submodules = toBoolean(key, value, fail);
      return;
    case 'fetch-by-commit':
      // It always is, where the server allows it.
      toBoolean(key, value, fail);
      return;
    case 'mtime':
      if (value !== 'checkout' && value !== 'commit') throw fail(`invalid mtime value: "${value}"`);
      settings.mtime = value;
      return;
    default:
      throw fail(`unexpected query "${key}"`);
  }
}

/** Digits that a commit's name begins with, lower case (CP-24). */
export function gitChecksum(text: string, fail: Fail): string {
  if (/^[0-9a-f]{1,64}$/i.test(text)) return text.toLowerCase();
  throw fail(
    `invalid checksum "${text}": it is a commit's hexadecimal digits, or the first of them`,
  );
}

function toBoolean(key: string, value: string, fail: Fail): boolean {
  if (['', '1', 't', 'T', 'true', 'TRUE', 'True'].includes(value)) return true;
  if (['0', 'f', 'F', 'false', 'FALSE', 'False'].includes(value)) return false;
  throw fail(`invalid ${key} value: "${value}"`);
}

/** The fragment, `ref`, `tag` and `branch` may all say it, if they say the same. */
function oneRef(fragment: string, settings: Settings, fail: Fail): string {
  const { tag, branch, checksum } = settings;
  if (tag !== undefined && branch !== undefined) throw fail('branch conflicts with tag');
  let ref = agreed('ref', fragment, settings.ref ?? '', fail);
  if (tag !== undefined) ref = agreed('ref', ref, withPrefix('refs/tags/', tag), fail);
  if (branch !== undefined) ref = agreed('ref', ref, withPrefix('refs/heads/', branch), fail);
  return ref === '' ? (checksum ?? '') : ref;
}

function withPrefix(prefix: string, name: string): string {
  return name.startsWith(prefix) ? name : `${prefix}${name}`;
}

function agreed(what: string, one: string, other: string, fail: Fail): string {
  if (one !== '' && other !== '' && one !== other) {
    throw fail(`${what} conflicts: "${one}" vs "${other}"`);
  }
  return one || other;
}

/** What git takes for a name, and never for an option (git-check-ref-format). */
function checkRef(ref: string, fail: Fail): string | undefined {
  if (ref === '') return undefined;
  const isBad =
    /[\0-\x20\x7f~^:?*[\\]|\.\.|@\{|\/\/|^[-/]|[/.]$|(?:^|\/)\.|\.lock(?:\/|$)|^@$/.test(ref);
  if (isBad) throw fail(`"${ref}" is no name of a branch, tag or commit`);
  return ref;
}

function cleanSubdir(subdir: string, fail: Fail): string | undefined {
  const parts: string[] = [];
  for (const part of subdir.split('/')) {
    if (part === '' || part === '.') continue;
    if (part === '..' && parts.pop() === undefined) {
      throw fail(`the directory "${subdir}" is outside the repository`);
    }
    if (part !== '..') parts.push(part);
  }
  if (subdir.includes('\0')) throw fail('a directory has no NUL in its name');
  return parts.length === 0 ? undefined : parts.join('/');
}

function invalidAddress(address: string, why: string): TsbuildError {
  return new TsbuildError('ERR_GIT_INVALID', {
    message: `Cannot use the git address "${address}": ${why}`,
    details: { address },
    hint: 'Write "https://HOST/REPOSITORY.git#REF:DIRECTORY", or the query keys ref, tag, branch, subdir, checksum, keep-git-dir, submodules and mtime.',
  });
}

function splitOnce(text: string, separator: string): readonly [string, string?] {
  const at = text.indexOf(separator);
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + 1)];
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    // Not percent-encoded UTF-8: then that is what it says.
    return text;
  }
}
