/** Random edits of a small context, each followed by a build: what it holds must always be what is there (T-15). */

import { createHash } from 'node:crypto';
import {
  chmodSync,
  copyFileSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';

/** A number of [0, limit), the same again for the same seed. */
export type Random = (limit: number) => number;

export function randomFrom(seed: number): Random {
  let state = seed >>> 0;
  return (limit) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % limit;
  };
}

const NAMES = ['a', 'b', 'c', 'x', 'y'];
const MODES = [0o644, 0o600, 0o755, 0o4755, 0o444];
/** They are never taken away, so that a Dockerfile can name one. */
const DIRECTORIES = ['d', 'd/e', 'f'];

/** Fills an empty context. */
export function plant(context: string, random: Random): void {
  for (const directory of DIRECTORIES) mkdirSync(join(context, directory));
  for (let i = 0; i < 12; i++) writeFileSync(somewhere(context, random), textOf(random));
}

/** Does a few things to a context, and tells which. */
export function change(context: string, random: Random): readonly string[] {
  return Array.from({ length: 1 + random(4) }, () => {
    const [name, edit] = EDITS[random(EDITS.length)] ?? ['nothing', () => undefined];
    const path = somewhere(context, random);
    const other = somewhere(context, random);
    try {
      edit(path, other, random);
    } catch (error) {
      // Not every edit can be done to everything: a directory cannot be linked, nor nothing be touched.
      if (!(error instanceof Error && 'code' in error)) throw error;
    }
    return `${name} ${path.slice(context.length)} ${other.slice(context.length)}`;
  });
}

type Edit = (path: string, other: string, random: Random) => void;

const EDITS: readonly (readonly [string, Edit])[] = [
  ['write', (path, _, random) => writeFileSync(path, textOf(random))],
  ['append', (path, _, random) => writeFileSync(path, textOf(random), { flag: 'a' })],
  ['edit, keeping size and time', keepingTime],
  ['edit, keeping size and time', keepingTime],
  ['replace by rename, keeping size and time', replaced],
  ['delete and make again, keeping size and time', madeAgain],
  ['truncate', (path) => writeFileSync(path, '')],
  ['touch', (path, _, random) => utimesSync(path, 1_000_000 + random(5), 1_000_000 + random(5))],
  ['chmod', (path, _, random) => chmodSync(path, MODES[random(MODES.length)] ?? 0o644)],
  ['chmod the directory of', (path, _, random) => chmodSync(join(path, '..'), 0o755 - random(2))],
  ['rename', renameSync],
  ['swap', swapped],
  ['copy, keeping time', copied],
  ['link', (path, other) => linkSync(path, other)],
  ['symlink', (path, other) => symlinkSync(basename(path), other)],
  ['delete', (path) => rmSync(path, { recursive: true })],
  ['make directory', (path) => mkdirSync(join(path, 'z'), { recursive: true })],
];

function keepingTime(path: string, _: string, random: Random): void {
  const { size, atimeMs, mtimeMs } = statSync(path);
  writeFileSync(path, sizedText(size, random));
  utimesSync(path, atimeMs / 1000, mtimeMs / 1000);
}

function replaced(path: string, _: string, random: Random): void {
  const { size, atimeMs, mtimeMs } = statSync(path);
  const other = `${path}.new`;
  writeFileSync(other, sizedText(size, random));
  utimesSync(other, atimeMs / 1000, mtimeMs / 1000);
  renameSync(other, path);
}

/** The new file often has the inode of the old one. */
function madeAgain(path: string, _: string, random: Random): void {
  const { size, atimeMs, mtimeMs } = statSync(path);
  rmSync(path);
  writeFileSync(path, sizedText(size, random));
  utimesSync(path, atimeMs / 1000, mtimeMs / 1000);
}

function swapped(path: string, other: string): void {
  const between = `${path}.swap`;
  renameSync(path, between);
  try {
    renameSync(other, path);
  } finally {
    renameSync(between, other);
  }
}

function copied(path: string, other: string): void {
  const { atimeMs, mtimeMs } = statSync(path);
  copyFileSync(path, other);
  utimesSync(other, atimeMs / 1000, mtimeMs / 1000);
}

function somewhere(context: string, random: Random): string {
  const directories = ['', ...DIRECTORIES];
  const directory = directories[random(directories.length)] ?? '';
  return join(context, directory, NAMES[random(NAMES.length)] ?? 'a');
}

/** One of few lengths, so that sizes are often equal. */
const textOf = (random: Random): string => sizedText(4 + 4 * random(2), random);

function sizedText(size: number, random: Random): string {
  return Array.from({ length: size }, () => 'abcdefgh'[random(8)]).join('');
}

/** What of a file an image must have. */
export interface Seen {
  readonly type: string;
  readonly mode: string;
  readonly target?: string;
  readonly sha256?: string;
  /** The first path of a file with several. */
  readonly sameAs?: string;
}

/** What is in a directory, told by Node alone. */
export function look(root: string): Readonly<Record<string, Seen>> {
  const paths = [...pathsBelow(root, '')].sort();
  const firsts = new Map<number, string>();
  const seen: Record<string, Seen> = {};
  for (const path of paths) {
    const stat = lstatSync(join(root, path));
    const mode = (stat.mode & 0o7777).toString(8);
    if (stat.isDirectory()) seen[path] = { type: 'directory', mode };
    else if (stat.isSymbolicLink()) {
      seen[path] = { type: 'symlink', mode, target: readlinkSync(join(root, path)) };
    } else {
      if (!firsts.has(stat.ino)) firsts.set(stat.ino, path);
      const sha256 = createHash('sha256')
        .update(readFileSync(join(root, path)))
        .digest('hex');
      const sameAs = firsts.get(stat.ino) ?? path;
      seen[path] = { type: 'file', mode, sha256, ...(stat.nlink > 1 && { sameAs }) };
    }
  }
  return seen;
}

/** Not `readdirSync()`'s own recursion, which follows symlinks to directories. */
function* pathsBelow(root: string, directory: string): Generator<string> {
  for (const entry of readdirSync(join(root, directory), { withFileTypes: true })) {
    const path = join(directory, entry.name);
    yield path;
    if (entry.isDirectory()) yield* pathsBelow(root, path);
  }
}
