/** `--mount=type=secret`: a file in memory, an environment variable, or both (RUN-20, RUN-21). */

import { createHmac } from 'node:crypto';
import type { SecretMount } from '../../parser/index.ts';
import type { MountOperation } from '../../native/index.ts';
import { TsbuildError } from '../errors.ts';
import type { PreparedMount } from './prepared-mounts.ts';
import type { StepContext } from './step-context.ts';

/** @throws ERR_SECRET_MISSING for a required one that was not given */
export function secretMount(
  mount: SecretMount,
  target: string,
  context: StepContext,
): PreparedMount {
  const bytes = secretBytes(mount, context);
  if (bytes === undefined) return {};
  const env =
    mount.env === undefined ? [] : [`${mount.env}=${Buffer.from(bytes).toString('utf8')}`];
  if (target === '') return { env };
  return { operations: [secretFile(mount, target, bytes)], env, files: [target] };
}

/**
 * What stands for a secret's value in a key: nothing, or of one that is to be rotated a digest that
 * cannot be computed without a key of the store's own (T-54).
 */
export async function secretIdentity(
  { id }: SecretMount,
  { sandbox, store }: StepContext,
): Promise<string | undefined> {
  const bytes = sandbox.secrets.get(id);
  if (bytes === undefined || !sandbox.rotatingSecrets.has(id)) return undefined;
  return createHmac('sha256', await store.secretKey())
    .update(bytes)
    .digest('hex');
}

function secretBytes(mount: SecretMount, { sandbox }: StepContext): Uint8Array | undefined {
  const bytes = sandbox.secrets.get(mount.id);
  if (bytes === undefined && mount.required) {
    throw new TsbuildError('ERR_SECRET_MISSING', {
      message: `Cannot mount secret ${mount.id}: not found`,
      details: { id: mount.id },
      hint: `Give it with --secret id=${mount.id},src=FILE or --secret id=${mount.id},env=NAME.`,
    });
  }
  return bytes;
}

function secretFile(mount: SecretMount, target: string, bytes: Uint8Array): MountOperation {
  const executable = (mount.mode & 0o111) !== 0;
  return {
    kind: 'file',
    target,
    content: Buffer.from(bytes).toString('base64'),
    mode: mount.mode,
    uid: mount.uid,
    gid: mount.gid,
    readonly: true,
    flags: ['nosuid', 'nodev', ...(executable ? [] : (['noexec'] as const))],
  };
}
