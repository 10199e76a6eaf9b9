/** Mirrors: asked once each before the registry itself, which is where whatever goes wrong ends. */

import { TsbuildError } from '../errors.ts';
import { connectionCode } from '../http/connection-code.ts';
import { isConnectionCut } from '../http/retry.ts';
import { discardBody, type HttpResponse } from '../http/transport.ts';
import { connectionFailure } from './failures.ts';
import { accessOf, isAnswer, type RegistryRequest } from './request.ts';
import type { Sender } from './send.ts';
import type { Endpoint } from './settings/endpoints.ts';

export type MirrorAnswer =
  | { readonly kind: 'response'; readonly response: HttpResponse }
  /** `explain` adds to a failure of the registry what the mirrors had said. */
  | { readonly kind: 'nothing'; readonly explain: (error: unknown) => unknown };

export interface Mirrors {
  /** Rejects with the signal's reason, and ERR_USAGE of settings; else the registry is to be asked. */
  ask(request: RegistryRequest, endpoints: readonly Endpoint[]): Promise<MirrorAnswer>;
}

/** Mirrors that remember who does not answer. */
export function createMirrors(sender: Sender): Mirrors {
  const gone = new Map<string, string>();
  return {
    async ask(request, endpoints) {
      const said: string[] = [];
      for (const endpoint of endpoints) {
        const { registry } = endpoint;
        const before = gone.get(registry);
        if (before !== undefined) {
          said.push(before);
          continue;
        }
        try {
          const response = await sender.send(request, endpoint, accessOf(request, endpoint));
          if (isAnswer(response, request)) return { kind: 'response', response };
          await discardBody(response.body);
          said.push(`The mirror ${registry} answered ${response.status}.`);
        } catch (error) {
          request.signal.throwIfAborted();
          if (error instanceof TsbuildError && error.code === 'ERR_USAGE') throw error;
          const text = `The mirror ${registry} failed: ${wordsOf(error, request, endpoint)}.`;
          said.push(text);
          if (!(error instanceof TsbuildError) && isAbsent(error)) gone.set(registry, text);
        }
      }
      return { kind: 'nothing', explain: (error) => explained(error, said) };
    },
  };
}

/** Nobody is there: to ask again would cost the same wait for each layer. */
function isAbsent(error: unknown): boolean {
  const code = connectionCode(error);
  return !isConnectionCut(error) || /^(?:UND_ERR_CONNECT_TIMEOUT|ETIMEDOUT|EAI_AGAIN)$/.test(code);
}

function wordsOf(error: unknown, request: RegistryRequest, endpoint: Endpoint): string {
  if (error instanceof TsbuildError) return error.message;
  return connectionFailure(error, accessOf(request, endpoint)).message;
}

function explained(error: unknown, said: readonly string[]): unknown {
  if (!(error instanceof TsbuildError) || said.length === 0) return error;
  const { code, message, details, hint, cause } = error;
  const parts = [hint, ...said].filter((part) => part !== undefined);
  return new TsbuildError(code, { message, details, hint: parts.join(' '), cause });
}
