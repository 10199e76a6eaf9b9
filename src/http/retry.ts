/** When to try again, how often, and how long to wait before. */

import { setTimeout as delay } from 'node:timers/promises';
import { connectionCode } from './connection-code.ts';
import type { HttpResponse } from './transport.ts';

/** The tries that one blob or document has. */
export interface RetryBudget {
  /**
   * Waits for the next try, at least as long as the answer's Retry-After wants. False, at once, when
   * there is no try left, or the wait would be longer than what is left. Rejects with the signal's reason.
   */
  pause(signal: AbortSignal, answer?: Pick<HttpResponse, 'headers'>): Promise<boolean>;
  /** Bytes have got through: the next failure is the first again. The time that was waited still counts. */
  progress(): void;
}

export interface RetryOptions {
  /** Tries in a row that get nowhere, the first included. */
  readonly tries?: number;
  /** Milliseconds before the second try; doubles with each. */
  readonly delay?: number;
  /** Milliseconds of waiting, all in all. */
  readonly time?: number;
}

const TRIES = 6;
const FIRST_DELAY = 500;
const MAX_DELAY = 30_000;
/** T-24. */
const TIME = 5 * 60_000;
/** However many bytes get through between the failures: a byte for each try is no way to pull a layer. */
const MAX_TRIES = 100;

/** A budget that nothing was taken from yet. */
export function openBudget({
  tries = TRIES,
  delay: first = FIRST_DELAY,
  time = TIME,
}: RetryOptions = {}): RetryBudget {
  let inRow = 1;
  let all = 1;
  let waited = 0;
  return {
    async pause(signal, answer) {
      signal.throwIfAborted();
      if (inRow >= tries || all >= MAX_TRIES) return false;
      const backoff = Math.min(first * 2 ** (inRow - 1), MAX_DELAY);
      // Not all of the layers of all builds that one failure has hit come back in the same moment.
      const spread = backoff * (0.75 + Math.random() / 2);
      const wait = Math.max(spread, retryAfter(answer?.headers['retry-after']));
      if (waited + wait > time) return false;
      inRow++;
      all++;
      waited += wait;
      await sleep(wait, signal);
      return true;
    },
    progress() {
      inRow = 1;
    },
  };
}

async function sleep(milliseconds: number, signal: AbortSignal): Promise<void> {
  try {
    await delay(milliseconds, undefined, { signal });
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  }
}

/** Milliseconds of a Retry-After header: seconds, or a date. */
export function retryAfter(header: string | undefined): number {
  if (header === undefined) return 0;
  const wait = /^\d+$/.test(header) ? Number(header) * 1000 : Date.parse(header) - Date.now();
  return Number.isNaN(wait) ? 0 : wait;
}

/** Whether an answer may be another one next time. 501 will not: it will never know the method. */
export function isBusy({ status }: Pick<HttpResponse, 'status'>): boolean {
  return [408, 425, 429].includes(status) || (status >= 500 && status !== 501);
}

/** Whether another try may go better: the connection was cut, timed out, or the resolver was busy. */
export function isConnectionCut(error: unknown): boolean {
  // What is no HTTP comes of an answer that was longer or shorter than it said.
  const isGarbled = error instanceof Error && error.name === 'HTTPParserError';
  return isGarbled || RETRIED.has(connectionCode(error));
}

const RETRIED: ReadonlySet<string> = new Set([
  'ECONNRESET',
  'ECONNABORTED',
  'EPIPE',
  'ETIMEDOUT',
  'EAI_AGAIN',
  'UND_ERR_SOCKET',
  'UND_ERR_CONNECT_TIMEOUT',
  'UND_ERR_BODY_TIMEOUT',
  'UND_ERR_HEADERS_TIMEOUT',
  'UND_ERR_RES_CONTENT_LENGTH_MISMATCH',
]);
