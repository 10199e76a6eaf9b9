/** A proxy on loopback that tells who was asked for, and leads every name to one place. */

import { createServer, request as ask } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';

export interface TestProxy {
  /** With a user and a password, which it wants to see. */
  readonly url: string;
  /** `CONNECT registry.test:443`, `GET registry.test/v2/…` */
  readonly log: readonly string[];
  close(): Promise<void>;
}

/** Whatever is asked for is at this port of this machine; or the host's port, by a function. */
export async function startProxy(to: number | ((host: string) => number)): Promise<TestProxy> {
  const portOf = (host: string): number => (typeof to === 'number' ? to : to(host));
  const log: string[] = [];
  const sockets = new Set<Socket>();
  const expected = `Basic ${Buffer.from('me:pr0xy').toString('base64')}`;
  const server = createServer((request, response) => {
    const { method, headers } = request;
    const url = new URL(request.url ?? '');
    log.push(`${method} ${url.host}${url.pathname}`);
    if (headers['proxy-authorization'] !== expected) {
      response.writeHead(407).end();
      return;
    }
    const { 'proxy-authorization': _, ...others } = headers;
    const path = url.pathname + url.search;
    const port = portOf(url.hostname);
    const asked = ask({ port, method, path, headers: others, agent: false }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    asked.on('error', () => response.destroy());
    request.pipe(asked);
  });
  server.on('connect', (request, socket: Socket) => {
    log.push(`CONNECT ${request.url}`);
    sockets.add(socket);
    if (request.headers['proxy-authorization'] !== expected) {
      socket.end('HTTP/1.1 407 Who are you\r\n\r\n');
      return;
    }
    const [host = ''] = (request.url ?? '').split(':');
    const other = connect(portOf(host), '127.0.0.1', () => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      other.pipe(socket).pipe(other);
    });
    sockets.add(other);
    for (const end of [socket, other]) end.on('error', () => end.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const own = (server.address() as AddressInfo).port;
  return {
    url: `http://me:pr0xy@127.0.0.1:${own}`,
    log,
    async close() {
      for (const socket of sockets) socket.destroy();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
