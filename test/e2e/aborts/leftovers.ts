/** What a build that has ended may have left: processes, mounts, control groups, files. */

import { existsSync } from 'node:fs';
import { readdir, readFile, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { digestOf } from '../../../src/oci/digest.ts';

/** Where a build worked. */
export interface Traces {
  /** In the environment of all that it started, but for programs of the system. */
  readonly marker: string;
  /** A directory whose parts nobody else works in or mounts. */
  readonly folder: string;
  /** Processes that may be there. */
  readonly known: readonly number[];
}

/** One line for each process, and for each mount of it, that has to do with a build. */
export async function processesLeft({ marker, folder, known }: Traces): Promise<readonly string[]> {
  const found: string[] = [];
  const namespaces = new Set(await Promise.all(known.map(mountNamespace)));
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name)).map(Number)) {
    if (known.includes(pid)) continue;
    const read = async (name: string) =>
      await readFile(`/proc/${pid}/${name}`, 'utf8').catch(() => '');
    const link = async (name: string) => await readlink(`/proc/${pid}/${name}`).catch(() => '');
    const places = await Promise.all(['cwd', 'root', 'exe'].map(link));
    const isOurs =
      (await read('environ')).split('\0').includes(marker) ||
      places.some((place) => place.startsWith(folder));
    if (isOurs) found.push(`process ${pid}: ${(await read('cmdline')).replaceAll('\0', ' ')}`);
    const namespace = await mountNamespace(pid);
    if (namespaces.has(namespace)) continue;
    namespaces.add(namespace);
    const mounts = (await read('mountinfo')).split('\n').filter((line) => line.includes(folder));
    found.push(...mounts.map((line) => `mount of process ${pid}: ${line}`));
  }
  return found;
}

/** The mounts below a folder that a process sees. */
export async function mountsOf(pid: number | 'self', folder: string): Promise<readonly string[]> {
  const lines = (await readFile(`/proc/${pid}/mountinfo`, 'utf8')).split('\n');
  return lines.filter((line) => line.includes(folder));
}

async function mountNamespace(pid: number): Promise<string> {
  return await readlink(`/proc/${pid}/ns/mnt`).catch(() => '');
}

const TREES = '/sys/fs/cgroup';

/** The directories of a control group in every tree. */
export async function controlGroups(name: string): Promise<readonly string[]> {
  const trees = await readdir(TREES).catch(() => []);
  return [TREES, ...trees.map((tree) => join(TREES, tree))]
    .map((tree) => join(tree, name))
    .filter((path) => existsSync(path));
}

/** The groups of RUNs in a control group. */
export async function controlGroupsLeft(name: string): Promise<readonly string[]> {
  const groups = await controlGroups(name);
  const listed = groups.map(async (path) => {
    const entries = await readdir(path, { withFileTypes: true });
    return entries.filter((entry) => entry.isDirectory()).map((entry) => join(path, entry.name));
  });
  return (await Promise.all(listed)).flat();
}

const HEX = '[0-9a-f]{64}';
/** cache/README.md, but for `tmp`. */
const KEPT = [
  'blobs',
  'blobs/sha256',
  `blobs/sha256/${HEX}`,
  'git',
  'index.json',
  'layers',
  `layers/${HEX}\\.(index|json|d|one\\.d)`,
  'mounts',
  `mounts/${HEX}(\\.lock)?`,
  'oci-layout',
  'records',
  'records/..',
  `records/../${HEX}\\.json`,
  'secret-key',
  'stat',
  `stat/${HEX}`,
].map((pattern) => new RegExp(`^${pattern}$`));

/** One line for each thing in a store that has no place there, or is not whole. */
export async function storeFaults(store: string): Promise<readonly string[]> {
  const root = join(store, 'v1');
  const faults = (await namesIn(join(root, 'tmp'))).map((name) => `tmp/${name}`);
  const folders = ['', 'blobs', 'blobs/sha256', 'layers', 'mounts', 'records', 'stat'];
  const shards = (await namesIn(join(root, 'records'))).map((name) => `records/${name}`);
  for (const folder of [...folders, ...shards]) {
    const paths = (await namesIn(join(root, folder))).map((name) => join(folder, name));
    const isKept = (path: string) => path === 'tmp' || KEPT.some((kept) => kept.test(path));
    faults.push(...paths.filter((path) => !isKept(path)));
  }
  for (const name of await namesIn(join(root, 'blobs/sha256'))) {
    const bytes = await readFile(join(root, 'blobs/sha256', name));
    if (digestOf(bytes) !== `sha256:${name}`) faults.push(`blobs/sha256/${name} is torn`);
  }
  for (const name of (await namesIn(join(root, 'layers'))).filter((name) => name.endsWith('.d'))) {
    if (!existsSync(join(root, 'layers', name, 'fs'))) faults.push(`layers/${name} is empty`);
  }
  return faults;
}

/** Nothing for a directory that is not there. */
async function namesIn(directory: string): Promise<readonly string[]> {
  return await readdir(directory).catch(() => []);
}
