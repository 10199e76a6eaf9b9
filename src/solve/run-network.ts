/** The network of a RUN: whose it is, what connects it, how names are found in it (NET, EX-7, EX-8). */

import { access, constants, readFile } from 'node:fs/promises';
import type { Connection } from '../../native/index.ts';
import { hasProgram } from '../context/git-process.ts';
import { TsbuildError } from '../errors.ts';

/** What is said of a RUN's network in the plan. */
export type NetworkMode = 'default' | 'none' | 'host' | 'private';

/** How names are found; what is empty is as on this machine. */
export interface DnsOptions {
  readonly nameservers: readonly string[];
  readonly search: readonly string[];
  readonly options: readonly string[];
}

/** What resolvers there are on this machine; '' for a file that is not there. */
export interface HostResolver {
  readonly resolvConf: string;
  /** What systemd-resolved asks, where it is the only resolver (EX-8). */
  readonly upstream: string;
}

/** Told once per build, since it is a decision that users of other builders may not expect (NET-7). */
export const HOST_NETWORK_NOTE =
  'RUN uses the network of this machine; "--network=private" or "--network=none" keeps it apart';

const GATEWAY = '10.0.2.2';
/** Where pasta and slirp4netns answer for the host's resolver. */
const RESOLVER = '10.0.2.3';
/** Best first: pasta of Debian 12 stalls connections to the gateway (DECISIONS.md). */
const TOOLS = ['slirp4netns', 'pasta'] as const;
const TUN = '/dev/net/tun';

/** The namespace that a mode stands for: `default` is the host's. */
export function namespaceOf(mode: NetworkMode): 'host' | 'none' | 'private' {
  return mode === 'default' ? 'host' : mode;
}

/** What `host-gateway` means (OPT-1): where the host's own services are. */
export function hostGateway(mode: NetworkMode): string {
  return mode === 'private' ? GATEWAY : '127.0.0.1';
}

/** The program that connects a private network. @throws ERR_SANDBOX_UNAVAILABLE, saying what to install */
export async function findTunnel(): Promise<Pick<Connection, 'tool' | 'program'>> {
  const reason = await tunProblem();
  if (reason !== undefined) throw noPrivateNetwork(reason.reason, reason.fix);
  for (const tool of TOOLS) {
    if (await hasProgram(tool)) return { tool, program: tool };
  }
  throw noPrivateNetwork(
    'neither pasta nor slirp4netns is installed',
    'install the package "passt" or "slirp4netns"',
  );
}

async function tunProblem(): Promise<
  { readonly reason: string; readonly fix: string } | undefined
> {
  if (await isAccessible(TUN, constants.R_OK | constants.W_OK)) return undefined;
  if (await isAccessible(TUN, constants.F_OK)) {
    return { reason: `${TUN} may not be opened`, fix: `sudo chmod 666 ${TUN}` };
  }
  const fix = `"sudo modprobe tun", or "--device ${TUN}" for the container that this is`;
  return { reason: `there is no ${TUN}`, fix };
}

async function isAccessible(path: string, mode: number): Promise<boolean> {
  return await access(path, mode).then(
    () => true,
    () => false,
  );
}

function noPrivateNetwork(reason: string, fix: string): TsbuildError {
  return new TsbuildError('ERR_SANDBOX_UNAVAILABLE', {
    message: `Cannot give RUN a private network on this machine: ${reason}`,
    details: { reasons: [reason], fixes: [fix] },
    hint: `To change it: ${fix}. "--network=host" and "--network=none" need nothing.`,
  });
}

/** The files that the host finds names by. @throws ERR_SANDBOX_FAILED */
export async function readHostResolver(): Promise<HostResolver> {
  const resolvConf = await readOptional('/etc/resolv.conf');
  return { resolvConf, upstream: await readOptional('/run/systemd/resolve/resolv.conf') };
}

async function readOptional(path: string): Promise<string> {
  return await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return '';
    throw new TsbuildError('ERR_SANDBOX_FAILED', {
      message: `Cannot read ${path} for RUN`,
      details: { operation: 'ReadResolvConf' },
      cause: error,
    });
  });
}

/**
 * A RUN's resolv.conf. The host's as it is, unless flags say otherwise. In a private network, nobody
 * listens on loopback addresses: those are left out, and the tool's own resolver stands in for them.
 */
export function resolvConfFor(mode: NetworkMode, host: HostResolver, dns: DnsOptions): string {
  const isOwn = mode === 'private';
  const isAsked = [dns.nameservers, dns.search, dns.options].some((values) => values.length > 0);
  if (!isOwn && !isAsked) return host.resolvConf;
  const isStub = valuesOf(host.resolvConf, 'nameserver').every(
    (address) => address === '127.0.0.53',
  );
  const text = isOwn && isStub && host.upstream !== '' ? host.upstream : host.resolvConf;
  const found = valuesOf(text, 'nameserver').filter((address) => !isOwn || !isLoopback(address));
  const usable = found.length > 0 || !isOwn ? found : [RESOLVER];
  const nameservers = dns.nameservers.length > 0 ? dns.nameservers : usable;
  // docker's word for "none": a search in the root domain.
  const search = dns.search.length > 0 ? dns.search.filter((name) => name !== '.') : last(text);
  const options = dns.options.length > 0 ? dns.options : valuesOf(text, 'options');
  const lines = [
    ...nameservers.map((address) => `nameserver ${address}`),
    ...(search.length > 0 ? [`search ${search.join(' ')}`] : []),
    ...(options.length > 0 ? [`options ${options.join(' ')}`] : []),
  ];
  return `${lines.join('\n')}\n`;
}

/** Whether names are to be found by the tool that connects the network. */
export function asksTunnel(resolvConf: string): boolean {
  return valuesOf(resolvConf, 'nameserver').includes(RESOLVER);
}

/** Of several lines with search domains the last one counts. */
function last(text: string): readonly string[] {
  const lines = text.match(/^(?:search|domain)[ \t].*$/gm) ?? [];
  return (lines.at(-1) ?? '').split(/\s+/).slice(1).filter(Boolean);
}

function valuesOf(text: string, keyword: string): readonly string[] {
  const lines = text.split('\n').filter((line) => line.startsWith(`${keyword} `));
  return lines.flatMap((line) => line.split(/\s+/).slice(1).filter(Boolean));
}

function isLoopback(address: string): boolean {
  return /^127\.|^::1$|^0\.0\.0\.0$/.test(address);
}
