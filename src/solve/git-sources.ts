/** The repositories that ADD copies from (CP-25): asked once per build, checked out when a step is no hit. */

import { mkdir } from 'node:fs/promises';
import {
  fetchGit,
  type GitOptions,
  type GitRevision,
  hasLargeFiles,
  resolveGit,
} from '../context/git.ts';
import type { GitSource } from '../context/git-url.ts';
import { scanDirectory } from '../context/local-context.ts';
import type { CopyStep } from '../plan/step.ts';
import type { Helpers } from './helpers.ts';
import type { BaseImage } from './layer.ts';
import type { Layers } from './layers.ts';
import type { Materials } from './materials.ts';
import { directoryOrigin, type Origin } from './origins.ts';
import { Once } from './schedule.ts';

export interface GitSourcesOptions
  extends Pick<GitOptions, 'mirrors' | 'secrets' | 'now' | 'signal'> {
  readonly layers: Layers;
  readonly helpers: Helpers;
  readonly materials: Materials;
}

export class GitSources {
  readonly #options: GitSourcesOptions;
  /** All steps of a build see the same commit of a ref. */
  readonly #revisions = new Once<GitRevision>();
  readonly #origins = new Once<Origin>();

  constructor(options: GitSourcesOptions) {
    this.#options = options;
  }

  /**
   * What a key needs to know: the commit, from wherever it comes, and what is done with it.
   * @throws ERR_GIT_FAILED, ERR_CHECKSUM_MISMATCH
   */
  async describe(step: CopyStep<BaseImage>): Promise<readonly object[]> {
    const described: object[] = [];
    for (const source of step.sources) {
      if (source.kind !== 'git') continue;
      const { shown, subdir, submodules, mtime, keepGitDir } = source.git;
      const { commit, tag, refName } = await this.#resolve(source.git);
      // What `.git` says of where it comes from is content, too.
      const kept = keepGitDir === true && subdir === undefined ? { url: shown, tag, refName } : {};
      // With git-lfs and without it, the same commit has other files.
      const lfs = await hasLargeFiles();
      described.push({ commit, subdir, submodules, mtime, lfs, ...kept });
    }
    return described;
  }

  /** The files, root's. @throws ERR_GIT_FAILED */
  async open(source: GitSource): Promise<Origin> {
    return await this.#origins.get(keyOf(source), async () => {
      const { layers, helpers, signal } = this.#options;
      const revision = await this.#resolve(source);
      const { directory, datedBy } = await fetchGit(source, await this.#gitOptions(), revision);
      const index = layers.temporary('context');
      const helper = await helpers.files();
      const scan = { directory, ignore: undefined, helper, index, statCache: undefined, signal };
      const options = { ...scan, datedBy };
      const scanned = await scanDirectory(options);
      return directoryOrigin(layers.openIndex(index), scanned, () => layers.temporary('member'));
    });
  }

  async #resolve(source: GitSource): Promise<GitRevision> {
    return await this.#revisions.get(keyOf(source), async () => {
      const revision = await resolveGit(source, await this.#gitOptions());
      this.#options.materials.addCommit(source, revision.commit);
      return revision;
    });
  }

  async #gitOptions(): Promise<GitOptions> {
    const { mirrors, secrets, now, signal, layers } = this.#options;
    const scratch = layers.temporary('git');
    await mkdir(scratch);
    return { mirrors, secrets, now, signal, scratch };
  }
}

/** Everything of an address that says what comes of it. */
function keyOf(source: GitSource): string {
  return JSON.stringify(source);
}
