/** Step kind: RUN. The only one that needs a root filesystem: overlay, sandbox, scan (design.md §2, §7). */

import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseLayerID } from '../../cache/index.ts';
import type { MountOperation, ProcessSpec, ResourceLimit, RunRequest } from '../../native/index.ts';
import { TsbuildError } from '../errors.ts';
import type { RunStep } from '../plan/step.ts';
import type { ImageTree } from '../tree/image-tree.ts';
import { resolveUser } from '../tree/owner.ts';
import { toPath } from '../tree/path.ts';
import { DEFAULT_CAPABILITIES } from './capabilities.ts';
import { keepOwners } from './keep-owners.ts';
import type { BaseImage, Layer } from './layer.ts';
import { overlayStack } from './overlay-stack.ts';
import {
  HOSTNAME,
  maskMounts,
  MOUNT_POINTS,
  parseHost,
  rootMounts,
  textFile,
} from './root-mounts.ts';
import { mountInputs, type PreparedMounts, prepareMounts } from './run-mounts.ts';
import { DEFAULT_SECCOMP } from './seccomp.ts';
import type { Executed, StepContext, StepRunner } from './step-context.ts';
import { stubLayer } from './stubs.ts';

/** What a RUN writes, as it comes. */
export type OutputSink = (stream: 'stdout' | 'stderr', data: Uint8Array) => void;

/** How much of a failed command's output its error carries, bytes. */
const OUTPUT_TAIL = 16 * 1024;

/** Keys and executes one RUN on top of a parent. */
export function runRunner(
  step: RunStep<BaseImage>,
  parent: readonly Layer[],
  context: StepContext,
  onOutput: OutputSink,
): StepRunner {
  return {
    inputs: async () => {
      const { argv, env, cwd, user, network, security, script, platform } = step;
      const { ulimits, addHosts } = context.sandbox;
      const hosts = addHosts.map((host) => parseHost(host).name);
      const mounts = await mountInputs(step, context);
      return { argv, env, cwd, user, network, security, script, platform, mounts, ulimits, hosts };
    },
    execute: async () => {
      await context.beforeExecution();
      return await context.runs.run(() => execute(step, parent, context, onOutput), context.signal);
    },
  };
}

/**
 * 1. Unpack the parent's layers. 2. Prepare mounts, and a layer with the mount points that are missing.
 * 3. Run. 4. Scan what was written: that is the step's layer, and its directory at once.
 */
async function execute(
  step: RunStep<BaseImage>,
  parent: readonly Layer[],
  context: StepContext,
  onOutput: OutputSink,
): Promise<Executed> {
  const { layers, helpers, signal, store } = context;
  const { helper, flavor, rung } = await helpers.sandbox();
  const directories = await Promise.all(parent.map((layer) => layers.directory(layer)));
  const tree = await layers.tree(parent, { directories: true });
  const account = await accountOf(step.user, parent, tree, context);
  const mounts = await prepareMounts(step, context);
  const wrapper = layers.temporary('run');
  const scratch = layers.temporary('scratch');
  const remove = async (...paths: string[]) =>
    await helper.remove({ verb: 'remove', paths }, { signal: new AbortController().signal });
  let kept = false;
  try {
    const stubs = await stubLayer(parent, mountPoints(step, mounts), context);
    const upper = join(wrapper, 'fs');
    const [work, root] = [join(scratch, 'work'), join(scratch, 'root')];
    for (const directory of [upper, work, root]) await mkdir(directory, { recursive: true });
    const request: RunRequest = {
      verb: 'run',
      layers: overlayStack(stubs === undefined ? directories : [...directories, stubs]),
      upper,
      work,
      root,
      mounts: operationsOf(step, mounts, context),
      hostname: HOSTNAME,
      network: networkOf(step, context) === 'none' ? 'none' : 'host',
      process: processOf(
        step,
        mounts,
        rung === 'single' ? { ...account, groups: [] } : account,
        context,
      ),
    };
    const tail = new Tail();
    const reply = await helper.run(request, {
      signal,
      onOutput: (stream, data) => {
        tail.add(data);
        onOutput(stream, data);
      },
    });
    if (reply.exitCode !== 0) throw stepFailed(step, reply.exitCode, tail.text());
    const index = layers.temporary('index');
    const source = { kind: 'directory', path: upper, format: 'layer', ignore: [] } as const;
    const scanned = await helper.scan({ verb: 'scan', source, index }, { signal });
    let identity = scanned.index.identity;
    if (flavor === 'single') {
      const corrected = keepOwners(await readFile(index), tree);
      await writeFile(index, corrected.bytes);
      identity = corrected.identity;
    }
    const layer: Layer = { id: parseLayerID(identity), pulled: undefined };
    if (!(await layers.isComplete(layer))) await store.publishIndex(layer.id, index);
    else await rm(index);
    await layers.publishDirectory(layer, wrapper);
    kept = true;
    return { layer, cached: false };
  } finally {
    mounts.release();
    await remove(scratch, ...(kept ? [] : [wrapper]));
  }
}

interface Account {
  readonly uid: number;
  readonly gid: number;
  readonly groups: readonly number[];
  readonly home: string;
}

/** USER, looked up in the root filesystem that the command will see (META-4). */
async function accountOf(
  user: string,
  parent: readonly Layer[],
  tree: ImageTree,
  { layers }: StepContext,
): Promise<Account> {
  const passwd = await layers.readText(parent, tree, 'etc/passwd');
  const group = await layers.readText(parent, tree, 'etc/group');
  return resolveUser(user, passwd, group);
}

function mountPoints(
  step: RunStep<BaseImage>,
  mounts: PreparedMounts,
): { readonly directories: readonly string[]; readonly files: readonly string[] } {
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

function operationsOf(
  step: RunStep<BaseImage>,
  mounts: PreparedMounts,
  { sandbox }: StepContext,
): readonly MountOperation[] {
  const script: MountOperation[] =
    step.script === undefined ? [] : [textFile(step.script.path, step.script.content, 0o755)];
  const inDev = [...mounts.operations, ...script]
    .filter(({ target }) => isBelowDev(target))
    .flatMap((operation) => mountPointInDev(operation, mounts));
  return [...rootMounts(sandbox), ...inDev, ...mounts.operations, ...script, ...maskMounts()];
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

function networkOf(step: RunStep<BaseImage>, { sandbox }: StepContext): string {
  return step.network === 'default' ? sandbox.network : step.network;
}

function processOf(
  step: RunStep<BaseImage>,
  mounts: PreparedMounts,
  { uid, gid, groups, home }: Account,
  { sandbox }: StepContext,
): ProcessSpec {
  const env = [...step.env, ...step.proxyEnv, ...mounts.env];
  if (!env.some((variable) => variable.startsWith('HOME='))) env.push(`HOME=${home}`);
  return {
    argv: step.argv,
    env,
    cwd: step.cwd,
    uid,
    gid,
    groups,
    capabilities: DEFAULT_CAPABILITIES,
    seccomp: DEFAULT_SECCOMP,
    limits: sandbox.ulimits.map(parseLimit),
  };
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

function stepFailed(step: RunStep<BaseImage>, exitCode: number, output: string): TsbuildError {
  return new TsbuildError('ERR_STEP_FAILED', {
    message: `process "${step.argv.join(' ')}" did not complete successfully: exit code: ${exitCode}`,
    details: { exitCode, output },
    location: step.location,
  });
}

/** The last bytes of a stream of output. */
class Tail {
  readonly #chunks: Uint8Array[] = [];
  #length = 0;

  add(data: Uint8Array): void {
    this.#chunks.push(data);
    this.#length += data.length;
    while (this.#length - (this.#chunks[0]?.length ?? 0) > OUTPUT_TAIL) {
      this.#length -= this.#chunks.shift()?.length ?? 0;
    }
  }

  text(): string {
    return Buffer.concat(this.#chunks).subarray(-OUTPUT_TAIL).toString('utf8');
  }
}
