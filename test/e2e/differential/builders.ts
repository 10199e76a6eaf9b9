/** The two builders of the differential suite, each from a Dockerfile to the files of an image. */

import assert from 'node:assert/strict';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Account, Outcome } from '../../support/accounts.ts';
import { type ImageFile, readImageTree, readTarTree } from '../../support/layout-files.ts';

const execute = promisify(execFile);

/** By path; undefined when the build failed. */
export type Files = Readonly<Record<string, ImageFile>> | undefined;

export interface Place {
  readonly account: Account;
  readonly context: string;
  /** The layout of the base image. */
  readonly base: string;
}

/** What a builder made of each Dockerfile, by the Dockerfile's name. */
export type FilesByName = ReadonlyMap<string, Files>;

/** Builds Dockerfiles, by name, with both; each Buildah has a store of its own. */
export async function buildByBoth(
  place: Place,
  dockerfiles: ReadonlyMap<string, string>,
  { tsbuilds, buildahs }: { readonly tsbuilds: number; readonly buildahs: number },
): Promise<{ readonly ours: FilesByName; readonly theirs: FilesByName }> {
  const folderOf = (number: number): string => join(place.account.home, `buildah-${number}`);
  const first = await Buildah.open(place, folderOf(0));
  const others = Array.from({ length: buildahs - 1 }, async (_, i) =>
    Buildah.open(place, folderOf(i + 1), first),
  );
  const stores = [first, ...(await Promise.all(others))];
  const ours = new Map<string, Files>();
  const theirs = new Map<string, Files>();
  // All take from one list, whoever is free.
  const [forOurs, forTheirs] = [[...dockerfiles].entries(), dockerfiles.entries()];
  await Promise.all([
    ...stores.map(async (store) => {
      for (const [name, text] of forTheirs) theirs.set(name, await store.build(text));
    }),
    ...Array.from({ length: tsbuilds }, async () => {
      for (const [number, [name, text]] of forOurs) {
        ours.set(name, await buildOurs(place, String(number), text));
      }
    }),
  ]);
  return { ours, theirs };
}

/** Builds with tsbuild. */
async function buildOurs(place: Place, name: string, dockerfile: string): Promise<Files> {
  const { account, context, base } = place;
  const layout = join(account.home, `ours-${name}`);
  const file = `${layout}.Dockerfile`;
  await writeFile(file, dockerfile);
  const flags = ['-f', file, '--build-context', `base=oci-layout://${base}`];
  const output = `type=oci,tar=false,dest=${layout}`;
  const { code } = await account.tsbuild([...flags, '-o', output, context]);
  if (code !== 0) return undefined;
  const files = await readImageTree(layout);
  await rm(layout, { recursive: true });
  return files;
}

/** A store of Buildah's with the base image in it. One builds at a time in it. */
class Buildah {
  readonly #place: Place;
  readonly #folder: string;
  readonly #storage: readonly string[];

  /** Opens a store in a folder; `from` is another's, to begin with. */
  static async open(place: Place, folder: string, from?: Buildah): Promise<Buildah> {
    const opened = new Buildah(place, folder);
    await mkdir(join(folder, 'tmp'), { recursive: true });
    if (from !== undefined) {
      await execute('cp', ['-a', join(from.#folder, 'root'), folder]);
      return opened;
    }
    const store = `[vfs@${join(folder, 'root')}+${join(folder, 'run')}]`;
    const target = `containers-storage:${store}localhost/base:latest`;
    const args = ['copy', '--quiet', `oci:${place.base}:latest`, target];
    const { code, stderr } = await place.account.run('skopeo', args);
    assert.equal(code, 0, stderr);
    return opened;
  }

  private constructor(place: Place, folder: string) {
    this.#place = place;
    this.#folder = folder;
    const [root, run] = [join(folder, 'root'), join(folder, 'run')];
    this.#storage = ['--root', root, '--runroot', run, '--storage-driver', 'vfs'];
  }

  /** It waits for the next second before it writes: many at once, each in a store of its own, wait together. */
  async build(dockerfile: string): Promise<Files> {
    const file = join(this.#folder, 'Dockerfile');
    await writeFile(file, dockerfile.replaceAll('FROM base', 'FROM localhost/base'));
    const flags = ['--isolation', 'chroot', '--layers=false', '--pull=never', '-q', '-f', file];
    const built = await this.#run('build', ...flags, this.#place.context);
    if (built.code !== 0) return undefined;
    // What `--output` writes has neither owners nor symlinks as they are.
    const container = await this.#must('from', '--pull-never', built.stdout.trim());
    const tree = join(this.#folder, 'tree.tar');
    const root = await this.#must('mount', container);
    const options = ['--format=pax', '--numeric-owner', '--xattrs', '--xattrs-include=*'];
    await execute('tar', [...options, '-C', root, '-cf', tree, '.']);
    await this.#must('rm', container);
    return await readTarTree(await readFile(tree));
  }

  async #must(...args: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await this.#run(...args);
    assert.equal(code, 0, stderr);
    return stdout.trim();
  }

  async #run(...args: readonly string[]): Promise<Outcome> {
    const env = { TMPDIR: join(this.#folder, 'tmp') };
    return await this.#place.account.run('buildah', [...this.#storage, ...args], env);
  }
}
