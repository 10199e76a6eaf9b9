/**
 * The helper process: requests go in, replies come back, whatever order they end in.
 *
 * It is one child for many requests. It dies with this process, and takes along what it started.
 */

import { type ChildProcessByStdio, spawn } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';
import { TsbuildError } from '../src/errors.ts';
import { brokenHelper, endedHelper, helperFailure, type Operation } from './failure.ts';
import { encodeFrame, FRAME, type Frame, FrameReader } from './frame.ts';
import { locateHelper } from './locate.ts';
import {
  type ComposeReply,
  type ComposeRequest,
  type ExtractReply,
  type ExtractRequest,
  type HelperError,
  type HelperMode,
  type Hello,
  type LimitsReply,
  type LimitsRequest,
  type LockReply,
  type LockRequest,
  PROTOCOL_VERSION,
  type RemoveRequest,
  type RepackReply,
  type RepackRequest,
  type Request,
  type RunReply,
  type RunRequest,
  type ScanReply,
  type ScanRequest,
  type UnlockRequest,
} from './protocol.ts';

export interface HelperOptions {
  readonly mode: HelperMode;
  /** `inside:outside:count[,…]`, for the modes with a user namespace. */
  readonly uidMap?: string | undefined;
  readonly gidMap?: string | undefined;
  /** A directory for the overlay probe, for every mode but `plain`. */
  readonly scratch?: string | undefined;
  /** The helper's path; undefined: it is looked for. */
  readonly binary?: string | undefined;
}

export interface CallOptions {
  /** Abort asks the helper to end the request; the call settles when it has. */
  readonly signal: AbortSignal;
}

export type OutputStream = 'stdout' | 'stderr';

export interface RunOptions extends CallOptions {
  /** Gets the output as it comes; the bytes are the callee's. */
  readonly onOutput?: ((stream: OutputStream, bytes: Uint8Array) => void) | undefined;
}

/** A request, with or without its verb. */
type Call<R extends Request> = Omit<R, 'verb'> & { readonly verb?: R['verb'] };

/** An open helper. Its calls may overlap; how many at once is the caller's business. */
export interface Helper {
  /** As `Hello.noEmulation`. */
  readonly noEmulation: string | undefined;
  scan(request: Call<ScanRequest>, options: CallOptions): Promise<ScanReply>;
  compose(request: Call<ComposeRequest>, options: CallOptions): Promise<ComposeReply>;
  extract(request: Call<ExtractRequest>, options: CallOptions): Promise<ExtractReply>;
  run(request: Call<RunRequest>, options: RunOptions): Promise<RunReply>;
  repack(request: Call<RepackRequest>, options: CallOptions): Promise<RepackReply>;
  remove(request: Call<RemoveRequest>, options: CallOptions): Promise<void>;
  limits(request: Call<LimitsRequest>, options: CallOptions): Promise<LimitsReply>;
  lock(request: Call<LockRequest>, options: CallOptions): Promise<LockReply>;
  unlock(request: Call<UnlockRequest>, options: CallOptions): Promise<void>;
  /** Ends the helper and everything it started; settles when it is gone. */
  close(): Promise<void>;
}

/**
 * Starts a helper and waits for its hello.
 *
 * @throws ERR_HELPER_MISSING when there is no binary, ERR_HELPER_MISMATCH when it is another
 * version's, ERR_SANDBOX_FAILED when the mode's namespaces can not be entered
 */
export async function openHelper(options: HelperOptions): Promise<Helper> {
  const process = new HelperProcess(locateHelper(options.binary), options);
  let noEmulation: string | undefined;
  try {
    ({ noEmulation } = await process.hello());
  } catch (error) {
    await process.close();
    throw error;
  }
  return {
    noEmulation,
    scan: (request, call) => process.call<ScanReply>({ ...request, verb: 'scan' }, call),
    compose: (request, call) => process.call<ComposeReply>({ ...request, verb: 'compose' }, call),
    extract: (request, call) => process.call<ExtractReply>({ ...request, verb: 'extract' }, call),
    run: (request, call) => process.call<RunReply>({ ...request, verb: 'run' }, call),
    repack: (request, call) => process.call<RepackReply>({ ...request, verb: 'repack' }, call),
    remove: async (request, call) => {
      await process.call<object>({ ...request, verb: 'remove' }, call);
    },
    limits: (request, call) => process.call<LimitsReply>({ ...request, verb: 'limits' }, call),
    lock: (request, call) => process.call<LockReply>({ ...request, verb: 'lock' }, call),
    unlock: async (request, call) => {
      await process.call<object>({ ...request, verb: 'unlock' }, call);
    },
    close: () => process.close(),
  };
}

interface Pending {
  readonly operation: Operation;
  readonly resolve: (payload: unknown) => void;
  readonly reject: (error: unknown) => void;
  readonly onOutput: RunOptions['onOutput'];
}

/** How much of a panic is told. */
const MAX_STDERR = 16_384;

/** The handshake is answered under this id, as is what the helper says of itself. */
const HELLO_ID = 0;

class HelperProcess {
  readonly #child: ChildProcessByStdio<Writable, Readable, Readable>;
  readonly #pending = new Map<number, Pending>();
  readonly #hello: Promise<unknown>;
  readonly #gone: Promise<void>;
  #lastId = HELLO_ID;
  #stderr = '';
  #failure: TsbuildError | undefined;

  constructor(binary: string, options: HelperOptions) {
    const { mode, uidMap, gidMap, scratch } = options;
    const args = ['serve', mode, uidMap, gidMap, scratch].filter((word) => word !== undefined);
    // A session of its own: a Ctrl-C at the terminal is for tsbuild, which then cancels.
    this.#child = spawn(binary, args, { stdio: ['pipe', 'pipe', 'pipe'], detached: true });
    this.#hello = this.#expect(HELLO_ID, { verb: 'open', mode }, undefined);
    this.#gone = new Promise((resolve) => {
      this.#child.once('close', (code, signal) => {
        this.#fail(endedHelper(signal ?? code ?? 0, this.#stderr.trim()));
        resolve();
      });
    });
    this.#child.once('error', (error) => {
      this.#fail(brokenHelper(`Cannot start the helper "${binary}": ${error.message}`, error));
    });
    // A broken pipe is the end of the helper, which `close` tells.
    this.#child.stdin.on('error', () => undefined);
    this.#child.stderr.on('data', (bytes: Buffer) => {
      this.#stderr = (this.#stderr + bytes.toString()).slice(-MAX_STDERR);
    });
    const reader = new FrameReader();
    this.#child.stdout.on('data', (bytes: Buffer) => {
      for (const frame of reader.push(bytes)) this.#receive(frame);
    });
  }

  /** @throws ERR_HELPER_MISMATCH */
  async hello(): Promise<Pick<Hello, 'noEmulation'>> {
    const hello = (await this.#hello) as Partial<Hello>;
    if (hello.protocol === PROTOCOL_VERSION) return hello;
    const [expected, found] = [String(PROTOCOL_VERSION), String(hello.protocol)];
    throw new TsbuildError('ERR_HELPER_MISMATCH', {
      message: `Cannot use a helper of protocol ${found}: this tsbuild speaks ${expected}`,
      details: { expected, found },
      hint: 'Install the helper package of the same version as tsbuild.',
    });
  }

  async call<T>(request: Request, options: RunOptions): Promise<T> {
    const { signal, onOutput } = options;
    signal.throwIfAborted();
    const id = ++this.#lastId;
    const reply = this.#expect(id, request, onOutput);
    const cancel = () => this.#child.stdin.write(encodeFrame(FRAME.cancel, id, ''));
    signal.addEventListener('abort', cancel, { once: true });
    try {
      this.#child.stdin.write(encodeFrame(FRAME.request, id, JSON.stringify(request)));
      return (await reply) as T;
    } catch (error) {
      throw isCancelled(error) ? signal.reason : error;
    } finally {
      signal.removeEventListener('abort', cancel);
    }
  }

  close(): Promise<void> {
    this.#child.stdin.end();
    return this.#gone;
  }

  #expect(id: number, operation: Operation, onOutput: RunOptions['onOutput']): Promise<unknown> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    return new Promise((resolve, reject) => {
      this.#pending.set(id, { operation, resolve, reject, onOutput });
    });
  }

  #receive(frame: Frame): void {
    const pending = this.#pending.get(frame.id);
    switch (frame.kind) {
      case FRAME.stdout:
        pending?.onOutput?.('stdout', frame.payload);
        return;
      case FRAME.stderr:
        pending?.onOutput?.('stderr', frame.payload);
        return;
      case FRAME.hello:
      case FRAME.reply:
        this.#pending.delete(frame.id);
        pending?.resolve(parse(frame.payload));
        return;
      case FRAME.error:
        this.#pending.delete(frame.id);
        pending?.reject(failureOf(parse(frame.payload) as HelperError, pending.operation));
        return;
      default:
        this.#fail(brokenHelper(`Cannot understand the helper: frame of kind ${frame.kind}`));
        this.#child.kill('SIGKILL');
    }
  }

  /** The first failure is the one that is told. */
  #fail(failure: TsbuildError): void {
    this.#failure ??= failure;
    for (const pending of this.#pending.values()) pending.reject(this.#failure);
    this.#pending.clear();
  }
}

/** What `Cancelled` is until the caller's own reason takes its place. */
class Cancelled extends Error {}

function failureOf(error: HelperError, operation: Operation): Error {
  return error.step === 'Cancelled'
    ? new Cancelled(error.message)
    : helperFailure(error, operation);
}

function isCancelled(error: unknown): boolean {
  return error instanceof Cancelled;
}

function parse(payload: Buffer): unknown {
  return JSON.parse(payload.toString());
}
