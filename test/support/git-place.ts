/** A place to fetch repositories in: a server, a store and a build's own directory. */

import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fetchGit, type GitCheckout, type GitOptions } from '../../src/context/git.ts';
import { type GitSource, parseGitUrl } from '../../src/context/git-url.ts';
import { type GitServer, type GitServerOptions, serveGit } from './git-server.ts';
import { withDirectory } from './temporary.ts';

export interface Place {
  /** Where repositories are served from. */
  readonly root: string;
  readonly server: GitServer;
  readonly directory: string;
  readonly source: (text: string) => GitSource;
  /** From `NAME.git` and what follows it. */
  readonly fetch: (text: string, options?: Partial<GitOptions>) => Promise<GitCheckout>;
  readonly options: GitOptions;
}

/** When the files are checked out, in seconds. */
export const NOW = 1_700_000_000;

/** Runs `use` in a new place, which is gone afterwards. */
export async function withPlace(
  use: (place: Place) => Promise<void>,
  serverOptions: GitServerOptions = {},
): Promise<void> {
  await withDirectory(async (directory) => {
    const root = join(directory, 'srv');
    const [mirrors, scratch] = [join(directory, 'store'), join(directory, 'tmp')];
    for (const path of [root, mirrors, scratch]) await mkdir(path);
    const server = await serveGit(root, serverOptions);
    const { signal } = new AbortController();
    const options = { mirrors, scratch, secrets: new Map(), now: NOW, signal };
    const source = (text: string): GitSource => {
      const parsed = parseGitUrl(`${server.url}/${text}`);
      assert.ok(parsed);
      return parsed;
    };
    const fetch: Place['fetch'] = async (text, more) =>
      await fetchGit(source(text), { ...options, ...more });
    try {
      await use({ root, server, directory, source, fetch, options });
    } finally {
      await server.close();
    }
  });
}
