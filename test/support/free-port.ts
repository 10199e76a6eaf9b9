/** A port of loopback on which nobody listens at this moment, for a program that cannot choose one itself. */

import { once } from 'node:events';
import { createServer } from 'node:net';

/** May be somebody else's by the time that it is used, which is rare: the kernel gives others first. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}
