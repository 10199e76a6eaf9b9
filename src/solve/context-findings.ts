/** What a build should be told about its context: that most of it is of no use, that secrets are in the image. */

import { isSecretFile } from '../../parser/index.ts';
import type { SourceLocation } from '../errors.ts';
import { countText, filesText, sizeText } from '../progress/amounts.ts';
import type { Entry } from '../tree/entry.ts';
import { ImageTree } from '../tree/image-tree.ts';
import type { LayerIndex } from '../tree/layer-index.ts';
import { isWithin, nameOf, toText } from '../tree/path.ts';
import { type ContextUsage, type ContextUser, usageOf } from './context-usage.ts';

/** How much of something there is. */
export interface Amount {
  /** Whatever is no directory. */
  readonly files: number;
  readonly bytes: number;
}

/** What was found; plain data, users by their place in the list. */
export interface ContextFindings {
  /** Only when it is worth a warning. */
  readonly unused: { readonly unused: Amount; readonly total: Amount } | undefined;
  readonly secrets: readonly SecretFinding[];
}

/** A file or a directory with secrets that an instruction puts into the image. */
export interface SecretFinding extends Amount {
  readonly user: number;
  /** Text. */
  readonly path: string;
  readonly isDirectory: boolean;
}

/** Less than this is not worth a word, whatever its share: it costs no time that anybody would notice. */
export const UNUSED_BYTES = 50_000_000;
/** And what is used by a good part may well be there for another target. */
export const UNUSED_SHARE = 0.8;

/**
 * Looks through a context. Cheap for small ones without names of secrets: then it is not asked what the
 * instructions take.
 */
export function findInContext(
  index: LayerIndex,
  users: readonly ContextUser[],
  usage: () => ContextUsage = () =>
    usageOf({ tree: new ImageTree([index]), unreadable: [] }, users),
): ContextFindings {
  let total: Amount = NONE;
  const candidates = new Map<string, Entry['type']>();
  for (const entry of index.within('')) {
    total = plus(total, entry);
    if (isCandidate(entry)) candidates.set(entry.path, entry.type);
  }
  if (candidates.size === 0 && total.bytes <= UNUSED_BYTES)
    return { unused: undefined, secrets: [] };
  const { usersOf, failures } = usage();
  const secrets = new Map<string, SecretFinding>();
  let unused: Amount = NONE;
  let around: string | undefined;
  for (const entry of index.within('')) {
    if (around !== undefined && !isWithin(entry.path, around)) around = undefined;
    if (around === undefined && candidates.has(entry.path)) around = entry.path;
    if (entry.type === 'directory') continue;
    const own = usersOf(entry.path);
    if (own.length === 0) unused = plus(unused, entry);
    if (around !== undefined) {
      const isDirectory = candidates.get(around) === 'directory';
      addSecret(
        secrets,
        { entry, path: around, isDirectory },
        own.map((user) => users.indexOf(user)),
      );
    }
  }
  const isWorthIt =
    failures.length === 0 &&
    unused.bytes > UNUSED_BYTES &&
    unused.bytes > total.bytes * UNUSED_SHARE;
  return {
    unused: isWorthIt ? { unused, total } : undefined,
    secrets: [...secrets.values()].filter(({ user }) => users[user]?.isShipped),
  };
}

const NONE: Amount = { files: 0, bytes: 0 };

function plus({ files, bytes }: Amount, entry: Entry): Amount {
  if (entry.type === 'directory') return { files, bytes };
  return { files: files + 1, bytes: bytes + (entry.type === 'file' ? entry.size : 0) };
}

/** What others have published, and what only tests read. */
const HARMLESS = /(?:^|\/)(?:node_modules|vendor|site-packages|testdata|fixtures)\//;

function isCandidate(entry: Entry): boolean {
  const { path, type } = entry;
  if (type === 'directory') {
    return (nameOf(path) === '.git' || isSecretFile(path)) && !HARMLESS.test(path);
  }
  const hasContent = type === 'hardlink' || (type === 'file' && entry.size > 0);
  return hasContent && isSecretFile(toText(path)) && !HARMLESS.test(path);
}

function addSecret(
  secrets: Map<string, SecretFinding>,
  { entry, path, isDirectory }: { entry: Entry; path: string; isDirectory: boolean },
  users: readonly number[],
): void {
  for (const user of users) {
    const key = `${user} ${path}`;
    const amount = plus(secrets.get(key) ?? NONE, entry);
    secrets.set(key, { user, path: toText(path), isDirectory, ...amount });
  }
}

/** A finding in words. */
export interface ContextWarning {
  /** As in `# check=skip=…`. */
  readonly rule: 'SecretFileCopied' | 'UnusedContext';
  readonly message: string;
  /** The instruction. */
  readonly location: SourceLocation | undefined;
  /** What it is about, as far as it is about single paths. */
  readonly paths: readonly string[];
}

const SHOWN = 5;

/** What not to warn of. */
export interface WarningOptions {
  /** The Dockerfile's `# check=skip=…`, for all of it or for the instruction at a line. */
  readonly isSkipped: (rule: string, line: number | undefined) => boolean;
  /** Whether a check of the Dockerfile's text has said so of the instruction at this line. */
  readonly isTold?: (line: number, path: string) => boolean;
}

/** One warning for each instruction with secrets, and one for the whole. */
export function contextWarnings(
  { unused, secrets }: ContextFindings,
  users: readonly ContextUser[],
  { isSkipped, isTold = () => false }: WarningOptions,
): readonly ContextWarning[] {
  const warnings: ContextWarning[] = users.flatMap((user, index) => {
    const { line } = user.location.range.start;
    const own = secrets.filter((found) => found.user === index && !isTold(line, found.path));
    return own.length === 0 || isSkipped('SecretFileCopied', line)
      ? []
      : [secretWarning(user, own)];
  });
  if (unused === undefined || isSkipped('UnusedContext', undefined)) return warnings;
  const { unused: part, total } = unused;
  const share = Math.floor((100 * part.bytes) / total.bytes);
  const message =
    `No instruction of this build uses ${share} % of the build context: ${sizeText(part.bytes)} of ` +
    `${sizeText(total.bytes)}, ${countText(part.files)} of ${filesText(total.files)}; ` +
    'list what no build needs in .dockerignore ("tsbuild context ls" shows it)';
  return [...warnings, { rule: 'UnusedContext', message, location: undefined, paths: [] }];
}

function secretWarning(user: ContextUser, found: readonly SecretFinding[]): ContextWarning {
  const shown = found.slice(0, SHOWN).map(({ path, isDirectory, files, bytes }) => {
    const what = `"${path}"`;
    return isDirectory ? `${what} (${filesText(files)}, ${sizeText(bytes)})` : what;
  });
  const more = found.length - shown.length;
  const names = [...shown, ...(more > 0 ? [`${countText(more)} more`] : [])];
  const last = names.pop() ?? '';
  const list = names.length === 0 ? last : `${names.join(', ')} and ${last}`;
  return {
    rule: 'SecretFileCopied',
    message: `${user.kind.toUpperCase()} puts ${list} into the image; leave it out with .dockerignore, or use a secret mount`,
    location: user.location,
    paths: found.map(({ path }) => path),
  };
}
