/** What is read of an image, and what is found in it. */

import type { ImageTree } from '../../tree/image-tree.ts';

/** A root filesystem to look into: its list of files, and their contents one by one. */
export interface ImageFiles {
  readonly tree: ImageTree;
  /** A file's bytes; undefined for what cannot be had. Paths are byte strings. */
  readonly read: (path: string) => Promise<Buffer | undefined>;
  /** A path of this machine that does not exist yet. */
  readonly temporary: () => string;
}

/** A package, as its manager describes it. */
export interface FoundPackage {
  readonly name: string;
  readonly version: string;
  readonly purl: string;
  /** As declared: an SPDX expression, or whatever else stands there. */
  readonly license?: string | undefined;
  readonly homepage?: string | undefined;
  /** Who gives it out, a name or `Name <address>`. */
  readonly supplier?: string | undefined;
  /** The package that it was built from, when it is another: advisories are about that one. */
  readonly upstream?: string | undefined;
}

/** The system that packages are of: part of their names. */
export interface Distribution {
  /** os-release's ID: `debian`. */
  readonly id: string | undefined;
  /** `debian-12`. */
  readonly release: string | undefined;
}

/** One kind of packages: where they are listed, and how a list is read. */
export interface PackageReader {
  /** Paths (byte strings) of lists. */
  readonly lists: RegExp;
  /** Packages of a list. Throws a `PackageListError` for one that cannot be read. */
  readonly parse: (
    list: PackageList,
    distribution: Distribution,
  ) => Promise<readonly FoundPackage[]> | readonly FoundPackage[];
}

export interface PackageList {
  readonly path: string;
  readonly bytes: Buffer;
  /** Another file of the image; undefined when there is none, or it cannot be had. */
  readonly read: ImageFiles['read'];
  readonly temporary: ImageFiles['temporary'];
}

/** Why a list is left out: half a sentence. It is told, and fails no build. */
export class PackageListError extends Error {}
