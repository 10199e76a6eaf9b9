/** Which proxy a request goes through: HTTP_PROXY, HTTPS_PROXY and NO_PROXY, as docker (Go) reads them. */

import { BlockList, isIP } from 'node:net';

export type Environment = Readonly<Record<string, string | undefined>>;

/** The variables that count, the first that is set wins. */
export const PROXY_VARIABLES = {
  'http:': ['HTTP_PROXY', 'http_proxy'],
  'https:': ['HTTPS_PROXY', 'https_proxy'],
} as const;
export const NO_PROXY_VARIABLES = ['NO_PROXY', 'no_proxy'] as const;

/** The proxy for an address; undefined: none. Never one for this machine itself. */
export function proxyFor(url: URL, environment: Environment): URL | undefined {
  if (url.protocol !== 'http:' && url.protocol !== 'https:') return undefined;
  const value = firstOf(PROXY_VARIABLES[url.protocol], environment);
  if (value === undefined) return undefined;
  const proxy = parseProxy(value);
  if (proxy === undefined || !mayUseProxy(url, firstOf(NO_PROXY_VARIABLES, environment) ?? '')) {
    return undefined;
  }
  return proxy;
}

/** `host:port` is an address, too. Other kinds than HTTP's are not spoken. */
export function parseProxy(value: string): URL | undefined {
  const url = URL.parse(/^[a-z][a-z0-9+.-]*:\/\//i.test(value) ? value : `http://${value}`);
  return url?.protocol === 'http:' || url?.protocol === 'https:' ? url : undefined;
}

function firstOf(names: readonly string[], environment: Environment): string | undefined {
  const name = names.find((each) => environment[each]);
  return name === undefined ? undefined : environment[name];
}

/** What NO_PROXY lists: `*`, domains (their hosts, too), `.domains` (their hosts alone), addresses, networks. */
function mayUseProxy(url: URL, list: string): boolean {
  const host = url.hostname.replace(/^\[|\]$/g, '').toLowerCase();
  const port = url.port || (url.protocol === 'https:' ? '443' : '80');
  if (host === 'localhost' || isInNetwork(host, '127.0.0.0/8') || host === '::1') return false;
  const entries = list.split(',').map((entry) => entry.trim().toLowerCase());
  return !entries.some((entry) => entry !== '' && covers(entry, host, port));
}

function covers(entry: string, host: string, port: string): boolean {
  if (entry === '*') return true;
  if (entry.includes('/')) return isInNetwork(host, entry);
  const [, name = entry, wanted] = /^(\[.*\]|[^:]*)(?::(\d+))?$/.exec(entry) ?? [];
  if (wanted !== undefined && wanted !== port) return false;
  const domain = name.replace(/^\[|\]$/g, '').replace(/^\*(?=\.)/, '');
  if (isIP(domain) !== 0) return domain === host;
  return domain.startsWith('.')
    ? host.endsWith(domain)
    : host === domain || host.endsWith(`.${domain}`);
}

/** Whether a literal address is in `ADDRESS/BITS`; a name is in none: it is not looked up for this. */
export function isInNetwork(host: string, network: string): boolean {
  const [address = '', bits = ''] = network.split('/');
  const version = isIP(address);
  const isNetwork =
    version !== 0 && /^\d{1,3}$/.test(bits) && Number(bits) <= (version === 4 ? 32 : 128);
  if (!isNetwork || isIP(host) !== version) return false;
  const family = version === 4 ? 'ipv4' : 'ipv6';
  const list = new BlockList();
  list.addSubnet(address, Number(bits), family);
  return list.check(host, family);
}
