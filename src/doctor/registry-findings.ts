/** Credentials, mirrors, certificates and proxies in effect, each with where it comes from. Never a secret. */

import { access, constants } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { redactUrl } from '../context/url-credentials.ts';
import { TsbuildError } from '../errors.ts';
import { type CredentialSource, describeCredentials } from '../registry/index.ts';
import type { Finding } from './finding.ts';

export interface NetworkOptions {
  /** The directory of docker's config.json. */
  readonly dockerConfig: string | undefined;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

export async function networkFindings(options: NetworkOptions): Promise<readonly Finding[]> {
  const { environment } = options;
  return [
    ...(await credentials(options)),
    {
      id: 'mirrors',
      group: 'registries',
      status: 'info',
      text: 'mirrors: none (this version has no setting for them)',
    },
    ...(await certificates(environment)),
    ...proxies(environment),
  ];
}

async function credentials({
  dockerConfig,
  environment,
}: NetworkOptions): Promise<readonly Finding[]> {
  const base = { id: 'credentials', group: 'registries' } as const;
  if (dockerConfig === undefined) {
    return [{ ...base, status: 'info', text: 'credentials: none (no config directory is given)' }];
  }
  const file = join(dockerConfig, 'config.json');
  const from = `${file}${environment['DOCKER_CONFIG'] ? ' (DOCKER_CONFIG)' : ''}`;
  try {
    await access(file);
  } catch {
    return [
      {
        ...base,
        status: 'info',
        text: `credentials: none, there is no ${from}`,
        details: { file },
      },
    ];
  }
  let sources: readonly CredentialSource[];
  try {
    sources = await describeCredentials(file);
  } catch (error) {
    if (!(error instanceof TsbuildError)) throw error;
    return [{ ...base, status: 'no', text: error.message, fix: error.hint ?? 'mend the file' }];
  }
  if (sources.length === 0) {
    return [{ ...base, status: 'info', text: `credentials: none in ${from}`, details: { file } }];
  }
  return await Promise.all(
    sources.map(async (source) => await credential(source, { file, from, environment })),
  );
}

interface Place {
  readonly file: string;
  readonly from: string;
  readonly environment: NetworkOptions['environment'];
}

async function credential(
  { registry, helper, kind }: CredentialSource,
  { file, from, environment }: Place,
): Promise<Finding> {
  const whose = registry ?? 'any other registry';
  const base = {
    id: `credentials.${registry ?? '*'}`,
    group: 'registries',
    details: { registry: registry ?? null, file, helper: helper ?? null, kind },
  } as const;
  if (helper === undefined) {
    if (kind === 'nothing') {
      const text = `${whose}: an entry without credentials in ${from}`;
      return { ...base, status: 'warn', text, fix: `docker login ${whose}` };
    }
    return { ...base, status: 'ok', text: `${whose}: ${kind} from ${from}` };
  }
  if (await isInPath(helper, environment)) {
    return { ...base, status: 'ok', text: `${whose}: asked of ${helper}, named in ${from}` };
  }
  return {
    ...base,
    status: 'warn',
    text: `${whose}: ${helper}, named in ${from}, is not in PATH: anonymous`,
    fix: `install ${helper}, or remove it from ${file}`,
  };
}

/** Node's, and those that git looks at alone. */
const CERTIFICATES = {
  NODE_EXTRA_CA_CERTS: 'registries and downloads',
  NODE_USE_SYSTEM_CA: 'registries and downloads',
  SSL_CERT_FILE: 'git',
  SSL_CERT_DIR: 'git',
  GIT_SSL_CAINFO: 'git',
  GIT_SSL_CAPATH: 'git',
  CURL_CA_BUNDLE: 'git',
};

async function certificates(
  environment: NetworkOptions['environment'],
): Promise<readonly Finding[]> {
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
  const text = "certificates: Node's own list (NODE_EXTRA_CA_CERTS adds to it)";
  return [{ id: 'ca', group: 'network', status: 'info', text }];
}

const PROXIES = ['HTTP_PROXY', 'HTTPS_PROXY', 'ALL_PROXY', 'NO_PROXY'];

function proxies(environment: NetworkOptions['environment']): readonly Finding[] {
  const usesNode = environment['NODE_USE_ENV_PROXY'] === '1';
  const findings = PROXIES.flatMap((upper) => [upper, upper.toLowerCase()]).flatMap((name) => {
    const value = environment[name];
    if (!value) return [];
    const shown = redactUrl(value);
    // Node's fetch takes them when told so; the connections to registries are our own.
    const uses = ['git', ...(usesNode ? ['downloads'] : [])];
    const finding: Finding = {
      id: `proxy.${name}`,
      group: 'network',
      status: 'warn',
      text: `proxy: ${name}=${shown}, for ${uses.join(' and ')}; not for registries, nor for RUN`,
      fix: `for RUN: --build-arg ${name}`,
      details: { variable: name, value: shown, for: uses },
    };
    return [finding];
  });
  if (findings.length > 0) return findings;
  return [
    { id: 'proxy', group: 'network', status: 'info', text: 'proxy: none in the environment' },
  ];
}

async function isInPath(
  program: string,
  { PATH = '' }: NetworkOptions['environment'],
): Promise<boolean> {
  for (const folder of PATH.split(delimiter)) {
    if (folder !== '' && (await isReadable(join(folder, program), constants.X_OK))) return true;
  }
  return false;
}

async function isReadable(path: string, mode = constants.R_OK): Promise<boolean> {
  return await access(path, mode).then(
    () => true,
    () => false,
  );
}
