/** What registries answer, and how connections fail, in our words. */

import { TsbuildError } from '../errors.ts';
import { connectionCode } from '../http/connection-code.ts';
import { type HttpResponse, readBody } from '../http/transport.ts';

/** Specified errors are small; a storage's HTML page need not be read whole. */
const MAX_ERROR_BODY = 64 * 1024;
const MAX_ERROR_TEXT = 300;

export interface Asked {
  /** Host and port, as in a reference. */
  readonly registry: string;
  /** What was asked for, in the user's words: an image's name. */
  readonly name: string;
  /** It was to be written, not read. */
  readonly isPush?: boolean;
}

/** What could not be done. */
export function cannot({ name, isPush = false }: Asked): string {
  return `Cannot ${isPush ? 'push' : 'access'} "${name}"`;
}

/**
 * An answer that is no success: 401 and 403 are ERR_REGISTRY_DENIED, others ERR_REGISTRY_FAILED with
 * the code of the distribution spec if the body has one. Reads the body.
 */
export async function answerFailure(
  response: HttpResponse,
  asked: Asked,
  hint?: string,
): Promise<TsbuildError> {
  const { registry } = asked;
  const { status, url } = response;
  const { code, text } = await readSpecError(response);
  const said = [code, text].filter((part) => part !== undefined).join(': ');
  const message = `${cannot(asked)}: ${redactUrl(url)} answered ${status}${said && ` (${said})`}`;
  if (status === 401 || status === 403) {
    return new TsbuildError('ERR_REGISTRY_DENIED', {
      message,
      details: { registry, status },
      hint: hint ?? `It needs a login, or does not exist. Run "docker login ${registry}" first.`,
    });
  }
  return new TsbuildError('ERR_REGISTRY_FAILED', {
    message,
    details: { registry, status, code },
    hint: status === 429 ? 'The registry limits how often it is asked. Log in, or wait.' : hint,
  });
}

async function readSpecError(
  response: HttpResponse,
): Promise<{ code: string | undefined; text: string | undefined }> {
  let body = '';
  try {
    body = (await readBody(response.body, MAX_ERROR_BODY)).toString();
    const first = firstError(JSON.parse(body));
    if (first !== undefined) return first;
  } catch {
    // No body, or none that the spec defines: the status says enough.
  }
  return { code: undefined, text: undefined };
}

function firstError(
  document: unknown,
): { code: string | undefined; text: string | undefined } | undefined {
  const errors: unknown = isObject(document) ? document.errors : undefined;
  const first: unknown = Array.isArray(errors) ? errors[0] : undefined;
  if (!isObject(first)) return undefined;
  const { code, message } = first;
  return {
    code: typeof code === 'string' ? plain(code) : undefined,
    text: typeof message === 'string' && message !== '' ? plain(message) : undefined,
  };
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}

/** A stranger's text on the user's terminal: no control characters, not endless. */
function plain(text: string): string {
  return text.replace(/\p{Cc}+/gu, ' ').slice(0, MAX_ERROR_TEXT);
}

/** No answer at all. */
export function connectionFailure(
  cause: unknown,
  asked: Asked,
  proxy?: URL,
): TsbuildError<'ERR_REGISTRY_UNREACHABLE'> {
  const { registry } = asked;
  const by = proxy === undefined ? '' : ` It was asked through the proxy ${proxy.host}.`;
  const code = connectionCode(cause);
  return new TsbuildError('ERR_REGISTRY_UNREACHABLE', {
    message: `${cannot(asked)}: ${registry} is not reachable${code && ` (${code})`}`,
    details: { registry },
    hint: connectionHint(code) + by,
    cause,
  });
}

function connectionHint(code: string): string {
  if (code === 'ECONNREFUSED') return 'Nothing listens there. Check the host and the port.';
  if (code === 'ENOTFOUND' || code === 'EAI_AGAIN') {
    return 'The host name cannot be resolved. Check its spelling, and the network.';
  }
  if (/CERT|SELF_SIGNED|UNABLE_TO_(?:VERIFY|GET)/.test(code)) {
    return 'Its certificate is not trusted. Name its authority in NODE_EXTRA_CA_CERTS, or in certs.d.';
  }
  if (/UND_ERR_(?:ABORTED|PRX)/.test(code)) {
    return 'The proxy of HTTPS_PROXY or HTTP_PROXY refuses. Check its address, user and password.';
  }
  if (/SSL|EPROTO/.test(code))
    return 'It does not speak TLS. For plain HTTP name it with --insecure-registry.';
  return 'Check the network, and whether the registry is up.';
}

/** A URL that may be shown: signed links and user names carry secrets. */
export function redactUrl(url: URL): string {
  return `${url.protocol}//${url.host}${url.pathname}${url.search && '?…'}`;
}
