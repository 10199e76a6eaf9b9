/** A server on this machine that RUNs are to reach, or not. */

import { type AddressInfo, createServer } from 'node:net';
import { networkInterfaces } from 'node:os';

export interface HostServer {
  readonly port: number;
  readonly close: () => Promise<void>;
}

/** Says "hello" to whoever connects to `address`. */
export async function openHostServer(address: string): Promise<HostServer> {
  const server = createServer((socket) => {
    // Who goes away early is none of our business.
    socket.on('error', () => undefined).end('hello\n');
    socket.resume();
  });
  await new Promise<void>((resolve) => server.listen(0, address, resolve));
  const { port } = server.address() as AddressInfo;
  return { port, close: async () => await new Promise((resolve) => server.close(() => resolve())) };
}

/** An IPv4 address of this machine that is not loopback; undefined on one without a network. */
export function ownAddress(): string | undefined {
  const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  return all.find(({ family, internal }) => family === 'IPv4' && !internal)?.address;
}
