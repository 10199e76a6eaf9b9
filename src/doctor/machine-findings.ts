/** Kernel, Node, git, tools for networks, cgroups: what a machine brings along. */

import { access, constants, readFile } from 'node:fs/promises';
import { arch } from 'node:os';
import { join } from 'node:path';
import { hasProgram, runGit } from '../context/git-process.ts';
import type { Facts } from '../solve/facts.ts';
import type { Machine } from '../solve/rungs.ts';
import type { Finding } from './finding.ts';

export interface MachineOptions {
  readonly facts: Facts;
  readonly machine: Machine;
  readonly signal: AbortSignal;
}

export async function machineFindings(options: MachineOptions): Promise<readonly Finding[]> {
  return [
    kernel(options),
    node(),
    ...(await Promise.all([cgroups(options), git(options.signal), lfs(), tunnel(options)])),
  ];
}

function kernel({ facts, machine }: MachineOptions): Finding {
  const { container, hasSeccomp, noNewPrivs, isChroot } = facts;
  const about = [
    `user "${machine.user}" (${machine.uid})`,
    ...(container === undefined ? [] : [`in a container (${container})`]),
    ...(hasSeccomp ? ['seccomp filter'] : []),
    ...(noNewPrivs ? ['no_new_privs'] : []),
    ...(isChroot ? ['in a chroot'] : []),
  ];
  return {
    id: 'kernel',
    group: 'machine',
    status: 'ok',
    text: `Linux ${facts.kernel} on ${arch()}, ${about.join(', ')}`,
    details: {
      release: facts.kernel,
      uid: machine.uid,
      gid: machine.gid,
      user: machine.user,
      container: container ?? null,
      seccomp: hasSeccomp,
      noNewPrivs,
      chroot: isChroot,
      'kernel.unprivileged_userns_clone': facts.unprivilegedUserns ?? null,
      'kernel.apparmor_restrict_unprivileged_userns': facts.apparmorUserns ?? null,
      'user.max_user_namespaces': facts.maxUserns ?? null,
      newuidmap: facts.newuidmap?.path ?? null,
      newgidmap: facts.newgidmap?.path ?? null,
    },
  };
}

function node(): Finding {
  const { node: version } = process.versions;
  const base = {
    id: 'node',
    group: 'machine',
    text: `Node ${version}`,
    details: { version },
  } as const;
  if (isSupported(version)) return { ...base, status: 'ok' };
  return { ...base, status: 'warn', fix: 'Node 24.15 or newer, or 22.22.2 or newer of 22' };
}

/** `engines` of package.json, which is not there in what is installed as one file. */
function isSupported(version: string): boolean {
  const [major = 0, minor = 0, patch = 0] = version.split('.').map(Number);
  if (major === 22) return minor > 22 || (minor === 22 && patch >= 2);
  return major === 24 ? minor >= 15 : major >= 26;
}

async function git(signal: AbortSignal): Promise<Finding> {
  const base = { id: 'git', group: 'machine' } as const;
  const { isMissing, stdout } = await runGit({ args: ['version'], signal });
  const version = /\d+\.\d+(?:\.\d+)?/.exec(stdout)?.[0];
  if (isMissing || version === undefined) {
    const text = 'no git: contexts and ADD of git repositories do not work';
    return { ...base, status: 'info', text, fix: 'install the package "git"' };
  }
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const details = { version };
  if (major * 1000 + minor >= 2032)
    return { ...base, status: 'ok', text: `git ${version}`, details };
  return {
    ...base,
    status: 'warn',
    text: `git ${version} is too old`,
    fix: 'git 2.32 or newer',
    details,
  };
}

async function lfs(): Promise<Finding> {
  const isThere = await hasProgram('git-lfs');
  const text = isThere ? 'git-lfs' : 'no git-lfs: files in Git LFS stay pointers';
  return { id: 'git-lfs', group: 'machine', status: isThere ? 'ok' : 'info', text };
}

/** NET: what a network of a RUN's own needs. */
async function tunnel({ facts }: MachineOptions): Promise<Finding> {
  const base = { id: 'tunnel', group: 'machine' } as const;
  for (const name of ['pasta', 'slirp4netns']) {
    if (!(await hasProgram(name))) continue;
    return {
      ...base,
      status: 'ok',
      text: `${name}, for a network of a RUN's own`,
      details: { name },
    };
  }
  return {
    ...base,
    status: 'info',
    text: "no pasta, no slirp4netns: no network of a RUN's own",
    fix: facts.systems.includes('debian')
      ? 'sudo apt-get install passt'
      : 'install the package "passt"',
  };
}

const CONTROLLERS = ['cpu', 'memory', 'pids'];

/** Where limits of RUN could be set: controllers that are there and that we may use. */
async function cgroups({ machine }: MachineOptions): Promise<Finding> {
  const own = (await readFile('/proc/self/cgroup', 'utf8').catch(() => '')).split('\n');
  const unified = own.find((line) => line.startsWith('0::'))?.slice(3) ?? '/';
  const folder = join('/sys/fs/cgroup', unified);
  const offered = await readFile(join(folder, 'cgroup.controllers'), 'utf8').catch(() => undefined);
  const version = offered === undefined ? 1 : 2;
  const usable: string[] = [];
  for (const name of CONTROLLERS) {
    const path = version === 1 ? placeOf(name, own) : folder;
    const isThere = version === 1 || (offered ?? '').split(/\s/).includes(name);
    if (isThere && (await isWritable(path))) usable.push(name);
  }
  const missing = CONTROLLERS.filter((name) => !usable.includes(name));
  const base = { id: 'cgroups', group: 'machine', details: { version, usable } } as const;
  if (missing.length === 0) {
    return { ...base, status: 'ok', text: `cgroup v${version}: limits of ${usable.join(', ')}` };
  }
  return {
    ...base,
    status: 'info',
    text: `cgroup v${version}: no limits of ${missing.join(', ')} for RUN`,
    fix:
      version === 2 && machine.uid !== 0
        ? 'systemd-run --user --scope -p Delegate=yes tsbuild …'
        : 'build as root, with /sys/fs/cgroup writable',
  };
}

/** A controller of version 1 has a tree of its own. */
function placeOf(controller: string, own: readonly string[]): string {
  const line = own.find((each) => each.split(':')[1]?.split(',').includes(controller));
  return join('/sys/fs/cgroup', controller, line?.split(':').slice(2).join(':') ?? '/');
}

async function isWritable(path: string): Promise<boolean> {
  return await access(join(path, 'cgroup.procs'), constants.W_OK)
    .then(() => access(path, constants.W_OK))
    .then(
      () => true,
      () => false,
    );
}
