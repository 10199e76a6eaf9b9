/**
 * Which process something in `tmp` belongs to.
 *
 * A pid alone does not name a process: it is used again, means another process in another container,
 * and nothing after a reboot. So its start time (clock ticks since boot), the boot and the pid
 * namespace belong to it, too. As part of a name: `4711.8124510.9c0f….4026531836`.
 */

import { readFile, readlink } from 'node:fs/promises';

export interface ProcessIdentity {
  readonly pid: number;
  readonly started: string;
  readonly boot: string;
  /** `pid:[4026531836]` */
  readonly namespace: string;
}

let own: Promise<ProcessIdentity> | undefined;

/** This process. */
export function ownIdentity(): Promise<ProcessIdentity> {
  own ??= readOwn();
  return own;
}

/** Whether a process has ended; undefined when it is another container's, which cannot be asked. */
export async function hasEnded(identity: ProcessIdentity): Promise<boolean | undefined> {
  const { boot, namespace } = await ownIdentity();
  if (identity.boot !== boot) return true;
  if (identity.namespace !== namespace) return undefined;
  return (await startTime(identity.pid)) !== identity.started;
}

/** The identity as part of a file's name. */
export function encodeIdentity({ pid, started, boot, namespace }: ProcessIdentity): string {
  return [pid, started, boot, namespace.replaceAll(/\D/g, '')].join('.');
}

/** What is in a name; undefined when there is none in it. */
export function decodeIdentity(name: string): ProcessIdentity | undefined {
  const [, pid, started, boot, namespace] =
    /(?:^|-)(\d+)\.(\d+)\.([\da-f-]+)\.(\d+)\./.exec(name) ?? [];
  if (started === undefined || boot === undefined) return undefined;
  return { pid: Number(pid), started, boot, namespace: `pid:[${namespace}]` };
}

async function readOwn(): Promise<ProcessIdentity> {
  const [started, boot, namespace] = await Promise.all([
    startTime(process.pid),
    readFile('/proc/sys/kernel/random/boot_id', 'utf8'),
    readlink('/proc/self/ns/pid'),
  ]);
  return { pid: process.pid, started: started ?? '', boot: boot.trim(), namespace };
}

/** When a process started, in clock ticks since boot; undefined when there is none. */
async function startTime(pid: number): Promise<string | undefined> {
  // ENOENT: there is none. ESRCH: it ended while we read.
  const text = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined);
  // Field 22; the second one is a name in parentheses that may contain anything.
  return text?.slice(text.lastIndexOf(')') + 2).split(' ')[22 - 3];
}
