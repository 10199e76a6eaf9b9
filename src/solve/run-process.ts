/** The process of a RUN: who it is, what it may, its environment. */

import type { ProcessSpec, ResourceLimit } from '../../native/index.ts';
import { TsbuildError } from '../errors.ts';
import type { RunStep } from '../plan/step.ts';
import type { ImageTree } from '../tree/image-tree.ts';
import { resolveUser, type User } from '../tree/owner.ts';
import { ALL_CAPABILITIES, DEFAULT_CAPABILITIES } from './capabilities.ts';
import type { BaseImage, Layer } from './layer.ts';
import { readText } from './read-text.ts';
import { emulationRefusal } from './rungs.ts';
import { DEFAULT_SECCOMP } from './seccomp.ts';
import type { StepContext } from './step-context.ts';

/** @throws ERR_OWNER_UNKNOWN, ERR_USAGE for a limit */
export async function processOf(
  step: RunStep<BaseImage>,
  parent: readonly Layer[],
  tree: ImageTree,
  context: StepContext,
): Promise<ProcessSpec> {
  const { uid, gid, groups, home } = await accountOf(step.user, parent, tree, context);
  const { rung, helper } = await context.helpers.sandbox();
  const isAlone = rung === 'single' && helper.noEmulation !== undefined;
  if (isAlone && (uid !== 0 || gid !== 0)) throw onlyRoot(step, helper.noEmulation);
  const env = [...step.env, ...step.proxyEnv];
  if (!env.some((variable) => variable.startsWith('HOME='))) env.push(`HOME=${home}`);
  return {
    argv: step.argv,
    env,
    cwd: step.cwd,
    uid,
    gid,
    // Root's other groups open nothing that it may not open anyway.
    groups: isAlone ? [] : groups,
    emulateIDs: rung === 'single' && !isAlone,
    ...rightsOf(step),
    limits: context.sandbox.ulimits.map(parseLimit),
  };
}

function onlyRoot({ user, location }: RunStep<BaseImage>, errno: string | undefined): TsbuildError {
  const { reason, fix } = emulationRefusal(errno) ?? { reason: '', fix: undefined };
  return new TsbuildError('ERR_SANDBOX_UNAVAILABLE', {
    message: `Cannot execute the step as the user "${user}": there is only root, and ${reason}`,
    details: { reasons: [reason], fixes: fix === undefined ? [] : [fix] },
    location,
    hint: fix === undefined ? undefined : `To change it: ${fix}.`,
  });
}

function rightsOf({ security }: RunStep<BaseImage>): Pick<ProcessSpec, 'capabilities' | 'seccomp'> {
  if (security === 'insecure') return { capabilities: ALL_CAPABILITIES };
  return { capabilities: DEFAULT_CAPABILITIES, seccomp: DEFAULT_SECCOMP };
}

/** USER, looked up in the root filesystem that the command will see (META-4). */
async function accountOf(
  user: string,
  parent: readonly Layer[],
  tree: ImageTree,
  { layers }: StepContext,
): Promise<User> {
  const passwd = await readText(parent, tree, 'etc/passwd', layers);
  const group = await readText(parent, tree, 'etc/group', layers);
  return resolveUser(user, passwd, group);
}

/** `nofile=1024:2048`; -1 is no limit. @throws ERR_USAGE */
function parseLimit(text: string): ResourceLimit {
  const match = /^([a-z]+)=(-1|\d+)(?::(-1|\d+))?$/.exec(text);
  if (match?.[1] === undefined) {
    throw new TsbuildError('ERR_USAGE', {
      message: `Cannot use "${text}" as a limit`,
      details: undefined,
      hint: 'A limit is name=soft[:hard], for example nofile=1024:2048.',
    });
  }
  const soft = Number(match[2]);
  return { name: match[1], soft, hard: match[3] === undefined ? soft : Number(match[3]) };
}
