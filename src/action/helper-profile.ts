/**
 * Ubuntu since 23.10 gives rights in a user namespace only to programs that an AppArmor profile names, and GitHub's
 * `ubuntu-24.04` is one. While a step runs, the helper has such a profile; no setting of the machine changes (T-04).
 */

import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Environment } from '../cli/environment.ts';

export interface ProfileOptions {
  /** The helper's binary; undefined: nobody knows it before the build begins. */
  readonly helper: string | undefined;
  readonly environment: Environment;
  /** Told when there is a profile. */
  readonly onProfile: () => void;
  readonly uid?: number | undefined;
  /** Where the kernel says whether it is needed. */
  readonly setting?: string;
}

const SETTING = '/proc/sys/kernel/apparmor_restrict_unprivileged_userns';

/**
 * Does the work with a profile for the helper, which is removed afterwards. Where none is needed, or it cannot be had
 * (no sudo without a password), the work is done without: a build that needs it says what to change.
 */
export async function withHelperProfile<T>(
  options: ProfileOptions,
  work: () => Promise<T>,
): Promise<T> {
  const { helper, uid = process.getuid?.(), setting = SETTING } = options;
  if (helper === undefined || uid === 0 || !isPlain(helper) || !(await isSet(setting))) {
    return await work();
  }
  const folder = await mkdtemp(join(options.environment['RUNNER_TEMP'] || tmpdir(), 'tsbuild-'));
  const file = join(folder, 'profile');
  try {
    await writeFile(file, profileOf(helper));
    if (!(await parseProfile('--replace', file, options))) return await work();
    options.onProfile();
    try {
      return await work();
    } finally {
      await parseProfile('--remove', file, options);
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Confined to nothing, and allowed what every program was before. Several steps may run at once. */
function profileOf(helper: string): string {
  return [
    'abi <abi/4.0>,',
    `profile tsbuild-helper-${process.pid} "${helper}" flags=(unconfined) {`,
    '  userns,',
    '}',
    '',
  ].join('\n');
}

/** Without a character that means something in a profile. */
function isPlain(path: string): boolean {
  return /^\/[\w./@+ -]+$/.test(path);
}

async function isSet(setting: string): Promise<boolean> {
  try {
    return (await readFile(setting, 'utf8')).trim() === '1';
  } catch {
    // Another kernel, without the setting.
    return false;
  }
}

/** Whether root's tool has done it. Never asks for a password. */
async function parseProfile(
  verb: '--replace' | '--remove',
  file: string,
  { environment }: ProfileOptions,
): Promise<boolean> {
  try {
    const args = ['-n', 'apparmor_parser', verb, file];
    await promisify(execFile)('sudo', args, { env: { ...environment }, timeout: 30_000 });
    return true;
  } catch {
    // Not allowed, or not there: the build itself tells what would help.
    return false;
  }
}
