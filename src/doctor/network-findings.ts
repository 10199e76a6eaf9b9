/** Certificates and proxies in effect, each with where it comes from. Never a password. */

import { redactUrl } from '../context/url-credentials.ts';
import {
  type Environment,
  NO_PROXY_VARIABLES,
  parseProxy,
  PROXY_VARIABLES,
} from '../http/proxy.ts';
import type { Finding } from './finding.ts';
import { isReadable } from './is-readable.ts';

export async function networkFindings(environment: Environment): Promise<readonly Finding[]> {
  return [...(await certificates(environment)), ...proxies(environment)];
}

/** Node's, and those that git looks at alone. */
const CERTIFICATES = {
  NODE_EXTRA_CA_CERTS: 'registries and downloads',
  NODE_USE_SYSTEM_CA: 'registries and downloads',
  SSL_CERT_FILE: 'registries, downloads and git',
  SSL_CERT_DIR: 'registries, downloads and git',
  GIT_SSL_CAINFO: 'git',
  GIT_SSL_CAPATH: 'git',
  CURL_CA_BUNDLE: 'git',
};

async function certificates(environment: Environment): Promise<readonly Finding[]> {
  const findings: Finding[] = [];
  for (const [name, use] of Object.entries(CERTIFICATES)) {
    const value = environment[name];
    if (!value) continue;
    const base = {
      id: `ca.${name}`,
      group: 'network',
      details: { variable: name, value, for: use },
    } as const;
    const text = `certificates: ${name}=${value}, for ${use}`;
    const isFile = name !== 'NODE_USE_SYSTEM_CA';
    if (!isFile || (await isReadable(value))) findings.push({ ...base, status: 'ok', text });
    else {
      const fix = `${name}=FILE, with certificates in PEM`;
      findings.push({ ...base, status: 'warn', text: `${text}, which cannot be read`, fix });
    }
  }
  if (findings.length > 0) return findings;
  const text =
    "certificates: Node's own list, then the machine's (NODE_EXTRA_CA_CERTS adds to them)";
  return [{ id: 'ca', group: 'network', status: 'info', text }];
}

const OURS: readonly string[] = [...Object.values(PROXY_VARIABLES).flat(), ...NO_PROXY_VARIABLES];
const OTHERS = ['ALL_PROXY', 'all_proxy'];

function proxies(environment: Environment): readonly Finding[] {
  const findings = [...OURS, ...OTHERS].flatMap((name) => {
    const value = environment[name];
    if (!value) return [];
    const shown = redactUrl(value);
    const isAddress = !/no_proxy/i.test(name);
    const isOurs = OURS.includes(name) && (!isAddress || parseProxy(value) !== undefined);
    const uses = isOurs ? ['registries', 'downloads', 'git'] : ['git'];
    const finding: Finding = {
      id: `proxy.${name}`,
      group: 'network',
      status: isOurs ? 'ok' : 'warn',
      text: `proxy: ${name}=${shown}, for ${uses.join(', ')}; not for RUN`,
      fix: isOurs ? `for RUN: --build-arg ${name}` : 'HTTP_PROXY and HTTPS_PROXY=http://HOST:PORT',
      details: { variable: name, value: shown, for: uses },
    };
    return [finding];
  });
  if (findings.length > 0) return findings;
  return [
    { id: 'proxy', group: 'network', status: 'info', text: 'proxy: none in the environment' },
  ];
}
