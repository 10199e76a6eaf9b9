/** The packages of an image, read from the lists that package managers keep in it. Nothing is executed. */

import { createHash } from 'node:crypto';
import { toText } from '../../tree/path.ts';
import { apk } from './apk.ts';
import { dpkg } from './dpkg.ts';
import {
  type Distribution,
  type FoundPackage,
  type ImageFiles,
  PackageListError,
  type PackageReader,
} from './found-package.ts';
import { npm } from './npm.ts';
import { python } from './python.ts';
import { rpm } from './rpm.ts';

const READERS: readonly PackageReader[] = [dpkg, apk, rpm, npm, python];
const OS_RELEASE = ['etc/os-release', 'usr/lib/os-release'];

/** A list that packages were found in. */
export interface ScannedList {
  /** Relative to the root, as text. */
  readonly path: string;
  /** The place of its layer in the tree. */
  readonly layer: number;
  readonly sha1: string;
  readonly sha256: string;
}

export interface Scan {
  /** Each once, in the order of their package URLs. */
  readonly packages: readonly ScannedPackage[];
  /** What could not be read, and why. */
  readonly notes: readonly string[];
}

export interface ScannedPackage extends FoundPackage {
  readonly lists: readonly ScannedList[];
}

/** Reads every list that there is. Rejects when `files.read` does. */
export async function scanPackages(files: ImageFiles): Promise<Scan> {
  const distribution = await readDistribution(files);
  const found = new Map<string, ScannedPackage>();
  const notes: string[] = [];
  for (const { path, layer, reader } of listsIn(files)) {
    const shown = toText(path);
    const bytes = await files.read(path);
    if (bytes === undefined) {
      notes.push(`"/${shown}" is not in the SBOM: it cannot be read`);
      continue;
    }
    try {
      const packages = await reader.parse({ ...files, path, bytes }, distribution);
      const list = { path: shown, layer, sha1: hash('sha1', bytes), sha256: hash('sha256', bytes) };
      for (const each of packages) {
        const known = found.get(each.purl);
        found.set(each.purl, { ...(known ?? each), lists: [...(known?.lists ?? []), list] });
      }
    } catch (error) {
      if (!(error instanceof PackageListError)) throw error;
      notes.push(`"/${shown}" is not in the SBOM: ${error.message}`);
    }
  }
  const packages = [...found].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, each]) => each);
  return { packages, notes };
}

/** In the order of the tree. */
function* listsIn({ tree }: ImageFiles): Generator<{
  readonly path: string;
  readonly layer: number;
  readonly reader: PackageReader;
}> {
  for (const found of tree.below('')) {
    const { path, type } = found.entry;
    if (type !== 'file' && type !== 'hardlink') continue;
    const reader = READERS.find(({ lists }) => lists.test(path));
    if (reader !== undefined) yield { path, layer: found.layer, reader };
  }
}

/** https://www.freedesktop.org/software/systemd/man/latest/os-release.html */
async function readDistribution({ tree, read }: ImageFiles): Promise<Distribution> {
  for (const path of OS_RELEASE) {
    const resolved = tree.resolve(path, { followLast: true });
    if (resolved === undefined || tree.fileAt(resolved) === undefined) continue;
    const lines = (await read(resolved))?.toString('utf8').split('\n') ?? [];
    const valueOf = (key: string): string | undefined => {
      const line = lines.find((each) => each.startsWith(`${key}=`)) ?? '';
      const value = line.slice(key.length + 1).trim();
      return value.replaceAll(/^["']|["']$/g, '') || undefined;
    };
    const [id, version] = [valueOf('ID'), valueOf('VERSION_ID')];
    const release = id !== undefined && version !== undefined ? `${id}-${version}` : id;
    return { id, release };
  }
  return { id: undefined, release: undefined };
}

function hash(algorithm: 'sha1' | 'sha256', bytes: Buffer): string {
  return createHash(algorithm).update(bytes).digest('hex');
}
