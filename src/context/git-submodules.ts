/** The submodules of a commit: where they are, and what of which repository. */

import { posix } from 'node:path';
import { TsbuildError } from '../errors.ts';
import { runGit } from './git-process.ts';
import type { GitRemote } from './git-remote.ts';
import { type GitSource, parseGitUrl } from './git-url.ts';

export interface Submodule {
  /** Below the top of the tree. */
  readonly path: string;
  readonly commit: string;
  /** As .gitmodules has it; undefined when it has none for this path. */
  readonly url: string | undefined;
}

/** In the order of the tree. */
export async function listSubmodules(
  gitDirectory: string,
  commit: string,
  signal: AbortSignal,
): Promise<readonly Submodule[]> {
  const config = await runGit({
    args: ['config', '--null', '--list', '--blob', `${commit}:.gitmodules`],
    gitDirectory,
    signal,
  });
  // Without the file nothing can be fetched: git leaves such directories empty, too.
  if (config.exitCode !== 0) return [];
  const urls = readModules(config.stdout);
  const tree = await runGit({ args: ['ls-tree', '-r', '-z', commit], gitDirectory, signal });
  return tree.stdout.split('\0').flatMap((line) => {
    const [, id, path] = /^160000 commit ([0-9a-f]+)\t(.+)$/s.exec(line) ?? [];
    if (id === undefined || path === undefined) return [];
    return [{ path, commit: id, url: urls.get(path) }];
  });
}

/** `submodule.NAME.path` and `submodule.NAME.url` → path to url. */
export function readModules(listing: string): ReadonlyMap<string, string> {
  const paths = new Map<string, string>();
  const urls = new Map<string, string>();
  for (const item of listing.split('\0')) {
    const [, name, key, value] = /^submodule\.(.*)\.(path|url)\n(.*)$/s.exec(item) ?? [];
    if (name === undefined || value === undefined) continue;
    (key === 'path' ? paths : urls).set(name, value);
  }
  return new Map(
    [...paths].flatMap(([name, path]) => {
      const url = urls.get(name);
      return url === undefined ? [] : [[path.replace(/\/+$/, ''), url] as const];
    }),
  );
}

/** What to fetch for it. Only addresses that ADD would take: no paths, no helpers. @throws ERR_GIT_FAILED */
export function submoduleSource({ path, url }: Submodule, parent: GitRemote): GitSource {
  if (url === undefined) {
    throw parent.error(`there is no URL for the submodule "${path}" in .gitmodules`, 'content');
  }
  const address = /^\.{1,2}(?:\/|$)/.test(url) ? resolveUrl(parent.source.remote, url) : url;
  const source = address === undefined ? undefined : parse(address, path, parent);
  if (source !== undefined) return source;
  throw parent.error(`its submodule "${path}" has an address that is not fetched`, 'content');
}

function parse(address: string, path: string, parent: GitRemote): GitSource | undefined {
  try {
    return parseGitUrl(address, { isKnown: true });
  } catch (error) {
    if (!(error instanceof TsbuildError)) throw error;
    throw parent.error(`its submodule "${path}": ${error.message}`, 'content');
  }
}

/** `../other.git` beside the repository it is written in. */
function resolveUrl(base: string, url: string): string | undefined {
  const [, start = '', path = ''] = /^([a-z]+:\/\/[^/]+\/|[^:/]+:)(.*)$/is.exec(base) ?? [];
  const joined = posix.join('/', path);
  const depth = joined.split('/').filter((part) => part !== '').length;
  const up = url.split('/').filter((part) => part === '..').length;
  if (start === '' || up > depth) return undefined;
  const found = posix.join(joined, url).replace(/^\//, '').replace(/\/$/, '');
  return found === '' ? undefined : `${start}${path.startsWith('/') ? '/' : ''}${found}`;
}
