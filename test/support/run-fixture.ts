/** A helper in a mode, with busybox as its lowest layer, for tests that run commands. */

import { chmod, chown, copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { MountOperation, ProcessSpec, RunRequest } from '../../native/protocol.ts';
import { DEFAULT_CAPABILITIES } from '../../src/solve/capabilities.ts';
import { busyboxLayer, HELPER, type RunOutcome, startHelper, type TestHelper } from './sandbox.ts';

const execute = promisify(execFile);

export type TestMode = 'root' | 'subids' | 'single';

/** An ordinary user that exists nowhere else; its sub-ids are in files mounted over the system's. */
const USER = 4321;
const MAPS = {
  root: undefined,
  subids: [`0:${USER}:1,1:700000:65536`, `0:${USER}:1,1:700000:65536`],
  single: [`0:${USER}:1`, `0:${USER}:1`],
} as const;

export interface RunFixture {
  readonly directory: string;
  readonly layer: string;
  readonly helper: TestHelper;
  /** Of the last request. */
  readonly upper: () => string;
  readonly request: (
    command: string | readonly string[],
    changes?: RequestChanges,
  ) => Promise<RunRequest>;
  readonly sh: (command: string, changes?: RequestChanges) => Promise<RunOutcome>;
  readonly close: () => Promise<void>;
}

export interface RequestChanges {
  readonly layers?: readonly string[];
  readonly mounts?: readonly MountOperation[];
  readonly network?: 'host' | 'none';
  readonly deviceNodes?: 'listed' | 'any';
  readonly process?: Partial<ProcessSpec>;
}

/** Why a mode cannot be tested here; undefined when it can. */
export function whyNot(mode: TestMode): string | undefined {
  if (process.getuid?.() !== 0) return 'needs root, to act as this and that user';
  if (!existsSync('/bin/busybox')) return 'needs /bin/busybox, static';
  if (mode === 'root') return undefined;
  if (!existsSync('/usr/bin/setpriv')) return 'needs setpriv';
  if (!existsSync('/etc/subuid') || !existsSync('/etc/subgid'))
    return 'needs /etc/subuid and subgid';
  if (mode === 'subids' && !existsSync('/usr/bin/newuidmap')) return 'needs newuidmap';
  return undefined;
}

/** `name`, with the reason why it is skipped. */
export const PROC_AND_DEV: readonly MountOperation[] = [
  { kind: 'proc', target: '/proc' },
  { kind: 'tmpfs', target: '/dev', mode: 0o755, readonly: false, flags: ['nosuid'] },
  { kind: 'device', name: 'null', target: '/dev/null' },
];

/** Starts the helper as root, or as an ordinary user who owns the directory. */
export async function startFixture(mode: TestMode): Promise<RunFixture> {
  const directory = await mkdtemp(join(tmpdir(), 'tsbuild-run-'));
  await chmod(directory, 0o755);
  const layer = await busyboxLayer(join(directory, 'layer'));
  const scratch = join(directory, 'scratch');
  await mkdir(scratch);
  const binary = join(directory, 'tsbuild-helper');
  await copyFile(HELPER, binary);
  await chmod(binary, 0o755);
  const owner = mode === 'root' ? 0 : USER;
  if (owner !== 0) await execute('chown', ['-hR', `${owner}:${owner}`, layer, scratch]);
  const maps = MAPS[mode];
  const helper = startHelper({
    mode,
    scratch,
    binary,
    ...(maps !== undefined && { maps }),
    through: owner === 0 ? [] : await asUser(directory),
  });
  let count = 0;
  const request: RunFixture['request'] = async (command, changes = {}) => {
    count++;
    const [upper, work, root] = ['upper', 'work', 'root'].map((name) =>
      join(scratch, `${name}-${count}`),
    ) as [string, string, string];
    for (const path of [upper, work, root]) {
      await mkdir(path, { mode: 0o755 });
      await chown(path, owner, owner);
    }
    return {
      verb: 'run',
      layers: [layer],
      upper,
      work,
      root,
      mounts: PROC_AND_DEV,
      hostname: 'box',
      network: 'host',
      ...changes,
      process: {
        argv: typeof command === 'string' ? ['sh', '-c', command] : command,
        env: ['PATH=/bin'],
        cwd: '/',
        uid: 0,
        gid: 0,
        groups: [],
        capabilities: DEFAULT_CAPABILITIES,
        limits: [],
        ...changes.process,
      },
    };
  };
  return {
    directory,
    layer,
    helper,
    upper: () => join(scratch, `upper-${count}`),
    request,
    sh: async (command, changes) => await helper.run(await request(command, changes)),
    close: async () => {
      await helper.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** Lets nothing of the system's user database be changed: its files are mounted over, for the helper alone. */
async function asUser(directory: string): Promise<readonly string[]> {
  await writeFile(
    join(directory, 'passwd'),
    `root:x:0:0::/:/bin/sh\ntester:x:${USER}:${USER}::/:/bin/sh\n`,
  );
  await writeFile(join(directory, 'subids'), 'tester:700000:65536\n');
  const script = [
    `mount --bind ${directory}/passwd /etc/passwd`,
    `mount --bind ${directory}/subids /etc/subuid`,
    `mount --bind ${directory}/subids /etc/subgid`,
    `exec setpriv --reuid=${USER} --regid=${USER} --clear-groups "$@"`,
  ].join(' && ');
  return ['unshare', '--mount', '--propagation', 'private', 'sh', '-c', script, 'sh'];
}
