/** An HTTP server on the loopback, for the files that builds fetch. */

import { once } from 'node:events';
import { createServer, type IncomingMessage, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface HttpServer {
  /** Without a slash at the end. */
  readonly url: string;
  /** What it was asked, in order. */
  readonly requests: readonly IncomingMessage[];
}

/** Runs `use` with a server that answers so. */
export async function withHttp<T>(
  answer: RequestListener,
  use: (server: HttpServer) => Promise<T>,
): Promise<T> {
  const requests: IncomingMessage[] = [];
  const server = createServer((request, response) => {
    requests.push(request);
    answer(request, response);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  try {
    return await use({ url: `http://127.0.0.1:${port}`, requests });
  } finally {
    server.closeAllConnections();
    server.close();
  }
}
