/** `--mount=type=ssh`: an agent's socket, for the RUN that mounts it alone (RUN-22, ENT-3). */

import type { SshMount } from '../../parser/index.ts';
import { TsbuildError } from '../errors.ts';
import type { PreparedMount } from './prepared-mounts.ts';
import type { StepContext } from './step-context.ts';

/** @throws ERR_SSH_MISSING for a required one that was not given, and for one that cannot be used */
export async function sshMount(
  mount: SshMount,
  target: string,
  { ssh, layers }: StepContext,
): Promise<PreparedMount> {
  const { id, mode, uid, gid } = mount;
  const socket = await ssh.socket(id);
  if (socket === undefined && mount.required) {
    throw new TsbuildError('ERR_SSH_MISSING', {
      message: `Cannot mount ssh agent ${id}: not found`,
      details: { id },
      hint: `Give it with --ssh ${id} (the agent of SSH_AUTH_SOCK), --ssh ${id}=SOCKET or --ssh ${id}=KEYFILE.`,
    });
  }
  if (socket === undefined) return {};
  const listen = layers.temporary('ssh');
  return {
    operations: [{ kind: 'agent', socket, listen, target, mode, uid, gid }],
    files: [target],
  };
}
