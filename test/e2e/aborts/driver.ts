/**
 * node driver.ts SOCKET: builds what the lines of a socket ask for, one after the other, and aborts each when it is
 * told to. A process of its own, so that it can be any user's.
 */

import { getEventListeners } from 'node:events';
import { readdir } from 'node:fs/promises';
import { connect } from 'node:net';
import { createInterface } from 'node:readline';
import { setImmediate } from 'node:timers/promises';
import { type BuildOptions, build, TsbuildError } from '../../../src/index.ts';

/** JSON, on one line. */
export interface BuildOrder {
  readonly options: BuildOptions;
  /** The file of the build's only secret. */
  readonly secret: string;
  /** Milliseconds from its begin to its abort; undefined: it is left alone. */
  readonly abortAfter?: number;
}

export type BuildAnswer = (
  | { readonly kind: 'built'; readonly digest: string }
  | { readonly kind: 'aborted' }
  | { readonly kind: 'failed'; readonly code: string; readonly message: string }
) & {
  /** Milliseconds from its begin. */
  readonly took: number;
  /** Milliseconds from the abort; 0 without one. */
  readonly settled: number;
  /** What this process still has of the build: listeners, timers, children; how many descriptors. */
  readonly kept: readonly string[];
  readonly descriptors: number;
};

const socket = connect(process.argv[2] ?? '');
for await (const line of createInterface(socket)) {
  socket.write(`${JSON.stringify(await answer(JSON.parse(line) as BuildOrder))}\n`);
}

async function answer({ options, secret, abortAfter }: BuildOrder): Promise<BuildAnswer> {
  const controller = new AbortController();
  const { signal } = controller;
  const reason = new Error('No more of this');
  const began = performance.now();
  let abortedAt: number | undefined;
  const abort = (): void => {
    abortedAt = performance.now();
    controller.abort(reason);
  };
  const timer = abortAfter === undefined ? undefined : setTimeout(abort, abortAfter);
  const outcome = await build({
    ...options,
    secrets: { secret: new TextEncoder().encode(secret) },
    signal,
  }).then(
    ({ digest }) => ({ kind: 'built', digest }) as const,
    (error: unknown) =>
      error === reason
        ? ({ kind: 'aborted' } as const)
        : ({ kind: 'failed', code: codeOf(error), message: String(error) } as const),
  );
  const ended = performance.now();
  clearTimeout(timer);
  // The callback that settled the build is over after this.
  await setImmediate();
  return {
    ...outcome,
    took: ended - began,
    settled: abortedAt === undefined ? 0 : ended - abortedAt,
    kept: [...keptResources(), ...getEventListeners(signal, 'abort').map(() => 'a listener')],
    descriptors: (await readdir('/proc/self/fd')).length,
  };
}

function codeOf(error: unknown): string {
  return error instanceof TsbuildError ? error.code : '';
}

/** Everything but this program's socket and streams. */
function keptResources(): readonly string[] {
  return process.getActiveResourcesInfo().filter((name) => name !== 'PipeWrap');
}
