/** What the build context holds, why, and what a build uses of it: scan → plan → match. Nothing is run. */

import { parseDockerfile, readSkips } from '../parser/index.ts';
import { type ContextRule, IgnoreDecisions, type RuleMatch } from './context/ignore-decisions.ts';
import type { IgnoreFile } from './context/ignore-file.ts';
import { type ListedEntry, listEntries, statInContext } from './context/list-context.ts';
import type { ScannedContext } from './context/scanned-context.ts';
import { hasCode, suggest, TsbuildError } from './errors.ts';
import { type Input, withInput } from './input.ts';
import type { BuildOptions } from './options.ts';
import { Progress } from './progress/progress.ts';
import { planPlatforms } from './platforms.ts';
import { readRequest, type Request } from './request.ts';
import {
  type Amount,
  type ContextWarning,
  contextWarnings,
  findInContext,
  type WarningOptions,
} from './solve/context-findings.ts';
import { type ContextUsage, type ContextUser, usageOf, usersOfAll } from './solve/context-usage.ts';
import type { Session } from './solve/session.ts';
import { ImageTree } from './tree/image-tree.ts';
import type { LayerIndex } from './tree/layer-index.ts';
import { ancestorsOf, nameOf, parentOf, toPath, toText } from './tree/path.ts';

export type { ContextRule, RuleMatch } from './context/ignore-decisions.ts';
export type { Amount, ContextWarning } from './solve/context-findings.ts';

/** What `listContext()` takes besides what `build()` takes. */
export interface ContextOptions extends BuildOptions {
  /** Also list what is in directories that are left out as a whole. */
  readonly all?: boolean;
}

/** What `listContext()` answers. */
export interface ContextListing {
  /** In the order of their paths, a directory before what is in it. */
  readonly files: readonly ContextFile[];
  readonly totals: ContextTotals;
  /** The instructions of the build that take something from the context, in the order of its plan. */
  readonly uses: readonly ContextUse[];
  /** What a build would warn of. */
  readonly warnings: readonly ContextWarning[];
  /** Why it is not known what is used: the Dockerfile cannot be planned, e.g. because a registry does not answer. */
  readonly unplanned: TsbuildError | undefined;
  /** Instructions that would fail, for what they name is not in the context. */
  readonly failures: readonly TsbuildError[];
  /** The ignore file in force. */
  readonly ignoreFile: string | undefined;
}

/** Something in the context's directory or archive. */
export interface ContextFile {
  /** Relative to the context's root. */
  readonly path: string;
  readonly type:
    | 'file'
    | 'directory'
    | 'symlink'
    | 'hardlink'
    | 'fifo'
    | 'character'
    | 'block'
    | 'socket'
    | 'whiteout';
  /** Bytes of a file's content; 0 of everything else, a further name of a file among it. */
  readonly size: number;
  /** Part of the context. A directory is, too, when something in it is. */
  readonly kept: boolean;
  /** The rule that decides; undefined when none matches: then it is kept, unless it is a socket or cannot be read. */
  readonly rule: ContextRule | undefined;
  /** False for a directory that is left out, whose contents were not looked at. */
  readonly entered: boolean;
  /** Empty when that is not known. */
  readonly usedBy: readonly ContextUse[];
}

/** An instruction that takes something from the context. */
export interface ContextUse {
  readonly instruction: 'COPY' | 'ADD' | 'RUN';
  /** In one line; a trigger of the base image begins with ONBUILD. */
  readonly text: string;
  /** In the Dockerfile, from 1; of a trigger the FROM's. */
  readonly line: number;
  /** The stage's name, else its number from 0. */
  readonly stage: string;
}

export interface ContextTotals {
  /** What is in the context. */
  readonly kept: Amount;
  /** What is left out, as far as it was looked at. */
  readonly ignored: Amount & { readonly unenteredDirectories: number };
  /** What of the context no instruction takes; undefined when that is not known. */
  readonly unused: Amount | undefined;
}

/**
 * Lists the files of the build context, the ignored ones too, with the rule that decides and the
 * instructions of the target and of what it needs that take them. Takes what `build()` takes. Nothing
 * is run; of base images only the configs are read. Rejects when there is no context or no
 * Dockerfile, with ERR_IGNORE_PATTERN, and with the signal's reason.
 */
export async function listContext(options: ContextOptions): Promise<ContextListing> {
  return await withContext(options, async (opened) => {
    const { index, whole, decisions, usage, users, signal } = opened;
    const all = options.all ?? false;
    const entries = await listEntries({ index, whole, all, signal });
    const files = entries.map((entry) => fileOf(entry, opened));
    const isKnown = opened.unplanned === undefined;
    return {
      files,
      totals: totalsOf(files, isKnown && usage.failures.length === 0),
      uses: opened.describe(users),
      warnings: warningsOf(opened),
      unplanned: opened.unplanned,
      failures: await explained(usage.failures, opened),
      ignoreFile: decisions.file,
    };
  });
}

function warningsOf({ index, users, usage, isSkipped }: Opened): readonly ContextWarning[] {
  // Without a plan everything would seem to be of no use.
  if (isSkipped === undefined) return [];
  return contextWarnings(
    findInContext(index, users, () => usage),
    users,
    { isSkipped },
  );
}

/** A file that is not found may be there, and ignored. */
async function explained(
  failures: readonly TsbuildError[],
  { decisions, whole }: Opened,
): Promise<TsbuildError[]> {
  return await Promise.all(
    failures.map(async (failure) => {
      if (!hasCode(failure, 'ERR_SOURCE_MISSING')) return failure;
      const { message, details, location } = failure;
      const path = toPath(details.path);
      const rule = decisions.deciding(toText(path));
      if (rule === undefined || (await statInContext(whole, path)) === undefined) return failure;
      const hint = `It is there, but "${rule.pattern}" (${rule.file}:${rule.line}) leaves it out of the build context.`;
      return new TsbuildError('ERR_SOURCE_MISSING', { message, details, location, hint });
    }),
  );
}

/** What `explainContextPath()` answers. */
export interface ContextExplanation extends ContextFile {
  /** Every rule that matches the path or a directory around it, in the file's order: the last decides. */
  readonly matches: readonly RuleMatch[];
  readonly unplanned: TsbuildError | undefined;
  readonly ignoreFile: string | undefined;
}

/** Says why one path is in the context or is not. @throws ERR_SOURCE_MISSING when there is no such path, what `listContext()` throws */
export async function explainContextPath(
  options: BuildOptions,
  path: string,
): Promise<ContextExplanation> {
  return await withContext(options, async (opened) => {
    const { index, decisions, unplanned } = opened;
    const wanted = toPath(path);
    const entry = await findEntry(wanted, opened);
    if (entry === undefined) throw await unknownPath(path, wanted, opened);
    const matches = decisions.matching(toText(wanted));
    const kept = wanted === '' || index.get(wanted) !== undefined;
    const file = fileOf({ ...entry, path: wanted, kept, entered: true }, opened);
    return { ...file, matches, unplanned, ignoreFile: decisions.file };
  });
}

/** A context, and what a build uses of it. */
interface Opened {
  readonly index: LayerIndex;
  /** Undefined when nothing is left out. */
  readonly whole: string | LayerIndex | undefined;
  readonly decisions: IgnoreDecisions;
  readonly users: readonly ContextUser[];
  /** The same for people; equal lists for equal ones. */
  readonly describe: (users: readonly ContextUser[]) => readonly ContextUse[];
  readonly usage: ContextUsage;
  /** Which warnings are wanted; undefined without a plan. */
  readonly isSkipped: WarningOptions['isSkipped'] | undefined;
  readonly unplanned: TsbuildError | undefined;
  readonly signal: AbortSignal;
}

async function withContext<T>(
  options: BuildOptions,
  use: (opened: Opened) => Promise<T>,
): Promise<T> {
  options.signal?.throwIfAborted();
  const request = readRequest(options);
  const signal = options.signal ?? new AbortController().signal;
  const work = { options, request, progress: new Progress(undefined), signal };
  return await withInput(work, async (input) => {
    const session = await input.session();
    const ignore = await input.ignore();
    // Planning asks registries: meanwhile the files are listed.
    const [scanned, planned] = await Promise.all([
      input.context.scan(ignore),
      planUsers({ options, request, input, session, signal }),
    ]);
    const index = session.layers.openIndex(scanned.index);
    const { users } = planned;
    return await use({
      index,
      whole: await wholeOf(scanned, ignore, { input, session }),
      decisions: new IgnoreDecisions(ignore),
      describe: describer(users),
      usage: usageOf({ tree: new ImageTree([index]), unreadable: unreadableOf(scanned) }, users),
      ...planned,
      signal,
    });
  });
}

/** The instructions; a plan that is not possible is no reason not to list. */
async function planUsers({
  options,
  request,
  input,
  session,
  signal,
}: {
  readonly options: BuildOptions;
  readonly request: Request;
  readonly input: Input;
  readonly session: Session;
  readonly signal: AbortSignal;
}): Promise<Pick<Opened, 'users' | 'isSkipped' | 'unplanned'>> {
  const { file, context } = input;
  const contextEpoch = context.epoch;
  try {
    const dockerfile = parseDockerfile(file.text, { file: file.name });
    const work = { options, request, session, contextEpoch, signal };
    const plans = await planPlatforms(dockerfile, work);
    const isSkipped = readSkips(dockerfile, options.buildArgs);
    return { users: usersOfAll(plans), isSkipped, unplanned: undefined };
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof TsbuildError)) throw error;
    return { users: [], isSkipped: undefined, unplanned: error };
  }
}

function unreadableOf(scanned: ScannedContext): readonly string[] {
  return scanned.kind === 'directory' ? scanned.unreadable : [];
}

/** Where the ignored files are as well: an archive is listed a second time, without rules. */
async function wholeOf(
  scanned: ScannedContext,
  ignore: IgnoreFile | undefined,
  { input, session }: { readonly input: Input; readonly session: Session },
): Promise<Opened['whole']> {
  const hasRules = ignore !== undefined && ignore.rules.length > 0;
  if (scanned.kind === 'directory') {
    const isLess = hasRules || scanned.sockets.length > 0 || scanned.unreadable.length > 0;
    return isLess ? scanned.directory : undefined;
  }
  if (!hasRules) return undefined;
  return session.layers.openIndex((await input.context.scan(undefined)).index);
}

/** Thousands of files have the same users: they share a list. */
function describer(users: readonly ContextUser[]): Opened['describe'] {
  // The same instruction may take other files for another platform.
  const known = new Map<string, ContextUse>();
  const uses = new Map(
    users.map((user) => {
      const use = useOf(user);
      const key = `${use.line} ${use.stage} ${use.text}`;
      const same = known.get(key) ?? use;
      known.set(key, same);
      return [user, same];
    }),
  );
  const lists = new Map<readonly ContextUser[], readonly ContextUse[]>();
  return (wanted) => {
    const list = lists.get(wanted) ?? [...new Set(wanted.flatMap((user) => uses.get(user) ?? []))];
    lists.set(wanted, list);
    return list;
  };
}

function useOf({ kind, text, stage, location }: ContextUser): ContextUse {
  return {
    instruction: kind === 'run' ? 'RUN' : kind === 'add' ? 'ADD' : 'COPY',
    text,
    line: location.range.start.line,
    stage: stage.name ?? String(stage.index),
  };
}

function fileOf(entry: ListedEntry, { decisions, usage, describe }: Opened): ContextFile {
  const { type, size, kept, entered } = entry;
  const path = toText(entry.path);
  const usedBy = describe(usage.usersOf(entry.path));
  return { path, type, size, kept, rule: decisions.deciding(path), entered, usedBy };
}

function totalsOf(files: readonly ContextFile[], isUsageKnown: boolean): ContextTotals {
  const kept = { files: 0, bytes: 0 };
  const ignored = { files: 0, bytes: 0, unenteredDirectories: 0 };
  const unused = { files: 0, bytes: 0 };
  for (const file of files) {
    if (!file.entered) ignored.unenteredDirectories++;
    if (file.type === 'directory') continue;
    const sums = file.kept ? (file.usedBy.length === 0 ? [kept, unused] : [kept]) : [ignored];
    for (const sum of sums) {
      sum.files++;
      sum.bytes += file.size;
    }
  }
  return { kept, ignored, unused: isUsageKnown ? unused : undefined };
}

async function findEntry(
  path: string,
  { index, whole }: Opened,
): Promise<Pick<ListedEntry, 'type' | 'size'> | undefined> {
  if (path === '') return { type: 'directory', size: 0 };
  const entry = index.get(path);
  if (entry !== undefined)
    return { type: entry.type, size: entry.type === 'file' ? entry.size : 0 };
  // What is behind a symlink is not in the context by that name.
  const isBehind = ancestorsOf(path).some((at) => index.get(at)?.type === 'symlink');
  return isBehind ? undefined : await statInContext(whole, path);
}

async function unknownPath(path: string, wanted: string, opened: Opened): Promise<TsbuildError> {
  const guess = await similarPath(wanted, opened);
  return new TsbuildError('ERR_SOURCE_MISSING', {
    message: `Cannot find "${path}" in the build context`,
    details: { path },
    hint: guess === undefined ? 'Paths are relative to its root.' : `Did you mean "${guess}"?`,
  });
}

/** Something in the same directory, else anywhere with nearly the same name. */
async function similarPath(wanted: string, opened: Opened): Promise<string | undefined> {
  const { index, whole, signal } = opened;
  const name = toText(nameOf(wanted));
  const besides: string[] = [];
  const elsewhere: string[] = [];
  for (const { path } of await listEntries({ index, whole, all: false, signal })) {
    if (parentOf(path) === parentOf(wanted)) besides.push(toText(nameOf(path)));
    else if (toText(nameOf(path)) === name) elsewhere.push(toText(path));
  }
  const close = suggest(name, besides);
  if (close === undefined) return elsewhere[0];
  const parent = toText(parentOf(wanted));
  return parent === '' ? close : `${parent}/${close}`;
}
