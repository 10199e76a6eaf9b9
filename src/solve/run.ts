/** Step kind: RUN. The only one that needs a root filesystem: overlay, sandbox, scan (design.md §2, §7). */

import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Helper, RunRequest } from '../../native/index.ts';
import { TsbuildError } from '../errors.ts';
import type { RunStep } from '../plan/step.ts';
import type { BaseImage, Layer } from './layer.ts';
import { prepareDevices } from './device-edits.ts';
import { KILLED_UNSEEN, limitHit } from './limits.ts';
import { OutputMask } from './mask-output.ts';
import { OutputTail } from './output-tail.ts';
import { overlayStack } from './overlay-stack.ts';
import type { PreparedMount, PreparedMounts } from './prepared-mounts.ts';
import { HOSTNAME, parseHost } from './root-mounts.ts';
import { publishWritten } from './run-layer.ts';
import { mountInputs, prepareMounts } from './run-mounts.ts';
import { mountPoints, operationsOf } from './run-operations.ts';
import { processOf } from './run-process.ts';
import {
  asksTunnel,
  findTunnel,
  HOST_NETWORK_NOTE,
  namespaceOf,
  resolvConfFor,
} from './run-network.ts';
import type { Executed, StepContext, StepRunner } from './step-context.ts';
import { StepTimeout } from './step-timeout.ts';
import { stubLayer } from './stubs.ts';

/** What a RUN writes, as it comes. */
export type OutputSink = (stream: 'stdout' | 'stderr', data: Uint8Array) => void;

/** Keys and executes one RUN on top of a parent. */
export function runRunner(
  step: RunStep<BaseImage>,
  parent: readonly Layer[],
  context: StepContext,
  onOutput: OutputSink,
): StepRunner {
  return {
    inputs: async () => {
      const { argv, env, cwd, user, network, security, hostname, script, platform } = step;
      // As written (CR-2): what they come to is the machine's affair, as with the network.
      const devices = step.devices.length === 0 ? undefined : step.devices;
      const mounts = await mountInputs(step, context);
      const machine = machineInputs(context);
      const common = { argv, env, cwd, user, network, security, hostname, script, platform };
      return { ...common, devices, mounts, ...machine };
    },
    execute: async () => {
      await context.beforeExecution();
      return await context.runs.run(() => execute(step, parent, context, onOutput), context.signal);
    },
  };
}

/** What the caller's flags say of the machine, in whatever order; hosts without addresses (CR-2, CR-3). */
function machineInputs({ sandbox }: StepContext): Readonly<Record<string, unknown>> {
  const { addHosts, shmSize, cgroup, hostDevices } = sandbox;
  // Of one that is given twice the last is set last.
  const limits = new Map(sandbox.ulimits.map((text) => [text.split('=')[0], text]));
  return {
    shmSize,
    cgroupParent: cgroup?.parent,
    hostDevices: hostDevices.length === 0 ? undefined : [...new Set(hostDevices)].sort(),
    ulimits: [...limits.values()].sort(),
    hosts: [...new Set(addHosts.map((host) => parseHost(host).name))].sort(),
  };
}

/**
 * 1. Unpack the parent's layers. 2. Prepare mounts, and a layer with the mount points that are missing.
 * 3. Run. 4. What was written is the step's layer, and its directory at once.
 */
async function execute(
  step: RunStep<BaseImage>,
  parent: readonly Layer[],
  context: StepContext,
  onOutput: OutputSink,
): Promise<Executed> {
  const { layers, helpers } = context;
  const { helper, rung } = await helpers.sandbox();
  const tree = await layers.tree(parent, { directories: true });
  const seen = parent.slice(tree.lowest);
  const directories = await Promise.all(seen.map((layer) => layers.directory(layer)));
  const command = await processOf(step, parent, tree, context);
  const devices = await prepareDevices(step, command, context);
  const mounts = withDevices(devices, await prepareMounts(step, context));
  const wrapper = layers.temporary('run');
  const scratch = layers.temporary('scratch');
  let kept = false;
  try {
    const stubs = await stubLayer(parent, mountPoints(mounts), context);
    const [upper, work, root] = [join(wrapper, 'fs'), join(scratch, 'work'), join(scratch, 'root')];
    for (const directory of [upper, work, root]) await mkdir(directory, { recursive: true });
    await runCommand(
      {
        verb: 'run',
        layers: overlayStack(stubs === undefined ? directories : [...directories, stubs]),
        upper,
        work,
        root,
        mounts: operationsOf(step, mounts, context),
        hostname: step.hostname ?? HOSTNAME,
        ...(await networkFor(step, scratch, context)),
        cgroup: context.sandbox.cgroup,
        // Elsewhere nobody makes nodes, and the kernel opens none.
        ...(rung === 'root' && { deviceNodes: step.security === 'insecure' ? 'any' : 'listed' }),
        process: {
          ...command,
          env: withSecrets(command.env, mounts.env),
          groups: [...command.groups, ...devices.groups],
        },
      },
      { step, helper, context, onOutput },
    );
    const layer = await publishWritten(wrapper, context);
    kept = true;
    return { layer, cached: false };
  } finally {
    await mounts.release();
    const paths = [scratch, ...(kept ? [] : [wrapper])];
    const { signal } = new AbortController(); // Also after an abort: what is left here is nobody's.
    // What cannot be removed now goes with the workspace; the first failure is the one to tell.
    await helper.remove({ verb: 'remove', paths }, { signal }).catch(() => undefined);
  }
}

/** Devices come first: a `--mount` may lie on top of one. */
function withDevices(devices: PreparedMount, mounts: PreparedMounts): PreparedMounts {
  return {
    operations: [...(devices.operations ?? []), ...mounts.operations],
    env: [...(devices.env ?? []), ...mounts.env],
    directories: [...(devices.directories ?? []), ...mounts.directories],
    files: [...(devices.files ?? []), ...mounts.files],
    release: mounts.release,
  };
}

/** A secret's variable goes before any other of its name: to have two is to have either. */
function withSecrets(env: readonly string[], secrets: readonly string[]): readonly string[] {
  const nameOf = (variable: string): string => variable.slice(0, variable.indexOf('='));
  const names = new Set(secrets.map(nameOf));
  return [...env.filter((variable) => !names.has(nameOf(variable))), ...secrets];
}

interface CommandOptions {
  readonly step: RunStep<BaseImage>;
  readonly helper: Helper;
  readonly context: StepContext;
  readonly onOutput: OutputSink;
}

/** Where the network namespace is, and what connects it. */
async function networkFor(
  { network }: RunStep<BaseImage>,
  scratch: string,
  { sandbox, tell }: StepContext,
): Promise<Pick<RunRequest, 'network' | 'connection'>> {
  if (network === 'default') tell(HOST_NETWORK_NOTE);
  if (network !== 'private') return { network: namespaceOf(network) };
  const hostLoopback = sandbox.addHosts.some((host) => /[:=]host-gateway$/.test(host));
  const place = join(scratch, 'network');
  const resolver = asksTunnel(resolvConfFor(network, sandbox.resolver, sandbox.dns));
  return { network, connection: { ...(await findTunnel()), place, hostLoopback, resolver } };
}

/** @throws ERR_STEP_FAILED, ERR_STEP_TIMEOUT, with the last output */
async function runCommand(
  request: RunRequest,
  { step, helper, context, onOutput }: CommandOptions,
): Promise<void> {
  const tail = new OutputTail();
  const secrets = context.guard.secrets.map(({ bytes }) => bytes);
  const mask = new OutputMask(secrets, (stream, data) => {
    tail.add(data);
    onOutput(stream, data);
  });
  const limit = new StepTimeout(context.sandbox.timeout, context.signal);
  try {
    const reply = await helper
      .run(request, {
        signal: limit.signal,
        onOutput: (stream, data) => mask.write(stream, data),
      })
      .finally(() => mask.end());
    // A pipe's end may be all that the shell looks at.
    if (reply.exitCode === 0 && (reply.oomKills ?? 0) > 0) context.tell(KILLED_UNSEEN);
    if (reply.exitCode !== 0) {
      throw stepFailed(step, reply.exitCode, {
        output: tail.text(),
        why: limitHit(reply, request.cgroup),
      });
    }
  } catch (error) {
    throw limit.isOver(error) ? limit.failure(step, tail.text()) : error;
  } finally {
    limit.clear();
  }
}

function stepFailed(
  step: RunStep<BaseImage>,
  exitCode: number,
  { output, why }: { readonly output: string; readonly why: string | undefined },
): TsbuildError {
  return new TsbuildError('ERR_STEP_FAILED', {
    message: `process "${step.argv.join(' ')}" did not complete successfully: exit code: ${exitCode}${why === undefined ? '' : `: ${why}`}`,
    details: { exitCode, output },
    location: step.location,
  });
}
