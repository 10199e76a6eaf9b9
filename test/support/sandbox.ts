/** Drives the helper binary by hand: frames in, frames out, and a root filesystem made of busybox. */

import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { chmod, copyFile, mkdir, readFile, readdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { HelperError, HelperMode, RunReply, RunRequest } from '../../native/protocol.ts';

const TARGET = fileURLToPath(new URL('../../native/target', import.meta.url));

/** `$TSBUILD_HELPER`, else what cargo built last. */
export const HELPER = process.env.TSBUILD_HELPER ?? lastBuilt();

/** What a RUN came to. */
export interface RunOutcome {
  readonly stdout: string;
  readonly stderr: string;
  readonly reply: RunReply | undefined;
  readonly error: HelperError | undefined;
}

export interface TestHelper {
  readonly pid: number;
  /** Settles with the hello, or with the error that came instead. */
  readonly hello: Promise<{ readonly error: HelperError | undefined }>;
  readonly run: (request: RunRequest, onStdout?: (text: string) => void) => Promise<RunOutcome>;
  /** Asks the last request to end. */
  readonly cancel: () => void;
  /** Ends stdin, and waits for the helper's end. */
  readonly close: () => Promise<void>;
  /** Settles when the process is gone. */
  readonly gone: Promise<void>;
}

export interface HelperOptions {
  readonly mode: HelperMode;
  readonly scratch: string;
  readonly maps?: readonly [string, string];
  /** A command line that the helper's is appended to, e.g. setpriv's. */
  readonly through?: readonly string[];
  readonly binary?: string;
}

export function startHelper(options: HelperOptions): TestHelper {
  const { mode, scratch, maps = [], through = [], binary = HELPER } = options;
  const [command = '', ...args] = [...through, binary, 'serve', mode, ...maps, scratch];
  const child = spawn(command, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  const gone = new Promise<void>((resolve) => child.once('close', () => resolve()));
  // A helper that was killed breaks the pipe; tests see that by other means.
  child.stdin.on('error', () => undefined);
  return new FrameClient(child, gone).face();
}

/** One frame of the protocol. */
export function frame(kind: number, id: number, payload: string): Buffer {
  const header = Buffer.alloc(9);
  header.writeUInt32LE(Buffer.byteLength(payload), 0);
  header.writeUInt8(kind, 4);
  header.writeUInt32LE(id, 5);
  return Buffer.concat([header, Buffer.from(payload)]);
}

interface Pending {
  stdout: string;
  stderr: string;
  readonly onStdout: ((text: string) => void) | undefined;
  readonly settle: (outcome: RunOutcome) => void;
}

class FrameClient {
  readonly #child: ChildProcessByStdio<Writable, Readable, null>;
  readonly #gone: Promise<void>;
  readonly #pending = new Map<number, Pending>();
  readonly #hello = Promise.withResolvers<{ error: HelperError | undefined }>();
  #buffer = Buffer.alloc(0);
  #lastId = 0;

  constructor(child: ChildProcessByStdio<Writable, Readable, null>, gone: Promise<void>) {
    this.#child = child;
    this.#gone = gone;
    child.stdout.on('data', (bytes: Buffer) => this.#take(bytes));
    void gone.then(() => {
      for (const { stdout, stderr, settle } of this.#pending.values()) {
        settle({ stdout, stderr, reply: undefined, error: undefined });
      }
    });
  }

  face(): TestHelper {
    return {
      pid: this.#child.pid ?? 0,
      hello: this.#hello.promise,
      gone: this.#gone,
      run: async (request, onStdout) =>
        await new Promise((settle) => {
          this.#lastId++;
          this.#pending.set(this.#lastId, { stdout: '', stderr: '', onStdout, settle });
          this.#child.stdin.write(frame(0, this.#lastId, JSON.stringify(request)));
        }),
      cancel: () => this.#child.stdin.write(frame(5, this.#lastId, '')),
      close: async () => {
        this.#child.stdin.end();
        await this.#gone;
      },
    };
  }

  #take(bytes: Buffer): void {
    this.#buffer = Buffer.concat([this.#buffer, bytes]);
    while (this.#buffer.length >= 9) {
      const end = 9 + this.#buffer.readUInt32LE(0);
      if (this.#buffer.length < end) return;
      const text = this.#buffer.toString('utf8', 9, end);
      this.#dispatch(this.#buffer.readUInt8(4), this.#buffer.readUInt32LE(5), text);
      this.#buffer = this.#buffer.subarray(end);
    }
  }

  #dispatch(kind: number, id: number, text: string): void {
    if (id === 0) {
      this.#hello.resolve({ error: kind === 6 ? undefined : (JSON.parse(text) as HelperError) });
      return;
    }
    const pending = this.#pending.get(id);
    if (pending === undefined) return;
    if (kind === 3) {
      pending.stdout += text;
      pending.onStdout?.(text);
    } else if (kind === 4) {
      pending.stderr += text;
    } else {
      const { stdout, stderr } = pending;
      const reply = kind === 1 ? (JSON.parse(text) as RunReply) : undefined;
      const error = kind === 2 ? (JSON.parse(text) as HelperError) : undefined;
      this.#pending.delete(id);
      pending.settle({ stdout, stderr, reply, error });
    }
  }
}

const APPLETS =
  'sh ls cat id true false echo rm mkdir mount umount unshare ps hostname sleep env pwd';
const MORE_APPLETS = 'touch ln stat ip kill nc grep wc readlink chown head test dd mknod';

/** A layer directory with busybox in it, and the mount points that a RUN needs. */
export async function busyboxLayer(path: string): Promise<string> {
  for (const directory of ['bin', 'proc', 'dev', 'sys', 'tmp', 'etc', 'data/deep']) {
    await mkdir(join(path, directory), { recursive: true });
  }
  await chmod(join(path, 'tmp'), 0o1777);
  await copyFile('/bin/busybox', join(path, 'bin/busybox'));
  for (const applet of `${APPLETS} ${MORE_APPLETS}`.split(' ')) {
    await symlink('busybox', join(path, 'bin', applet));
  }
  return path;
}

/** What processes have `marker` in their environment. */
export async function processesWith(marker: string): Promise<readonly number[]> {
  const found: number[] = [];
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const environ = await readFile(`/proc/${name}/environ`, 'utf8').catch(() => '');
    if (environ.split('\0').includes(marker)) found.push(Number(name));
  }
  return found;
}

/** The process that has `marker` in its environment, as soon as there is one. */
export async function appearing(marker: string): Promise<number> {
  for (;;) {
    const [pid] = await processesWith(marker);
    if (pid !== undefined) return pid;
    await setTimeout(5);
  }
}

/** The processes below one, at any depth. */
export async function descendants(ancestor: number): Promise<readonly number[]> {
  const parents = new Map<number, number>();
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const stat = await readFile(`/proc/${name}/stat`, 'utf8').catch(() => '');
    // What follows the command's name, which may hold anything: the state and the parent.
    parents.set(Number(name), Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]));
  }
  const isBelow = (pid: number): boolean => {
    const parent = parents.get(pid);
    return parent !== undefined && (parent === ancestor || isBelow(parent));
  };
  return [...parents.keys()].filter(isBelow);
}

function lastBuilt(): string {
  const builds = ['release', 'debug']
    .map((profile) => join(TARGET, profile, 'tsbuild-helper'))
    .filter((path) => existsSync(path))
    .sort((a, b) => statSync(b).mtimeMs - statSync(a).mtimeMs);
  return builds[0] ?? join(TARGET, 'release/tsbuild-helper');
}
