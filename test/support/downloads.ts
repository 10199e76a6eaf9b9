/** Downloads of one file from a server that answers so. */

import assert from 'node:assert/strict';
import type { RequestListener } from 'node:http';
import {
  download as fetchOnce,
  type DownloadOptions,
  type DownloadResult,
} from '../../src/context/download.ts';
import { type HttpServer, withHttp } from './http-server.ts';
import { withDirectory } from './temporary.ts';

/** Without waiting between attempts. */
export async function download(
  url: string,
  to: string,
  options: DownloadOptions,
): Promise<DownloadResult> {
  const result = await fetchOnce(url, to, { delays: [], ...options });
  assert.ok(result !== undefined);
  return result;
}

/** Runs `use` with a server, and a directory to download to. */
export async function withServer(
  answer: RequestListener,
  use: (url: string, directory: string, server: HttpServer) => Promise<void>,
): Promise<void> {
  await withHttp(answer, async (server) => {
    await withDirectory((directory) => use(`${server.url}/file`, directory, server));
  });
}
