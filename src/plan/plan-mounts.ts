/** The mounts of a RUN: expanded, absolute, in the order they are made (RUN-12 to RUN-23). */

import { type Mount, parseMount, type RunInstruction } from '../../parser/index.ts';
import { locate } from '../errors.ts';
import { flagLocation, invalid, unsupported } from './failures.ts';
import { cleanPath, resolvePath } from './paths.ts';
import { CONTEXT, type Planning } from './planning.ts';
import type { StageState } from './stage-state.ts';
import type { CopyOrigin, PlannedMount } from './step.ts';

export interface PlannedMounts<Image> {
  readonly mounts: readonly PlannedMount<Image>[];
  /** Where the first ssh mount, as written, has its socket. */
  readonly sshSocket: string | undefined;
}

/** Sorted by target, so that parents come before what is mounted in them (RUN-23). */
export async function planMounts<Image>(
  state: StageState<Image>,
  instruction: RunInstruction,
  planning: Planning<Image>,
): Promise<PlannedMounts<Image>> {
  const planned: PlannedMount<Image>[] = [];
  let sshCount = 0;
  for (const [index, text] of instruction.mounts.entries()) {
    const location = flagLocation(planning.location, instruction, { name: 'mount', index });
    try {
      const mount = parseMount(text, { expand: (value) => state.expand(value) });
      const target = targetOf(mount, { state, sshCount });
      if (mount.kind === 'ssh') sshCount += 1;
      const from = await originOf(mount, state, { ...planning, location });
      const named = withCacheId(mount, planning.args.buildArgs.get('BUILDKIT_CACHE_MOUNT_NS'));
      planned.push(Object.freeze({ mount: named, target, from }));
    } catch (error) {
      throw locate(error, location);
    }
  }
  const sshSocket = planned.find(({ mount }) => mount.kind === 'ssh')?.target;
  const mounts = planned.sort((a, b) => Number(a.target > b.target) - Number(a.target < b.target));
  return { mounts: Object.freeze(mounts), sshSocket };
}

function targetOf<Image>(
  mount: Mount,
  context: { readonly state: StageState<Image>; readonly sshCount: number },
): string {
  // The last two are not relative to the working directory (RUN-20).
  if (mount.kind === 'secret') {
    return mount.target === undefined ? '' : resolvePath('/', mount.target);
  }
  if (mount.kind === 'ssh') {
    return resolvePath('/', mount.target ?? `/run/buildkit/ssh_agent.${context.sshCount}`);
  }
  // Nothing and "here" alike would hide what the step runs in.
  const target =
    mount.target === '' ? '/' : resolvePath(context.state.workingDirectory, mount.target);
  if (target !== '/') return target;
  throw invalid(
    `Cannot mount over the root: invalid mount target "${mount.target || '/'}"`,
    'Name a directory or file with "target=".',
  );
}

async function originOf<Image>(
  mount: Mount,
  state: StageState<Image>,
  planning: Planning<Image>,
): Promise<CopyOrigin<Image> | undefined> {
  if (mount.kind !== 'bind' && mount.kind !== 'cache') return undefined;
  if (mount.from === undefined) return mount.kind === 'bind' ? CONTEXT : undefined;
  const origin = await planning.findOrigin(mount.from, {
    kind: 'mount',
    stage: state,
    target: mount.target,
    location: planning.location,
  });
  if (origin !== undefined || mount.kind === 'cache') return origin;
  throw unsupported('mount from scratch', {
    message: 'Cannot bind "scratch": it has no files',
    hint: 'For an empty directory use "--mount=type=tmpfs,target=…".',
  });
}

/** A cache's name is its target as written, unless it has one (RUN-16). */
function withCacheId(mount: Mount, namespace: string | undefined): Mount {
  if (mount.kind !== 'cache') return mount;
  const id = mount.id ?? cleanPath(mount.target);
  return Object.freeze({ ...mount, id: namespace ? `${namespace}/${id}` : id });
}
