/** binfmt_misc: which programs the kernel hands to an interpreter, as /proc/sys/fs/binfmt_misc tells. */

import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

export const BINFMT_FOLDER = '/proc/sys/fs/binfmt_misc';

export interface BinfmtHandler {
  readonly name: string;
  readonly isEnabled: boolean;
  readonly interpreter: string;
  /** E.g. `OCF`; F: the interpreter was opened at registration, so that it works in any root filesystem. */
  readonly flags: string;
  /** What the first bytes of a program must be; undefined: it is told by its name's end. */
  readonly magic:
    | { readonly bytes: Buffer; readonly mask: Buffer; readonly offset: number }
    | undefined;
}

/** Every handler; undefined when binfmt_misc cannot be seen from here, as in most containers. */
export async function readHandlers(
  folder = BINFMT_FOLDER,
): Promise<readonly BinfmtHandler[] | undefined> {
  const status = await text(join(folder, 'status'));
  if (status === undefined) return undefined;
  const isOn = status.trim() === 'enabled';
  const names = await readdir(folder).catch((): string[] => []);
  const handlers: BinfmtHandler[] = [];
  for (const name of names.toSorted()) {
    if (name === 'status' || name === 'register') continue;
    const said = await text(join(folder, name));
    if (said !== undefined) handlers.push(parseHandler(name, said, isOn));
  }
  return handlers;
}

/** The kernel's text about one handler. */
export function parseHandler(name: string, said: string, isOn: boolean): BinfmtHandler {
  const field = (key: string): string => new RegExp(`^${key}:? (.*)$`, 'm').exec(said)?.[1] ?? '';
  const bytes = Buffer.from(field('magic'), 'hex');
  const mask = Buffer.from(field('mask') || 'ff'.repeat(bytes.length), 'hex');
  return {
    name,
    isEnabled: isOn && /^enabled$/m.test(said),
    interpreter: field('interpreter'),
    flags: field('flags'),
    magic: bytes.length === 0 ? undefined : { bytes, mask, offset: Number(field('offset')) || 0 },
  };
}

/** Whether the kernel would hand a program that begins like this to the handler. */
export function handles({ magic }: BinfmtHandler, program: Uint8Array): boolean {
  if (magic === undefined || magic.offset + magic.bytes.length > program.length) return false;
  return magic.bytes.every((byte, i) => {
    const mask = magic.mask[i] ?? 0xff;
    return (byte & mask) === ((program[magic.offset + i] ?? 0) & mask);
  });
}

async function text(path: string): Promise<string | undefined> {
  return await readFile(path, 'utf8').catch(() => undefined);
}
