/** Which instructions of a plan take which files from the build context. Nothing is copied, no byte is read. */

import { createIgnore } from '../context/ignore.ts';
import { locate, type SourceLocation, TsbuildError } from '../errors.ts';
import type { BuildPlan, CopyStep, PlannedStage, RunStep, Step } from '../plan/step.ts';
import type { ImageTree } from '../tree/image-tree.ts';
import { ancestorsOf, toPath } from '../tree/path.ts';
import { type Match, matchSource } from './match-source.ts';
import { selectContents, selectMounted, selectParents } from './selection.ts';
import { requireReadable } from './unreadable.ts';

/** A context as it was scanned. */
export interface ContextTree {
  readonly tree: ImageTree;
  /** Byte strings of what may not be read, and is not in the tree. */
  readonly unreadable: readonly string[];
}

/** An instruction that takes something from the build context: COPY, ADD, or RUN with a mount. */
export interface ContextUser {
  readonly kind: 'copy' | 'add' | 'run';
  /** In one line, as written; ONBUILD in front for a trigger of the base. */
  readonly text: string;
  readonly stage: PlannedStage<unknown>;
  readonly location: SourceLocation;
  /** What it takes ends up in a layer of the image that is built. */
  readonly isShipped: boolean;
  /** What it takes, as plain data: equal for instructions that take the same. */
  readonly selection: object;
  /** The paths (byte strings) that it takes, some twice. @throws ERR_SOURCE_MISSING, ERR_CONTEXT_MISSING, located */
  readonly paths: (context: ContextTree) => Generator<string>;
}

/** In the order of the plan. */
export function contextUsers<Image>(plan: BuildPlan<Image>): readonly ContextUser[] {
  const shipped = stagesOfImage(plan.target);
  return plan.stages.flatMap((stage) =>
    stage.steps.flatMap((step) => {
      const selection = selectionOf(step);
      if (selection === undefined) return [];
      const { name, location } = step;
      const kind = step.kind === 'copy' && step.add ? 'add' : step.kind === 'run' ? 'run' : 'copy';
      return [
        {
          kind,
          // Without its number, `[build 2/5]`.
          text: name.replace(/^\[[^\]]*\] /, ''),
          stage,
          location,
          isShipped: kind !== 'run' && shipped.has(stage),
          selection,
          paths: (context) => located(selection, context, location),
        } satisfies ContextUser,
      ];
    }),
  );
}

/** Of a plan for each platform: those that take the same come once, shipped if one of them is. */
export function usersOfAll<Image>(plans: readonly BuildPlan<Image>[]): readonly ContextUser[] {
  const [first = [], ...others] = plans.map((plan) => contextUsers(plan));
  const users = [...first];
  for (const user of others.flat()) {
    const place = users.findIndex((known) => isSame(known, user));
    if (place < 0) users.push(user);
    else if (user.isShipped) users[place] = user;
  }
  return users;
}

function isSame(a: ContextUser, b: ContextUser): boolean {
  const isInstruction = a.stage.index === b.stage.index && a.text === b.text;
  if (!isInstruction || a.location.range.start.line !== b.location.range.start.line) return false;
  return JSON.stringify(a.selection) === JSON.stringify(b.selection);
}

/** The target, and the stages that it is FROM. */
function stagesOfImage<Image>(target: PlannedStage<Image>): ReadonlySet<PlannedStage<Image>> {
  const stages = new Set([target]);
  for (let { base } = target; base.kind === 'stage'; { base } = base.stage) stages.add(base.stage);
  return stages;
}

interface Selection {
  /** Of COPY and ADD. */
  readonly sources: readonly string[];
  readonly parents: boolean;
  readonly exclude: readonly string[];
  /** Of mounts. */
  readonly mounted: readonly string[];
}

function selectionOf(step: Step<unknown>): Selection | undefined {
  switch (step.kind) {
    case 'copy':
      return copied(step);
    case 'run':
      return mounted(step);
    case 'workdir':
    case 'config':
      return undefined;
  }
}

function copied({ origin, sources, parents, exclude }: CopyStep<unknown>): Selection | undefined {
  if (origin.kind !== 'context') return undefined;
  const paths = sources.flatMap((source) => (source.kind === 'path' ? [source.path] : []));
  return paths.length === 0 ? undefined : { sources: paths, parents, exclude, mounted: [] };
}

function mounted({ mounts }: RunStep<unknown>): Selection | undefined {
  const sources = mounts.flatMap(({ mount, from }) =>
    mount.kind === 'bind' && (from === undefined || from.kind === 'context') ? [mount.source] : [],
  );
  if (sources.length === 0) return undefined;
  return { sources: [], parents: false, exclude: [], mounted: sources };
}

function* located(
  selection: Selection,
  context: ContextTree,
  location: SourceLocation,
): Generator<string> {
  try {
    for (const path of select(selection, context)) {
      yield path;
      const target = targetOf(context.tree, path);
      if (target !== undefined) yield target;
    }
  } catch (error) {
    throw locate(error, location);
  }
}

/** The content of a hard link is its target's. */
function targetOf(tree: ImageTree, path: string): string | undefined {
  const entry = tree.lookup(path)?.entry;
  return entry?.type === 'hardlink' ? entry.target : undefined;
}

function* select(selection: Selection, context: ContextTree): Generator<string> {
  const { tree } = context;
  const { sources, parents, exclude } = selection;
  const isExcluded = createIgnore(exclude);
  for (const source of sources) {
    requireReadable(context, source, []);
    if (parents) {
      yield* withParents(tree, source, isExcluded);
      continue;
    }
    const matches = matchSource(tree, source);
    const paths = matches.map(({ path }) => path);
    requireReadable(context, source, paths);
    for (const match of matches) yield* matched(tree, match, isExcluded);
  }
  for (const source of selection.mounted) {
    requireReadable(context, source, []);
    const { path, found } = selectMounted(tree, source);
    requireReadable(context, source, [path]);
    yield* matched(tree, { named: toPath(source), path, found }, () => false);
  }
}

function* withParents(
  tree: ImageTree,
  source: string,
  isExcluded: (path: string) => boolean,
): Generator<string> {
  const selection = selectParents(tree, source, isExcluded);
  for (const { path } of selection.bases) {
    for (const { found } of selection.below(path)) yield found.entry.path;
  }
  selection.requireAny();
}

function* matched(
  tree: ImageTree,
  { named, path, found }: Match,
  isExcluded: (path: string) => boolean,
): Generator<string> {
  yield* symlinksOf(tree, named);
  yield path;
  if (found !== undefined && found.entry.type !== 'directory') return;
  for (const each of selectContents(tree, path, isExcluded)) yield each.found.entry.path;
}

/** The symlinks that were followed on the way: without them nothing would be found. */
function* symlinksOf(tree: ImageTree, named: string): Generator<string> {
  for (const path of [...ancestorsOf(named), named]) {
    if (path !== '' && tree.lookup(path)?.entry.type === 'symlink') yield path;
  }
}

/** What a tree's paths are used by, and what cannot be said because a source is not there. */
export interface ContextUsage {
  readonly usersOf: (path: string) => readonly ContextUser[];
  readonly failures: readonly TsbuildError[];
}

/** Goes through everything that the instructions take. @throws what is no TsbuildError */
export function usageOf(context: ContextTree, users: readonly ContextUser[]): ContextUsage {
  const nobody = new UserList([]);
  const used = new Map<string, UserList>();
  const failures: TsbuildError[] = [];
  for (const user of users) {
    try {
      for (const path of user.paths(context)) {
        const list = used.get(path) ?? nobody;
        if (list.users.at(-1) !== user) used.set(path, list.with(user));
      }
    } catch (error) {
      if (!(error instanceof TsbuildError)) throw error;
      failures.push(error);
    }
  }
  return { usersOf: (path) => (used.get(path) ?? nobody).users, failures };
}

/** Lists that many paths share: thousands of files have the same users. */
class UserList {
  readonly users: readonly ContextUser[];
  readonly #longer = new Map<ContextUser, UserList>();

  constructor(users: readonly ContextUser[]) {
    this.users = users;
  }

  with(user: ContextUser): UserList {
    const list = this.#longer.get(user) ?? new UserList([...this.users, user]);
    this.#longer.set(user, list);
    return list;
  }
}
