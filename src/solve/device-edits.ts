/** What the devices of a RUN come to: nodes, mounts, variables and groups of its sandbox (RUN-3). */

import type { Stats } from 'node:fs';
import { access, constants, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { MountFlag, MountOperation } from '../../native/index.ts';
import { TsbuildError } from '../errors.ts';
import type { RunStep } from '../plan/step.ts';
import type { CdiMount, ContainerEdits, DeviceNode } from './cdi-spec.ts';
import { parseHostDevice } from './host-device.ts';
import type { BaseImage } from './layer.ts';
import type { PreparedMount } from './prepared-mounts.ts';
import type { RungName } from './rungs.ts';
import type { StepContext } from './step-context.ts';

export interface PreparedDevices extends PreparedMount {
  /** Groups that the command is in besides its own. */
  readonly groups: readonly number[];
}

/** Who the command is. */
interface User {
  readonly uid: number;
  readonly gid: number;
}

/**
 * Prepares those that the step names and this machine has, and those of the command line.
 * @throws ERR_SANDBOX_UNAVAILABLE for one that is not there, ERR_UNSUPPORTED for what nobody does here
 */
export async function prepareDevices(
  step: RunStep<BaseImage>,
  user: User,
  context: StepContext,
): Promise<PreparedDevices> {
  const all = await editsFor(step, context);
  if (all.length === 0) return { groups: [] };
  const { rung } = await context.helpers.sandbox();
  const operations: MountOperation[] = [];
  const directories: string[] = [];
  const files: string[] = [];
  for (const { nodes, mounts } of all) {
    for (const node of nodes) {
      operations.push(await nodeOperation(node, user, rung));
      files.push(node.path);
    }
    for (const mount of mounts) {
      const { operation, isDirectory } = await mountOperation(mount);
      operations.push(operation);
      (isDirectory ? directories : files).push(mount.containerPath);
    }
  }
  const env = all.flatMap((edits) => edits.env);
  return { operations, directories, files, env, groups: all.flatMap(({ groups }) => groups) };
}

/** Of a spec that has several of the devices, what comes with any of them comes once. */
async function editsFor(
  step: RunStep<BaseImage>,
  { sandbox }: StepContext,
): Promise<readonly ContainerEdits[]> {
  const { devices: offers } = sandbox;
  const edits = new Set<ContainerEdits>();
  const add = async (name: string, isRequired: boolean): Promise<void> => {
    const found = await offers.find(name);
    if (found.length === 0 && isRequired) throw await offers.missing(name);
    for (const offered of found) {
      for (const one of [offered.spec.edits, offered.device.edits]) {
        edits.add(supported(one, offered.name));
      }
    }
  };
  for (const text of sandbox.hostDevices) {
    if (text.startsWith('/')) edits.add(await hostEdits(text));
    else await add(text, true);
  }
  for (const { name, required } of step.devices) await add(name, required);
  return [...edits];
}

/** To leave one out would give a container that does not work, and nobody would know why. */
function supported(edits: ContainerEdits, device: string): ContainerEdits {
  const [first] = edits.refused;
  if (first === undefined) return edits;
  throw new TsbuildError('ERR_UNSUPPORTED', {
    message: `Cannot give the device "${device}" to a step: its CDI spec has "${first}"`,
    details: { feature: first },
    hint: 'Variables, device nodes, mounts and groups of a CDI spec are done; programs of the host are not started.',
  });
}

/** `--device /dev/NAME[:PATH[:rwm]]`; of a directory all devices below it. */
async function hostEdits(text: string): Promise<ContainerEdits> {
  const { hostPath, path } = parseHostDevice(text);
  const nodes = await nodesAt(hostPath, path);
  return { env: [], nodes, mounts: [], groups: [], refused: [] };
}

async function nodesAt(hostPath: string, path: string): Promise<readonly DeviceNode[]> {
  const found = await statOf(hostPath);
  if (!found.isDirectory()) {
    const same = { major: undefined, minor: undefined, mode: undefined };
    return [{ hostPath, path, ...same, uid: undefined, gid: undefined }];
  }
  const nodes: DeviceNode[] = [];
  for (const entry of await readdir(hostPath, { withFileTypes: true })) {
    if (!entry.isDirectory() && !isDevice(entry)) continue;
    nodes.push(...(await nodesAt(join(hostPath, entry.name), join(path, entry.name))));
  }
  return nodes;
}

async function nodeOperation(
  node: DeviceNode,
  user: User,
  rung: RungName,
): Promise<MountOperation> {
  const { hostPath: name, path: target, mode } = node;
  const found = await statOf(name);
  const numbers = { major: majorOf(found.rdev), minor: minorOf(found.rdev) };
  const isOther = (['major', 'minor'] as const).some(
    (key) => (node[key] ?? numbers[key]) !== numbers[key],
  );
  if (!isDevice(found) || isOther) throw unavailable(name, 'is another than its CDI spec says');
  if (rung !== 'root') await requireOpen(name, found, rung);
  // As CDI has it: a user that is not root owns what nobody else is said to.
  const uid = node.uid ?? (user.uid > 0 ? user.uid : undefined);
  const gid = node.gid ?? (user.gid > 0 ? user.gid : undefined);
  return {
    kind: 'device',
    name,
    target,
    required: true,
    ...(mode !== undefined && { mode: mode & 0o777 }),
    ...(uid !== undefined && { uid }),
    ...(gid !== undefined && { gid }),
  };
}

/** In a user namespace it is the host's node: it opens for whom it opens outside of it. */
async function requireOpen(path: string, found: Stats, rung: RungName): Promise<void> {
  const isOpen = await access(path, constants.R_OK).then(
    () => true,
    () => false,
  );
  const isOwn = found.uid === process.getuid?.() || (found.mode & 0o006) !== 0;
  if (!isOpen) throw unavailable(path, 'cannot be opened by this user');
  // The groups of whoever builds do not come along there; they do with a single id.
  if (rung === 'subids' && !isOwn) {
    throw unavailable(path, 'opens for a group of this user alone: "--isolation=single" keeps it');
  }
}

const MOUNT_FLAGS: Readonly<Record<string, MountFlag>> = {
  nosuid: 'nosuid',
  nodev: 'nodev',
  noexec: 'noexec',
};
/** What every mount of a RUN is, or nothing to be changed. */
const MEANINGLESS = /^(?:r?bind|rw|ro|suid|exec|dev|r?private|r?slave|r?shared|relatime|noatime)$/;

async function mountOperation(
  mount: CdiMount,
): Promise<{ readonly operation: MountOperation; readonly isDirectory: boolean }> {
  const { hostPath: source, containerPath: target, type, options } = mount;
  const unknown = options.find((option) => !(option in MOUNT_FLAGS) && !MEANINGLESS.test(option));
  const isBind = ['', 'bind', 'none'].includes(type) || /^r?bind$/.test(options.join(' '));
  if (!isBind || unknown !== undefined) {
    const feature = isBind ? `the mount option ${unknown ?? ''}` : `a mount of the type ${type}`;
    throw new TsbuildError('ERR_UNSUPPORTED', {
      message: `Cannot mount "${target}" for a device: ${feature}`,
      details: { feature },
      hint: 'Mounts of a CDI spec are files and directories of this machine, with "ro", "nosuid", "nodev", "noexec".',
    });
  }
  const found = await statOf(source);
  const operation: MountOperation = {
    kind: 'bind',
    source,
    target,
    readonly: options.includes('ro'),
    recursive: options.includes('rbind'),
    flags: options.flatMap((option) => MOUNT_FLAGS[option] ?? []),
  };
  return { operation, isDirectory: found.isDirectory() };
}

async function statOf(path: string): Promise<Stats> {
  return await stat(path).catch((cause: unknown) => {
    throw unavailable(path, 'is not there', cause);
  });
}

function isDevice(
  entry: { readonly isCharacterDevice: () => boolean } & {
    readonly isBlockDevice: () => boolean;
  },
): boolean {
  return entry.isCharacterDevice() || entry.isBlockDevice();
}

function majorOf(rdev: number): number {
  return (rdev >>> 8) & 0xfff;
}

function minorOf(rdev: number): number {
  return (rdev & 0xff) | ((rdev >>> 12) & 0xfff00);
}

function unavailable(path: string, why: string, cause?: unknown): TsbuildError {
  return new TsbuildError('ERR_SANDBOX_UNAVAILABLE', {
    message: `Cannot give "${path}" of this machine to a step: it ${why}`,
    details: { reasons: [`"${path}" ${why}`], fixes: [] },
    cause,
  });
}
