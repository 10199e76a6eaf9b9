/**
 * One file of the Container Device Interface: which devices somebody offers, and what a container is
 * given with each. Read as written; what it comes to on this machine is device-edits.ts's.
 */

import { resolve } from 'node:path';

/** A kind of devices, e.g. `nvidia.com/gpu`, and those there are. */
export interface CdiSpec {
  /** `vendor.com/class`. */
  readonly kind: string;
  readonly annotations: Readonly<Record<string, string>>;
  /** By name: `0` of `nvidia.com/gpu=0`. */
  readonly devices: ReadonlyMap<string, CdiDevice>;
  /** With any of the devices. */
  readonly edits: ContainerEdits;
}

export interface CdiDevice {
  readonly annotations: Readonly<Record<string, string>>;
  readonly edits: ContainerEdits;
}

/** What changes in a container. */
export interface ContainerEdits {
  /** `NAME=value`. */
  readonly env: readonly string[];
  readonly nodes: readonly DeviceNode[];
  readonly mounts: readonly CdiMount[];
  readonly groups: readonly number[];
  /** Edits that nobody does here, by their names: `hooks`. */
  readonly refused: readonly string[];
}

export interface DeviceNode {
  /** In the container. */
  readonly path: string;
  /** On this machine. */
  readonly hostPath: string;
  readonly major: number | undefined;
  readonly minor: number | undefined;
  /** Permission bits; undefined: the host's. */
  readonly mode: number | undefined;
  readonly uid: number | undefined;
  readonly gid: number | undefined;
}

export interface CdiMount {
  readonly hostPath: string;
  readonly containerPath: string;
  readonly type: string;
  readonly options: readonly string[];
}

/** RUN-3: `vendor.com/class`. */
export const DEVICE_KIND = /^[A-Za-z][\w.-]*\/[A-Za-z][\w-]*$/;

const DEVICE_NAME = /^[A-Za-z0-9][\w.:-]*$/;

/** @throws Error, in words of the file, when it is none */
export function parseCdiSpec(document: unknown): CdiSpec {
  const spec = fields(document, 'the file');
  text(spec, 'cdiVersion');
  const kind = text(spec, 'kind');
  if (!DEVICE_KIND.test(kind)) throw new Error(`the kind ${JSON.stringify(kind)} is none`);
  const devices = list(spec, 'devices').map((value): readonly [string, CdiDevice] => {
    const device = fields(value, 'a device');
    const name = text(device, 'name');
    if (!DEVICE_NAME.test(name)) {
      throw new Error(`a device cannot have the name ${JSON.stringify(name)}`);
    }
    const annotations = annotationsOf(device);
    return [name, { annotations, edits: editsOf(device['containerEdits']) }];
  });
  const byName = new Map(devices);
  if (byName.size < devices.length) throw new Error('it names a device twice');
  return {
    kind,
    annotations: annotationsOf(spec),
    devices: byName,
    edits: editsOf(spec['containerEdits']),
  };
}

const KNOWN_EDITS = ['env', 'deviceNodes', 'mounts', 'additionalGids'];

function editsOf(value: unknown): ContainerEdits {
  const edits = value === undefined || value === null ? {} : fields(value, '"containerEdits"');
  const isAsked = (name: string): boolean =>
    !KNOWN_EDITS.includes(name) && edits[name] !== null && !isEmpty(edits[name]);
  return {
    env: list(edits, 'env').map((variable) => {
      if (typeof variable === 'string' && /^[^=]+=/.test(variable)) return variable;
      throw new Error(`${JSON.stringify(variable)} is no variable`);
    }),
    nodes: list(edits, 'deviceNodes').map(nodeOf),
    mounts: list(edits, 'mounts').map(mountOf),
    // 0 is what writers leave there who have none to add.
    groups: list(edits, 'additionalGids')
      .map(whole)
      .filter((gid) => gid !== 0),
    refused: Object.keys(edits).filter(isAsked),
  };
}

function isEmpty(value: unknown): boolean {
  return Array.isArray(value) && value.length === 0;
}

function nodeOf(value: unknown): DeviceNode {
  const node = fields(value, 'a device node');
  const path = absolute(node, 'path');
  const number = (name: string): number | undefined =>
    node[name] === undefined ? undefined : whole(node[name]);
  return {
    path,
    hostPath: node['hostPath'] === undefined ? path : absolute(node, 'hostPath'),
    major: number('major'),
    minor: number('minor'),
    mode: number('fileMode'),
    uid: number('uid'),
    gid: number('gid'),
  };
}

function mountOf(value: unknown): CdiMount {
  const mount = fields(value, 'a mount');
  return {
    hostPath: text(mount, 'hostPath'),
    containerPath: absolute(mount, 'containerPath'),
    type: mount['type'] === undefined ? '' : text(mount, 'type'),
    options: list(mount, 'options').map(String),
  };
}

type Fields = Readonly<Record<string, unknown>>;

function fields(value: unknown, what: string): Fields {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Fields;
  throw new Error(`${what} has no fields`);
}

function text(from: Fields, name: string): string {
  const value = from[name];
  if (typeof value === 'string' && value !== '') return value;
  throw new Error(`"${name}" is missing, or no text`);
}

function absolute(from: Fields, name: string): string {
  const path = text(from, name);
  if (path.startsWith('/')) return resolve(path);
  throw new Error(`"${name}" is no absolute path: ${JSON.stringify(path)}`);
}

function list(from: Fields, name: string): readonly unknown[] {
  const value = from[name] ?? [];
  if (Array.isArray(value)) return value;
  throw new Error(`"${name}" is no list`);
}

function whole(value: unknown): number {
  if (typeof value === 'number' && Number.isInteger(value) && value >= 0) return value;
  throw new Error(`${JSON.stringify(value)} is no number from 0`);
}

function annotationsOf(from: Fields): Readonly<Record<string, string>> {
  const value = from['annotations'];
  if (value === undefined || value === null) return {};
  const pairs = Object.entries(fields(value, '"annotations"'));
  return Object.fromEntries(pairs.map(([key, annotation]) => [key, String(annotation)]));
}
