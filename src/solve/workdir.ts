/** Step kind: WORKDIR. Makes the directory if it is missing, owned by the user in force (META-6). */

import type { WorkdirStep } from '../plan/step.ts';
import { resolveUser } from '../tree/owner.ts';
import { toPath } from '../tree/path.ts';
import { composeLayer } from './compose.ts';
import { Destination } from './destination.ts';
import type { Layer } from './layer.ts';
import { readText } from './read-text.ts';
import type { StepContext, StepRunner } from './step-context.ts';

/** Keys and executes one WORKDIR on top of a parent. */
export function workdirRunner(
  step: WorkdirStep,
  parent: readonly Layer[],
  context: StepContext,
): StepRunner {
  const { path, user } = step;
  return {
    inputs: async () => ({ path, user, epoch: context.epoch }),
    execute: async (wanted) => {
      const tree = await context.layers.tree(parent, { directories: wanted.directory });
      const passwd = await readAccounts(user, () =>
        readText(parent, tree, 'etc/passwd', context.layers),
      );
      const group = await readAccounts(user, () =>
        readText(parent, tree, 'etc/group', context.layers),
      );
      const { uid, gid } = ownerFor(user, passwd, group);
      const destination = new Destination(tree);
      const create = { mode: 0o755, uid, gid, mtime: context.now };
      destination.ensureDirectory(destination.resolve(toPath(path)), create);
      const placed = [...destination.placed()];
      return await composeLayer({ placed, sources: new Map() }, wanted, context);
    },
  };
}

/** Accounts matter only for a USER with a name in it. */
async function readAccounts(
  user: string,
  read: () => Promise<string | undefined>,
): Promise<string | undefined> {
  return /[^\d:]/.test(user) ? await read() : undefined;
}

/** A USER need not exist yet; until it does, directories are root's, as with BuildKit. */
function ownerFor(
  user: string,
  passwd: string | undefined,
  group: string | undefined,
): { readonly uid: number; readonly gid: number } {
  try {
    return resolveUser(user, passwd, group);
  } catch {
    // The name is unknown in this root filesystem; RUN reports that, WORKDIR does not need it.
    return { uid: 0, gid: 0 };
  }
}
