/** The arguments of EXPOSE, after expansion (META-1). */

import { TsbuildError } from '../src/errors.ts';

/**
 * Turns `[ip:][host:]port[-port][/protocol]` words into `port/protocol`, ranges written out.
 *
 * The order is that of the words. Address and host port are checked, then dropped, as in
 * BuildKit. Throws ERR_INSTRUCTION_INVALID.
 */
export function parsePorts(words: readonly string[]): readonly string[] {
  return words.flatMap(parsePort);
}

function parsePort(word: string): readonly string[] {
  const parts = word.split(':');
  const container = parts.pop() ?? '';
  const host = parts.pop() ?? '';
  checkAddress(word, parts.join(':'));
  const slash = container.indexOf('/');
  const ports = slash < 0 ? container : container.slice(0, slash);
  const protocol = slash < 0 ? 'tcp' : container.slice(slash + 1).toLowerCase() || 'tcp';
  if (ports === '') fail(word, `no port specified: ${container}<empty>`);
  if (!PROTOCOLS.includes(protocol)) fail(word, `invalid proto: ${protocol}`);
  const range = parseRange(ports);
  if (range === undefined) fail(word, `invalid containerPort: ${ports}`);
  if (host !== '') checkHost(word, host, range);
  return Array.from(
    { length: range.last - range.first + 1 },
    (_, i) => `${range.first + i}/${protocol}`,
  );
}

const PROTOCOLS: readonly string[] = ['tcp', 'udp', 'sctp'];

function fail(word: string, problem: string): never {
  throw new TsbuildError('ERR_INSTRUCTION_INVALID', {
    message: `Cannot expose "${word}": ${problem}`,
    details: undefined,
  });
}

interface PortRange {
  readonly first: number;
  readonly last: number;
}

function parseRange(text: string): PortRange | undefined {
  const match = /^(\d+)(?:-(\d+))?$/.exec(text);
  if (match === null) return undefined;
  const first = Number(match[1]);
  const last = Number(match[2] ?? match[1]);
  return first <= last && last <= 65535 ? { first, last } : undefined;
}

function checkHost(word: string, host: string, container: PortRange): void {
  const range = parseRange(host);
  if (range === undefined) fail(word, `invalid hostPort: ${host}`);
  const isSameLength = range.last - range.first === container.last - container.first;
  // A range of host ports may stand for "any of them", if there is one container port.
  if (!isSameLength && container.first !== container.last) {
    fail(word, 'invalid ranges specified for container and host Ports');
  }
}

function checkAddress(word: string, address: string): void {
  const bare = /^\[(.*)\]$/.exec(address)?.[1] ?? address;
  if (bare !== '' && !isIpv4(bare) && !isIpv6(bare)) fail(word, `invalid IP address: ${bare}`);
}

function isIpv4(text: string): boolean {
  const parts = text.split('.');
  return (
    parts.length === 4 &&
    parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) < 256)
  );
}

function isIpv6(text: string): boolean {
  const halves = text.split('::');
  if (halves.length > 2) return false;
  const groups = halves.flatMap((half) => (half === '' ? [] : half.split(':')));
  const tail = groups.at(-1);
  const hasIpv4 = tail !== undefined && isIpv4(tail);
  const count = groups.length + (hasIpv4 ? 1 : 0);
  const isHex = groups.slice(0, hasIpv4 ? -1 : undefined).every((g) => /^[\da-f]{1,4}$/i.test(g));
  return isHex && (halves.length === 2 ? count < 8 : count === 8);
}
