/** Whether this machine executes programs of a platform: its own, or through an emulator (MP-4, ISO-5). */

import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { endsWell } from '../../native/index.ts';
import { formatPlatform, type Platform } from '../oci/platform.ts';
import { type BinfmtHandler, handles, readHandlers } from './binfmt.ts';
import type { Refusal } from './diagnose.ts';
import { tinyProgram } from './elf.ts';
import { type Facts, readFacts } from './facts.ts';

/** How programs of a platform are executed. */
export type Execution =
  /** `interpreter`: undefined when it is not known, or none. */
  | { readonly kind: 'native' | 'emulated'; readonly interpreter: string | undefined }
  | ({ readonly kind: 'refused' } & Refusal);

export interface EmulationOptions {
  readonly host: Platform;
  /** A directory that a program can be put into, and executed from. */
  readonly scratch: string;
  readonly signal: AbortSignal;
  /** Where binfmt_misc is; only tests have another. */
  readonly binfmt?: string | undefined;
}

/** Never rejects, unless by the signal: what cannot be found out is let through, and fails by itself. */
export async function executionOf(
  platform: Platform,
  options: EmulationOptions,
): Promise<Execution> {
  const { host, binfmt } = options;
  if (platform.os !== host.os) {
    const reason = `this machine runs ${host.os}, and no programs of ${platform.os}`;
    return { kind: 'refused', reason, fix: undefined };
  }
  if (platform.architecture === host.architecture)
    return { kind: 'native', interpreter: undefined };
  const program = tinyProgram(platform.architecture);
  const handlers = await readHandlers(binfmt);
  const matching = handlers?.filter((each) => program !== undefined && handles(each, program));
  const handler = matching?.find(({ isEnabled }) => isEnabled) ?? matching?.[0];
  if (handler?.isEnabled && handler.flags.includes('F')) {
    return { kind: 'emulated', interpreter: handler.interpreter };
  }
  // Programs of a 32-bit sibling may need no handler, and from a container handlers may not be seen.
  if (handler === undefined && (await canExecute(program, options))) {
    return { kind: handlers === undefined ? 'emulated' : 'native', interpreter: undefined };
  }
  return { kind: 'refused', ...refusal(platform, handler, await readFacts()) };
}

/** Tries it. Architectures without a program to try are refused nothing. */
async function canExecute(
  program: Uint8Array | undefined,
  { scratch, signal }: EmulationOptions,
): Promise<boolean> {
  if (program === undefined) return true;
  const folder = join(scratch, `platform-${process.hrtime.bigint()}`);
  try {
    await mkdir(folder);
    const file = join(folder, 'probe');
    await writeFile(file, program, { mode: 0o700 });
    return await endsWell(file, { folder, signal });
  } catch {
    signal.throwIfAborted();
    return true;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function refusal(platform: Platform, handler: BinfmtHandler | undefined, facts: Facts): Refusal {
  const name = formatPlatform(platform);
  const { architecture } = platform;
  if (handler !== undefined && !handler.isEnabled) {
    return {
      reason: `the emulator for ${name} is switched off`,
      fix: `echo 1 | sudo tee /proc/sys/fs/binfmt_misc/${handler.name}`,
    };
  }
  const register = `docker run --privileged --rm tonistiigi/binfmt --install ${architecture}`;
  const others = 'on GitHub the action docker/setup-qemu-action';
  if (handler !== undefined) {
    return {
      reason: `the emulator for ${name}, "${handler.interpreter}", is registered without the flag F: it is not found in an image`,
      fix: `${register}, after removing it with: echo -1 | sudo tee /proc/sys/fs/binfmt_misc/${handler.name}`,
    };
  }
  const isDebian = facts.container === undefined && facts.systems.includes('debian');
  return {
    reason: `there is no emulator for ${name} registered with binfmt_misc`,
    fix: isDebian
      ? `sudo apt-get install qemu-user-static binfmt-support (${others})`
      : `${register} (${others})`,
  };
}
