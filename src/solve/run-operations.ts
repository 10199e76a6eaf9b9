/** The mounts of one RUN in order: the system's, the user's, and the mount points that they need. */

import type { MountOperation } from '../../native/index.ts';
import type { RunStep } from '../plan/step.ts';
import { toPath } from '../tree/path.ts';
import type { BaseImage } from './layer.ts';
import { HOSTNAME, MOUNT_POINTS, maskMounts, rootMounts, textFile } from './root-mounts.ts';
import type { PreparedMounts } from './prepared-mounts.ts';
import { hostGateway, resolvConfFor } from './run-network.ts';
import type { StepContext } from './step-context.ts';
import type { MountPoints } from './stubs.ts';

/** What must be there in the root filesystem; /dev is not part of it. */
export function mountPoints(mounts: PreparedMounts): MountPoints {
  const outsideDev = (target: string) => !isBelowDev(target);
  return {
    directories: [...MOUNT_POINTS.directories, ...mounts.directories.filter(outsideDev)],
    files: [...MOUNT_POINTS.files, ...mounts.files.filter(outsideDev)],
  };
}

/** /dev is memory: what is mounted there needs its mount point in that filesystem. */
function isBelowDev(target: string): boolean {
  return toPath(target).startsWith('dev/');
}

/** Everything that is mounted, in order. */
export function operationsOf(
  step: RunStep<BaseImage>,
  mounts: PreparedMounts,
  { sandbox }: StepContext,
): readonly MountOperation[] {
  const script: MountOperation[] =
    step.script === undefined ? [] : [textFile(step.script.path, step.script.content, 0o755)];
  const inDev = [...mounts.operations, ...script]
    .filter(({ target }) => isBelowDev(target))
    .flatMap((operation) => mountPointInDev(operation, mounts));
  const hostname = step.hostname ?? HOSTNAME;
  const isInsecure = step.security === 'insecure';
  const system = rootMounts({
    ...sandbox,
    hostname,
    isInsecure,
    resolvConf: resolvConfFor(step.network, sandbox.resolver, sandbox.dns),
    gateway: hostGateway(step.network),
  });
  const masks = isInsecure ? [] : maskMounts();
  return [...system, ...inDev, ...mounts.operations, ...script, ...masks];
}

/** What /dev needs for a mount in it: the directories in between, and a directory or file to mount on. */
function mountPointInDev(operation: MountOperation, mounts: PreparedMounts): MountOperation[] {
  const { target } = operation;
  const parts = toPath(target).split('/');
  const parents = parts.slice(1, -1).map((_, depth) => `/${parts.slice(0, depth + 2).join('/')}`);
  const isDirectory = mounts.directories.includes(target);
  return [
    ...parents.map((path) => ({ kind: 'directory', target: path, mode: 0o755 }) as const),
    isDirectory ? { kind: 'directory', target, mode: 0o755 } : { kind: 'stub', target },
  ];
}
