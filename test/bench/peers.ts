/** The builders that are compared: how each is started, emptied and asked for the same thing. */

import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { Command } from './measure.ts';

const run = promisify(execFile);

/** A builder that can be asked for builds until it is closed. */
export interface Peer {
  readonly name: string;
  /** What a reader of the table must know. */
  readonly note: string;
  /** The commands of one build: a context with its Dockerfile in, an image at `output` out. */
  readonly commands: (context: string, output: string) => readonly Command[];
  /** As if it had never built anything. */
  readonly reset: () => Promise<void>;
  /** A process that works for it and is not started by its commands. */
  readonly daemon?: number;
  readonly close: () => Promise<void>;
}

/** Why a builder cannot take part. */
export interface Absence {
  readonly name: string;
  readonly reason: string;
}

/** Starts the named ones, each with its data in a folder of its own below `folder`. */
export async function startPeers(
  names: readonly string[],
  folder: string,
): Promise<readonly (Peer | Absence)[]> {
  const makers = { tsbuild: startTsbuild, buildah: startBuildah, docker: startDocker };
  const peers: (Peer | Absence)[] = [];
  for (const [name, make] of Object.entries(makers)) {
    if (name !== 'tsbuild' && !names.includes(name)) continue;
    const own = join(folder, name);
    await mkdir(own, { recursive: true });
    try {
      peers.push(await make(own));
    } catch (error) {
      const [reason = ''] = (error instanceof Error ? error.message : String(error)).split('\n');
      peers.push({ name, reason });
    }
  }
  return peers;
}

async function startTsbuild(folder: string): Promise<Peer> {
  const store = join(folder, 'store');
  return {
    name: 'tsbuild',
    note: 'no daemon; an own store, an OCI layout',
    commands: (context, output) => [
      {
        program: process.execPath,
        args: ['dist/cli.js', 'build', '-o', `type=oci,tar=false,dest=${output}`, context],
        env: { TSBUILD_STORE: store },
      },
    ],
    reset: () => rm(store, { recursive: true, force: true }),
    close: async () => undefined,
  };
}

async function startBuildah(folder: string): Promise<Peer> {
  const version = await versionOf('buildah', ['--version']);
  const root = join(folder, 'root');
  const storage = ['--root', root, '--runroot', join(folder, 'run')];
  const driver = await run('buildah', [
    ...storage,
    'info',
    '--format',
    '{{.store.GraphDriverName}}',
  ]);
  // crun refuses cgroups of both versions side by side; without a runtime Buildah is not slower.
  const isolation = existsSync('/sys/fs/cgroup/unified') ? 'chroot' : 'oci';
  const flags = ['--layers', '--tls-verify=false', `--isolation=${isolation}`];
  const reset = async (): Promise<void> => {
    await run('buildah', [...storage, 'rm', '--all']);
    await run('buildah', [...storage, 'rmi', '--all', '--force']);
  };
  return {
    name: 'buildah',
    note: `${version}, storage driver ${driver.stdout.trim()}, isolation ${isolation}; build --layers, then push to an OCI layout`,
    commands: (context, output) => [
      {
        program: 'buildah',
        args: [...storage, 'build', ...flags, '-t', 'bench', context],
      },
      { program: 'buildah', args: [...storage, 'push', '-q', 'bench', `oci:${output}`] },
    ],
    reset,
    close: () => removeAll(folder),
  };
}

/** BuildKit as it comes in Debian's dockerd, started by hand with its own data. */
async function startDocker(folder: string): Promise<Peer> {
  const client = await findDockerClient();
  const version = await versionOf('dockerd', ['--version']);
  const host = `unix://${join(folder, 'socket')}`;
  const daemon = spawn(
    'dockerd',
    [
      '--data-root',
      join(folder, 'data'),
      '--exec-root',
      join(folder, 'exec'),
      '--host',
      host,
      '--pidfile',
      join(folder, 'pid'),
      '--bridge=none',
      '--iptables=false',
      '--insecure-registry=127.0.0.0/8',
    ],
    { stdio: 'ignore' },
  );
  const ended = once(daemon, 'exit');
  const env = { DOCKER_HOST: host, DOCKER_BUILDKIT: '1' };
  const docker = (...args: string[]) => run(client, args, { env: { ...process.env, ...env } });
  const close = async (): Promise<void> => {
    daemon.kill();
    await ended;
    await removeAll(folder);
  };
  try {
    await waitFor(
      () => docker('version'),
      () => daemon.exitCode !== null,
    );
  } catch {
    await close();
    throw new Error('dockerd does not come up here (it needs root and iptables or cgroups)');
  }
  return {
    name: 'docker',
    note: `BuildKit inside ${version}, daemon running; build, then "docker save" (not compressed: it has no OCI export)`,
    commands: (context, output) => [
      { program: client, args: ['build', '--network=host', '-t', 'bench', context], env },
      { program: client, args: ['save', 'bench', '-o', output], env },
    ],
    reset: async () => {
      await docker('image', 'prune', '--all', '--force');
      await docker('builder', 'prune', '--all', '--force');
    },
    ...(daemon.pid === undefined ? {} : { daemon: daemon.pid }),
    close,
  };
}

/** A client that reaches BuildKit: one before 23, or one with the buildx plugin. */
async function findDockerClient(): Promise<string> {
  const candidates = ['docker', '/usr/bin/docker'].filter((c) => c === 'docker' || existsSync(c));
  for (const candidate of candidates) {
    const version = await versionOf(candidate, ['--version']).catch(() => '');
    if (Number(/\d+/.exec(version)?.[0] ?? 99) < 23) return candidate;
    const hasBuildx = await run(candidate, ['buildx', 'version']).then(
      () => true,
      () => false,
    );
    if (hasBuildx) return candidate;
  }
  throw new Error('no docker client that reaches BuildKit (one before 23, or with buildx)');
}

/** A builder's data with the mounts it has left there. */
async function removeAll(folder: string): Promise<void> {
  const mounts = (await readFile('/proc/self/mounts', 'utf8'))
    .split('\n')
    .map((line) => line.split(' ')[1] ?? '')
    .filter((path) => path.startsWith(`${folder}/`));
  for (const path of mounts.toReversed()) await run('umount', [path]);
  await rm(folder, { recursive: true, force: true });
}

async function versionOf(program: string, args: readonly string[]): Promise<string> {
  const { stdout } = await run(program, args);
  return stdout.split(/[,(]/)[0]?.trim() ?? program;
}

async function waitFor(probe: () => Promise<unknown>, hasEnded: () => boolean): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    try {
      await probe();
      return;
    } catch (error) {
      if (attempt > 100 || hasEnded()) throw error;
      await sleep(100);
    }
  }
}
