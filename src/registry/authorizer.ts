/**
 * Answers to "401 Unauthorized": Basic, or the token flow.
 *
 * https://distribution.github.io/distribution/spec/auth/token/
 */

import { TsbuildError } from '../errors.ts';
import type { Credentials, CredentialStore } from './auth.ts';
import { type Asked, answerFailure, cannot } from './failures.ts';
import { isBusy } from '../http/retry.ts';
import { type HttpResponse, readBody, type Transport } from '../http/transport.ts';

/** What a request must be allowed to do: `repository:library/alpine:pull`, and so on. */
export interface Access extends Asked {
  readonly repository: string;
  readonly scopes: readonly string[];
}

export interface Authorizer {
  /**
   * The header for a request like one that was answered before. A token that ends soon is renewed
   * first. Fails as `answer()`.
   */
  header(access: Access, signal: AbortSignal): Promise<Answer>;
  /**
   * What answers a 401. A token that another request has got in the meantime is as good as a new one.
   * @throws ERR_REGISTRY_DENIED, ERR_REGISTRY_FAILED, and the transport's errors
   */
  answer(refusal: Refusal, access: Access, signal: AbortSignal): Promise<Answer>;
  /** Why we are nobody to a registry, when we should not have been. */
  reason(registry: string): string | undefined;
}

/** A header, nothing to answer with, or a token server that wants to be asked again. */
export type Answer =
  | { readonly kind: 'header'; readonly header: string }
  | { readonly kind: 'nothing' }
  | { readonly kind: 'busy'; readonly response: HttpResponse };

export interface Refusal {
  readonly response: HttpResponse;
  /** What the request had come with. */
  readonly used: string | undefined;
}

interface Granted {
  readonly kind: 'header';
  readonly header: string;
  /** Milliseconds since the epoch. */
  readonly until: number;
  /** Who had asked, to be answered again. */
  readonly asked: Asking;
}

type Outcome = Granted | Exclude<Answer, { kind: 'header' }>;

/** A challenge, and the address whose 401 brought it. */
interface Asking {
  readonly challenge: Challenge;
  readonly url: URL;
}

const NOTHING = { kind: 'nothing' } as const;
/** The token spec's default when no `expires_in` is sent, in seconds. */
const DEFAULT_LIFETIME = 60;
/** Seconds before its end in which a token is not used any more: it has to last for the request. */
const MARGIN = 10;
/** Tokens of large organisations reach tens of KiB. */
const MAX_TOKEN_BODY = 1024 * 1024;

/** An authorizer with a cache of tokens by registry and scope. */
export function createAuthorizer(store: CredentialStore, send: Transport['send']): Authorizer {
  const granted = new Map<string, Granted>();
  const pending = new Map<string, Promise<Answer>>();
  const reasons = new Map<string, string>();

  const obtain = async (asked: Asking, access: Access, signal: AbortSignal): Promise<Answer> => {
    const credentials = await store.find(access, signal);
    if (credentials.kind === 'anonymous' && credentials.reason !== undefined) {
      reasons.set(access.registry, credentials.reason);
    }
    const answer =
      asked.challenge.kind === 'basic'
        ? grantBasic(credentials, asked)
        : await requestToken(asked.challenge, { credentials, access, asked, send, signal });
    if (answer.kind === 'header') granted.set(keyOf(access), answer);
    return answer;
  };
  /** One question at a time: four layers that are refused at once need one token. */
  const ask = async (asked: Asking, access: Access, signal: AbortSignal): Promise<Answer> => {
    const key = keyOf(access);
    const running = pending.get(key);
    if (running !== undefined) return await running;
    const asking = obtain(asked, access, signal);
    pending.set(key, asking);
    try {
      return await asking;
    } finally {
      pending.delete(key);
    }
  };

  return {
    async header(access, signal) {
      const grant = granted.get(keyOf(access));
      if (grant === undefined) return NOTHING;
      return grant.until > Date.now() ? grant : await ask(grant.asked, access, signal);
    },

    async answer({ response, used }, access, signal) {
      const challenge = chooseChallenge(response.headers['www-authenticate'] ?? '');
      if (challenge === undefined) return NOTHING;
      const grant = granted.get(keyOf(access));
      if (grant !== undefined && grant.header !== used && grant.until > Date.now()) return grant;
      return await ask({ challenge, url: response.url }, access, signal);
    },

    reason: (registry) => reasons.get(registry),
  };
}

function keyOf({ registry, scopes }: Access): string {
  return [registry, ...scopes].join(' ');
}

type Challenge =
  | { readonly kind: 'basic' }
  | { readonly kind: 'bearer'; readonly realm: string; readonly parameters: Parameters };
type Parameters = ReadonlyMap<string, string>;

const SCHEME = /(?:^|,)\s*(bearer|basic)(?=\s|,|$)/gi;
const PARAMETER = /(\w+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))/g;

/** The better of the challenges in a WWW-Authenticate header: a token, else a password. */
function chooseChallenge(header: string): Challenge | undefined {
  const starts = [...header.matchAll(SCHEME)];
  let chosen: Challenge | undefined;
  for (const [i, start] of starts.entries()) {
    const part = header.slice(start.index, starts[i + 1]?.index);
    const parameters = new Map(
      [...part.matchAll(PARAMETER)].map(([, key = '', quoted, bare]) => [
        key.toLowerCase(),
        quoted?.replace(/\\(.)/g, '$1') ?? bare ?? '',
      ]),
    );
    const realm = parameters.get('realm');
    if (start[1]?.toLowerCase() === 'bearer') {
      if (realm !== undefined) return { kind: 'bearer', realm, parameters };
    } else chosen = { kind: 'basic' };
  }
  return chosen;
}

function grantBasic(credentials: Credentials, asked: Asking): Outcome {
  if (credentials.kind !== 'password') return NOTHING;
  const header = basic(credentials.user, credentials.password);
  return { kind: 'header', header, until: Infinity, asked };
}

function basic(user: string, password: string): string {
  return `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`;
}

interface TokenOptions {
  readonly credentials: Credentials;
  readonly access: Access;
  readonly asked: Asking;
  readonly send: Transport['send'];
  readonly signal: AbortSignal;
}

async function requestToken(
  { realm, parameters }: Extract<Challenge, { kind: 'bearer' }>,
  { credentials, access, asked, send, signal }: TokenOptions,
): Promise<Outcome> {
  const url = parseRealm(realm, asked.url, access);
  const query = new URLSearchParams();
  const service = parameters.get('service');
  if (service !== undefined) query.set('service', service);
  const wanted = [...(parameters.get('scope')?.split(' ') ?? []), ...access.scopes];
  const scopes = [...new Set(wanted.filter((scope) => scope !== ''))];
  let response: HttpResponse;
  if (credentials.kind === 'identity-token') {
    query.set('scope', scopes.join(' '));
    query.set('grant_type', 'refresh_token');
    query.set('refresh_token', credentials.token);
    query.set('client_id', 'tsbuild');
    const headers = { 'content-type': 'application/x-www-form-urlencoded' };
    const body = Buffer.from(query.toString());
    response = await send({ method: 'POST', url, headers, body, signal });
  } else {
    for (const scope of scopes) query.append('scope', scope);
    for (const [key, value] of query) url.searchParams.append(key, value);
    const isKnown = credentials.kind === 'password';
    const headers = isKnown ? { authorization: basic(credentials.user, credentials.password) } : {};
    response = await send({ method: 'GET', url, headers, signal });
  }
  if (isBusy(response)) return { kind: 'busy', response };
  if (response.status !== 200) throw await answerFailure(response, access);
  const token = parseToken(await readBody(response.body, MAX_TOKEN_BODY), access);
  return { kind: 'header', ...token, asked };
}

/** Credentials are not sent in the clear because a registry, or who speaks for it, says so. */
function parseRealm(realm: string, asked: URL, access: Access): URL {
  const url = URL.parse(realm);
  const isFit =
    url?.protocol === 'https:' || (url?.protocol === 'http:' && asked.protocol === 'http:');
  if (url !== null && isFit) return url;
  throw badToken(access, 'It sends logins to an address that is not encrypted.');
}

function parseToken(body: Buffer, access: Access): Pick<Granted, 'header' | 'until'> {
  let answer: unknown;
  try {
    answer = JSON.parse(body.toString());
  } catch {
    throw badToken(access, 'Its token is no JSON.');
  }
  const { token, access_token, expires_in } = { ...(answer as Readonly<Record<string, unknown>>) };
  const text = typeof token === 'string' && token !== '' ? token : access_token;
  // A token goes into a header: nothing may end the line.
  if (typeof text !== 'string' || !/^[\x21-\x7e]+$/.test(text)) {
    throw badToken(access, 'It gave no token.');
  }
  const lifetime = typeof expires_in === 'number' ? expires_in : DEFAULT_LIFETIME;
  return { header: `Bearer ${text}`, until: Date.now() + (lifetime - MARGIN) * 1000 };
}

function badToken(access: Access, hint: string): TsbuildError {
  const { registry } = access;
  return new TsbuildError('ERR_REGISTRY_FAILED', {
    message: `${cannot(access)}: ${registry} cannot be logged in to`,
    details: { registry, status: 401, code: undefined },
    hint,
  });
}
