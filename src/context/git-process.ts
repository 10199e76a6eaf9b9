/**
 * Runs the system's git: no shell, no configuration but ours, nobody to ask, and no code that a
 * repository brings along. Secrets go by environment, which only the same user can read.
 */

import type { ChildProcess } from 'node:child_process';

export interface GitCommand {
  readonly args: readonly string[];
  /** Settings of git, e.g. `http.extraHeader`: after ours, so they win. */
  readonly config?: readonly (readonly [key: string, value: string])[];
  readonly gitDirectory?: string;
  readonly workTree?: string;
  /** The index file, where it is not the repository's. */
  readonly index?: string;
  /** Where a host key seen for the first time is remembered. */
  readonly knownHosts?: string;
  /** Local repositories may be fetched from. Default: https, http, git and ssh alone. */
  readonly isLocal?: boolean;
  readonly signal: AbortSignal;
}

/** How git ended. `exitCode` is undefined when it could not be started, or was killed. */
export interface GitResult {
  readonly exitCode: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
  readonly isMissing: boolean;
}

/** What git may know of our environment: how to find programs, the network and the user's keys. */
const PASSED_ON = [
  ...['PATH', 'TMPDIR', 'SSH_AUTH_SOCK', 'SSL_CERT_FILE', 'SSL_CERT_DIR'],
  ...['CURL_CA_BUNDLE', 'GIT_SSL_CAINFO', 'GIT_SSL_CAPATH'],
  ...['HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY', 'ALL_PROXY'],
  ...['http_proxy', 'https_proxy', 'no_proxy', 'all_proxy'],
];

const CONFIG: readonly (readonly [string, string])[] = [
  // Nothing of a repository or a user may start a program.
  ['core.hooksPath', '/dev/null'],
  ['core.fsmonitor', 'false'],
  ['core.attributesFile', '/dev/null'],
  ['core.askPass', ''],
  ['credential.helper', ''],
  ['init.templateDir', ''],
  ['safe.directory', '*'],
  // One process after the other, and none in the background.
  ['gc.auto', '0'],
  ['maintenance.auto', 'false'],
  ['fetch.recurseSubmodules', 'false'],
  ['submodule.recurse', 'false'],
  // The same files whatever the machine is set to.
  ['core.autocrlf', 'false'],
  ['core.eol', 'lf'],
  ['core.fileMode', 'true'],
  ['core.symlinks', 'true'],
  ['core.logAllRefUpdates', 'false'],
  ['init.defaultBranch', 'master'],
  ['fetch.unpackLimit', '1'],
  // A server that has stopped talking, in bytes and seconds.
  ['http.lowSpeedLimit', '1'],
  ['http.lowSpeedTime', '60'],
];

/** Resolves when git and everything it started are gone; with the signal's reason when told to stop. */
export async function runGit(command: GitCommand): Promise<GitResult> {
  const { signal } = command;
  const { spawn } = await import('node:child_process');
  // Not before the import: whoever aborts during it is not heard by the listener below.
  signal.throwIfAborted();
  const places = [
    ...(command.gitDirectory === undefined ? [] : [`--git-dir=${command.gitDirectory}`]),
    ...(command.workTree === undefined ? [] : [`--work-tree=${command.workTree}`]),
  ];
  const child = spawn('git', [...places, ...command.args], {
    // A group of its own, to be ended as one; and no terminal that ssh could ask on.
    detached: true,
    cwd: command.workTree ?? '/',
    env: environmentOf(command),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const stop = (): void => endGroup(child);
  signal.addEventListener('abort', stop, { once: true });
  try {
    const result = await outputOf(child);
    signal.throwIfAborted();
    return result;
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

/** Whether a program is there for git to use. */
export async function hasProgram(name: string): Promise<boolean> {
  const { access, constants } = await import('node:fs/promises');
  for (const directory of (process.env['PATH'] ?? '').split(':')) {
    const isThere = await access(`${directory || '.'}/${name}`, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (isThere) return true;
  }
  return false;
}

/** Whether there is an agent to ask for ssh keys. */
export function hasSshAgent(): boolean {
  return (process.env['SSH_AUTH_SOCK'] ?? '') !== '';
}

function environmentOf(command: GitCommand): Record<string, string> {
  const environment: Record<string, string> = {
    LC_ALL: 'C',
    HOME: '/dev/null',
    GIT_TERMINAL_PROMPT: '0',
    GIT_CONFIG_NOSYSTEM: '1',
    GIT_CONFIG_GLOBAL: '/dev/null',
    GIT_ATTR_NOSYSTEM: '1',
    GIT_ALLOW_PROTOCOL: command.isLocal === true ? 'file' : 'https:http:git:ssh',
    GIT_SSH_COMMAND: sshCommand(command.knownHosts),
  };
  for (const name of PASSED_ON) {
    const value = process.env[name];
    if (value !== undefined) environment[name] = value;
  }
  if (command.index !== undefined) environment['GIT_INDEX_FILE'] = command.index;
  const config = [...CONFIG, ...(command.config ?? [])];
  environment['GIT_CONFIG_COUNT'] = String(config.length);
  for (const [number, [key, value]] of config.entries()) {
    environment[`GIT_CONFIG_KEY_${number}`] = key;
    environment[`GIT_CONFIG_VALUE_${number}`] = value;
  }
  return environment;
}

/**
 * The user's agent, keys and known hosts, but not their ssh configuration. A host seen for the first
 * time is believed, as BuildKit does; one whose key has changed since is not.
 */
function sshCommand(knownHosts: string | undefined): string {
  const files = [...(knownHosts === undefined ? [] : [knownHosts]), '~/.ssh/known_hosts'];
  // ssh splits this option's value at blanks, and takes quotes away.
  const list = files.map((file) => (file.startsWith('~') ? file : `"${file}"`)).join(' ');
  const options = [
    ...['BatchMode=yes', 'StrictHostKeyChecking=accept-new', `UserKnownHostsFile=${list}`],
    ...['ConnectTimeout=30', 'ServerAliveInterval=15', 'ServerAliveCountMax=4'],
  ];
  return ['ssh -F /dev/null', ...options.map((option) => `-o ${quote(option)}`)].join(' ');
}

/** git has a shell split this one setting: as one word of it. */
function quote(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}

/** "close" comes when nobody holds the pipes any more: git's children have ended, too. */
function outputOf(child: ChildProcess): Promise<GitResult> {
  return new Promise((resolve) => {
    let stdout = '';
    let stderr = '';
    let isMissing = false;
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
    });
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      stderr = `${stderr}${text}`.slice(-MAX_STDERR);
    });
    child.on('error', (error: NodeJS.ErrnoException) => {
      isMissing = error.code === 'ENOENT';
      stderr ||= error.message;
    });
    // Whoever is left when git itself has ended serves nobody.
    child.on('exit', () => endGroup(child));
    child.on('close', (code) => {
      const exitCode = code === null || code < 0 ? undefined : code;
      resolve({ exitCode, stdout, stderr, isMissing });
    });
  });
}

const MAX_STDERR = 16 * 1024;

function endGroup({ pid }: ChildProcess): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // The group is gone.
  }
}
