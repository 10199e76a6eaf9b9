/** ADD of a file from the network (CP-23): to disk, hashed on the way. */

import { createHash } from 'node:crypto';
import { open, rm } from 'node:fs/promises';
import { TsbuildError } from '../errors.ts';

export interface DownloadResult {
  /** Hexadecimal. */
  readonly sha256: string;
  readonly size: number;
  /** Seconds since the Unix epoch, from Last-Modified; 0 without one (CP-23). */
  readonly mtime: number;
}

/** Fetches a file to a path that does not exist yet; after a failure it does not. @throws ERR_DOWNLOAD_FAILED */
export async function download(
  url: string,
  to: string,
  { signal }: { readonly signal: AbortSignal },
): Promise<DownloadResult> {
  const file = await open(to, 'wx');
  let done = false;
  try {
    const { address, headers } = requestOf(url);
    // A signal of its own: fetch lets go of its listener only when the garbage collector comes.
    const response = await fetch(address, { headers, signal: AbortSignal.any([signal]) });
    if (!response.ok) {
      await response.body?.cancel();
      throw failed(url, `the server answered ${response.status}`, response.status);
    }
    const hash = createHash('sha256');
    let size = 0;
    for await (const chunk of response.body ?? []) {
      hash.update(chunk);
      // Unlike write(), this writes all of it.
      await file.writeFile(chunk);
      size += chunk.length;
    }
    const modified = Date.parse(response.headers.get('last-modified') ?? '');
    done = true;
    const mtime = Number.isNaN(modified) ? 0 : Math.floor(modified / 1000);
    return { sha256: hash.digest('hex'), size, mtime };
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof TsbuildError) throw error;
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    throw failed(
      url,
      cause instanceof Error ? cause.message : 'the connection failed',
      undefined,
      error,
    );
  } finally {
    await file.close();
    if (!done) await rm(to, { force: true });
  }
}

/** fetch takes no user and password in an address. Like BuildKit's, the server may compress with gzip. */
function requestOf(url: string): {
  readonly address: URL;
  readonly headers: Readonly<Record<string, string>>;
} {
  const address = new URL(url);
  const headers = { 'accept-encoding': 'gzip' };
  const { username, password } = address;
  if (username === '' && password === '') return { address, headers };
  address.username = '';
  address.password = '';
  const credentials = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
  const authorization = `Basic ${Buffer.from(credentials).toString('base64')}`;
  return { address, headers: { ...headers, authorization } };
}

function failed(
  url: string,
  why: string,
  status: number | undefined,
  cause?: unknown,
): TsbuildError {
  const shown = redact(url);
  return new TsbuildError('ERR_DOWNLOAD_FAILED', {
    message: `Cannot download "${shown}": ${why}`,
    details: { url: shown, status },
    cause,
  });
}

/** A user and password in an address stay out of messages. */
function redact(url: string): string {
  return url.replace(/\/\/[^/@]*@/, '//');
}
