/** Who builds: root, or users with fewer and fewer rights. Each has a home of its own, and leaves nothing. */

import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import {
  chmod,
  chown,
  cp,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { missing } from './missing.ts';
import { processesWith } from './sandbox.ts';

/** `confined`: an ordinary user to whom the kernel refuses user namespaces. */
export type AccountKind = 'root' | 'user' | 'confined';

/** What a program came to. */
export interface Outcome {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A program under way, in a process group of its own, as a terminal's foreground job has one. */
export interface Started {
  readonly pid: number;
  /** What it has written up to now. */
  readonly stdout: () => string;
  readonly stderr: () => string;
  readonly outcome: Promise<Outcome>;
}

export interface Account {
  readonly kind: AccountKind;
  readonly uid: number;
  /** A directory that belongs to it. */
  readonly home: string;
  /** A directory with `node` in it that it may read. */
  readonly nodeDirectory: string;
  /** What `tsbuild` runs, for a program that starts others. */
  readonly command: readonly string[];
  /** What root puts before a command to have it run as this account, in `env`. */
  readonly through: readonly string[];
  readonly env: Env;
  /** Runs a program as this account. Never rejects for its exit code. */
  readonly run: (program: string, args: readonly string[], env?: Env) => Promise<Outcome>;
  /** The same, to be watched while it runs. */
  readonly startProgram: (program: string, args: readonly string[], env?: Env) => Started;
  /** `tsbuild build …` by this account, on its own store. */
  readonly tsbuild: (args: readonly string[], env?: Env) => Promise<Outcome>;
  /** The same, to be sent signals while it runs. */
  readonly start: (args: readonly string[], env?: Env) => Started;
  /** Fails if a build has left a process, a mount or a temporary file. */
  readonly assertClean: () => Promise<void>;
  /** A copy of a folder of test/e2e/fixtures in its home. */
  readonly copyFixture: (name: string) => Promise<string>;
  /** Gives it what root has written below a path. */
  readonly own: (path: string) => Promise<void>;
  /** Removes the home. Fails if a build has left a process, a mount or a temporary file. */
  readonly close: () => Promise<void>;
}

const execute = promisify(execFile);

type Env = Readonly<Record<string, string>>;

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const FIXTURES = join(ROOT, 'test/e2e/fixtures');
const IDS = { root: 0, user: 4321, confined: 1000 } as const;
const STORE = 'store';

/** Why an account cannot be had here; undefined when it can. */
export function whyNoAccount(kind: AccountKind): string | undefined {
  if (process.getuid?.() !== 0) return 'needs root, to act as this and that user';
  if (kind === 'root') return undefined;
  return missing('setpriv', 'unshare', ...(kind === 'user' ? ['newuidmap', 'newgidmap'] : []));
}

export interface AccountOptions {
  /** Default: a user has sub-ids. */
  readonly subids?: boolean;
}

/** Runs `use` with an account, which is closed afterwards. */
export async function withAccount<T>(
  kind: AccountKind,
  use: (account: Account) => Promise<T>,
  options: AccountOptions = {},
): Promise<T> {
  const account = await openAccount(kind, options);
  try {
    return await use(account);
  } finally {
    await account.close();
  }
}

/** Opens an account; close it when done. */
export async function openAccount(
  kind: AccountKind,
  { subids = kind === 'user' }: AccountOptions = {},
): Promise<Account> {
  const home = await mkdtemp(join(tmpdir(), `tsbuild-${kind}-`));
  const id = IDS[kind];
  const temporary = join(home, 'tmp');
  await mkdir(temporary);
  for (const path of [home, temporary]) {
    await chmod(path, 0o755);
    await chown(path, id, id);
  }
  // A clone may be where others must not look: they see it, and Node, inside their home.
  const through = kind === 'root' ? [] : await entrance(kind, home, subids);
  const node = kind === 'root' ? process.execPath : join(home, 'bin/node');
  const cli = join(kind === 'root' ? ROOT : join(home, 'tsbuild'), 'dist/cli.js');
  const marker = `TSBUILD_TEST_HOME=${home}`;
  const own = {
    PATH: process.env['PATH'] ?? '',
    HOME: home,
    TMPDIR: temporary,
    XDG_CACHE_HOME: join(home, '.cache'),
    TSBUILD_STORE: join(home, STORE),
    TSBUILD_TEST_HOME: home,
  };
  const start = (program: string, args: readonly string[], env: Env = {}): Started =>
    startProgram([...through, program, ...args], { ...own, ...env });
  const build: Account['start'] = (args, env) =>
    start(node, [cli, 'build', '--progress=plain', ...args], env);
  const assertClean = async (): Promise<void> => {
    assert.deepEqual(await processesWith(marker), [], 'a process was left');
    assert.deepEqual(await mountsBelow(home), [], 'a mount was left');
    assert.deepEqual(await readdir(temporary), [], 'a temporary file was left');
    const scratch = join(home, STORE, 'v1/tmp');
    assert.deepEqual(await readdir(scratch).catch(() => []), [], 'scratch was left');
  };
  return {
    kind,
    uid: id,
    home,
    nodeDirectory: dirname(node),
    command: [node, cli, 'build', '--progress=plain'],
    through,
    env: own,
    run: async (program, args, env) => await start(program, args, env).outcome,
    startProgram: start,
    tsbuild: async (args, env) => await build(args, env).outcome,
    start: build,
    assertClean,
    copyFixture: async (name) => {
      const copy = join(home, name);
      await cp(join(FIXTURES, name), copy, { recursive: true });
      return copy;
    },
    own: async (path) => {
      await execute('chown', ['-hR', `${id}:${id}`, path]);
    },
    close: async () => {
      try {
        await assertClean();
      } finally {
        await rm(home, { recursive: true, force: true });
      }
    },
  };
}

/** The command line that makes an ordinary user of root, in a mount namespace of its own. */
async function entrance(
  kind: Exclude<AccountKind, 'root'>,
  home: string,
  hasSubids: boolean,
): Promise<readonly string[]> {
  const id = IDS[kind];
  const files = await mkdtemp(join(home, 'etc-'));
  await chmod(files, 0o755);
  await mkdir(join(home, 'tsbuild'));
  await mkdir(join(home, 'bin'));
  await writeFile(join(home, 'bin/node'), '');
  const users = `root:x:0:0::/root:/bin/sh\ntester:x:${id}:${id}::${home}:/bin/sh\n`;
  await writeFile(join(files, 'passwd'), users);
  await writeFile(join(files, 'subids'), hasSubids ? 'tester:700000:65536\n' : '');
  const subids = ['subuid', 'subgid'].map((name) => `mount --bind ${files}/subids /etc/${name}`);
  const script = [
    `mount --bind '${ROOT}' ${home}/tsbuild`,
    `mount --bind '${process.execPath}' ${home}/bin/node`,
    `mount --bind ${files}/passwd /etc/passwd`,
    ...subids,
    `exec setpriv --reuid=${id} --regid=${id} --clear-groups ${kind === 'confined' ? CONFINE : ''} "$@"`,
  ];
  const arguments_ = ['--mount', '--propagation', 'private', 'sh', '-c', script.join(' && '), 'sh'];
  return ['unshare', ...arguments_];
}

/**
 * A user namespace in which no other can be made. Its limit is its own: nothing else on the machine
 * notices. Who may set it (`--keep-caps`) must not stay so powerful.
 */
const CONFINE =
  `unshare --user --map-user=${IDS.confined} --map-group=${IDS.confined} --keep-caps sh -c ` +
  `'echo 0 > /proc/sys/user/max_user_namespaces && exec setpriv --ambient-caps=-all --inh-caps=-all "$@"' sh`;

function startProgram(command: readonly string[], env: Env): Started {
  const [program = '', ...args] = command;
  const child = spawn(program, args, {
    env: { ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  const said = { stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => (said.stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (said.stderr += text));
  const outcome = new Promise<Outcome>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, ...said }));
  });
  return { pid: child.pid ?? 0, stdout: () => said.stdout, stderr: () => said.stderr, outcome };
}

async function mountsBelow(folder: string): Promise<readonly string[]> {
  const mounts = await readFile('/proc/self/mounts', 'utf8');
  return mounts.split('\n').filter((line) => line.includes(`${folder}/`));
}
