/** A caller's stream, which may never answer: after an abort it is told to end, and not waited for. */

import { Readable } from 'node:stream';

/** The same chunks. Throws the signal's reason once it is aborted. */
export function untilAborted<T>(stream: AsyncIterable<T>, signal: AbortSignal): AsyncIterable<T> {
  // `pipeline()` destroys a stream of Node's own, whatever it waits for.
  return stream instanceof Readable ? stream : raced(stream, signal);
}

async function* raced<T>(stream: AsyncIterable<T>, signal: AbortSignal): AsyncGenerator<T> {
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  aborted.catch(() => undefined);
  const abort = (): void => reject(signal.reason);
  signal.addEventListener('abort', abort, { once: true });
  if (signal.aborted) abort();
  const iterator = stream[Symbol.asyncIterator]();
  let isDone = false;
  try {
    for (;;) {
      const result = await Promise.race([iterator.next(), aborted]);
      isDone = result.done === true;
      if (result.done) return;
      yield result.value;
    }
  } finally {
    signal.removeEventListener('abort', abort);
    if (!isDone) end(iterator);
  }
}

function end(iterator: AsyncIterator<unknown>): void {
  // Nobody is left who could be told that this failed.
  void iterator.return?.().catch(() => undefined);
}
