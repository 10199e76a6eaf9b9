/** A file of a server: redirects followed, credentials left behind where they lead to another. */

import type { Readable } from 'node:stream';
import { discardBody, type HttpResponse, type Transport } from '../http/transport.ts';

export interface HttpGet {
  readonly address: URL;
  /** `authorization` goes to the address's own origin alone. */
  readonly headers: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
}

export interface HttpFile {
  readonly status: number;
  readonly headers: HttpResponse['headers'];
  /** Unpacked, if the server has compressed it for the way. To be read to its end, or destroyed. */
  readonly body: Readable;
  /** Whether the body's bytes are those that ranges count. */
  readonly isPlain: boolean;
}

const REDIRECTS: readonly number[] = [301, 302, 303, 307, 308];
const MAX_REDIRECTS = 20;

/** Fails as the transport; with an Error for redirects without end or sense. */
export async function httpGet(
  transport: Transport,
  { address, headers, signal }: HttpGet,
): Promise<HttpFile> {
  const { authorization, ...others } = headers;
  let url = address;
  let isHome = authorization !== undefined;
  for (let hops = 0; ; hops++) {
    // What has once been elsewhere comes back as a stranger.
    isHome &&= url.origin === address.origin;
    const sent = isHome && authorization !== undefined ? { ...others, authorization } : others;
    const response = await transport.send({ method: 'GET', url, headers: sent, signal });
    const { location } = response.headers;
    if (!REDIRECTS.includes(response.status) || location === undefined) return opened(response);
    await discardBody(response.body);
    const next = URL.parse(location, url.href);
    if (next?.protocol !== 'http:' && next?.protocol !== 'https:') {
      throw new Error('the server redirects to nowhere');
    }
    if (hops === MAX_REDIRECTS) throw new Error('the server redirects without end');
    url = next;
  }
}

function opened({ status, headers, body }: HttpResponse): HttpFile {
  const coding = headers['content-encoding']?.toLowerCase();
  if (coding === undefined || coding === 'identity' || coding === '') {
    return { status, headers, body, isPlain: true };
  }
  if (coding !== 'gzip' && coding !== 'x-gzip') {
    body.destroy();
    throw new Error('the server compresses in a way that it was not asked for');
  }
  // Few builds need the module, and the body may fail while it is waited for.
  const unpacked = process.getBuiltinModule('node:zlib').createGunzip();
  // pipe() alone would leave the one open when the other breaks.
  body.on('error', (error) => unpacked.destroy(error));
  unpacked.on('close', () => body.destroy());
  return { status, headers, body: body.pipe(unpacked), isPlain: false };
}
