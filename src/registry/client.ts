/**
 * Requests of the distribution spec: the right address, logged in, redirected and tried again.
 *
 * https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md
 */

import { TsbuildError } from '../errors.ts';
import { type Environment, proxyFor } from '../http/proxy.ts';
import { isBusy, isConnectionCut, openBudget, type RetryBudget } from '../http/retry.ts';
import { discardBody, type HttpResponse, openTransport } from '../http/transport.ts';
import { familiarName, type Reference } from '../oci/reference.ts';
import { type Access, createAuthorizer } from './authorizer.ts';
import { credentialStore } from './auth.ts';
import { answerFailure, connectionFailure } from './failures.ts';
import { createMirrors } from './mirrors.ts';
import { accessOf, isAnswer, isStream, type RegistryRequest } from './request.ts';
import { createSender } from './send.ts';
import { credentialFiles, type SettingsPlaces } from './settings/places.ts';
import { openSettings } from './settings/settings.ts';

export interface RegistryClientOptions {
  /** Where logins, mirrors and certificates are looked for; default: nowhere. */
  readonly places?: SettingsPlaces | undefined;
  /** To one registry at a time. Four for blobs and one for documents, as BuildKit (LAY-6). */
  readonly connections?: number;
  /** Tries of one request in a row that get nowhere. */
  readonly attempts?: number;
  /** Milliseconds before the second try; doubles with each. */
  readonly retryDelay?: number;
}

export interface RegistryClient {
  /**
   * The answer, if it is a success, or one of `accept`. Its body must be read or destroyed.
   * @throws ERR_REGISTRY_UNREACHABLE, ERR_REGISTRY_DENIED, ERR_REGISTRY_FAILED
   */
  request(request: RegistryRequest): Promise<HttpResponse>;
  /** A new budget, with this client's numbers. */
  openBudget(): RetryBudget;
  /** Ends all connections. */
  close(): Promise<void>;
}

/** A client whose connections and tokens last for one build. Loads nothing before the first request. */
export function createRegistryClient(options: RegistryClientOptions = {}): RegistryClient {
  const { places = {}, connections = 5, attempts, retryDelay } = options;
  const settings = openSettings(places);
  const { environment } = places;
  const transport = openTransport({ connections, environment, tls: settings.tls });
  const authorizer = createAuthorizer(credentialStore(credentialFiles(places)), transport.send);
  const sender = createSender({ transport, authorizer, settings });
  const mirrors = createMirrors(sender);
  const newBudget = (): RetryBudget =>
    openBudget({
      ...(attempts !== undefined && { tries: attempts }),
      ...(retryDelay !== undefined && { delay: retryDelay }),
    });
  return {
    async request(request) {
      const { reference, access, isOrigin = false, path } = request;
      const endpoints = await settings.endpoints(reference, access);
      const home = endpoints.at(-1);
      if (home === undefined) throw blocked(reference);
      const others = isOrigin || path instanceof URL ? [] : endpoints.slice(0, -1);
      const answer = await mirrors.ask(request, others);
      if (answer.kind === 'response') return answer.response;
      const budget = request.budget ?? newBudget();
      const asked = accessOf(request, home);
      try {
        const send = (): Promise<HttpResponse> => sender.send(request, home, asked);
        return await sendUntilAnswered(send, { request, budget, authorizer, asked, environment });
      } catch (error) {
        throw answer.explain(error);
      }
    },
    openBudget: newBudget,
    close: () => transport.close(),
  };
}

interface Asking {
  readonly request: RegistryRequest;
  readonly budget: RetryBudget;
  readonly authorizer: { reason(registry: string): string | undefined };
  readonly asked: Access;
  readonly environment: Environment | undefined;
}

async function sendUntilAnswered(
  send: () => Promise<HttpResponse>,
  { request, budget, authorizer, asked, environment = {} }: Asking,
): Promise<HttpResponse> {
  const { signal } = request;
  const isLast = request.once === true || isStream(request.body);
  for (;;) {
    let response: HttpResponse;
    try {
      response = await send();
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof TsbuildError) throw error;
      if (!isLast && isConnectionCut(error) && (await budget.pause(signal))) continue;
      const address = new URL(`https://${asked.registry}`);
      throw connectionFailure(error, asked, proxyFor(address, environment));
    }
    if (isAnswer(response, request)) return response;
    if (isLast || !isBusy(response) || !(await budget.pause(signal, response))) {
      throw await answerFailure(response, asked, authorizer.reason(asked.registry));
    }
    await discardBody(response.body);
  }
}

function blocked(reference: Reference): TsbuildError {
  const name = familiarName(reference);
  return new TsbuildError('ERR_USAGE', {
    message: `Cannot access "${name}": registries.conf blocks its registry`,
    details: undefined,
    hint: '"tsbuild doctor" tells which file says so.',
  });
}
