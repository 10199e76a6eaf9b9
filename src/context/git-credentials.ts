/** Who we are to a git server: secrets of the build, and what the address itself says (CP-26). */

import type { GitSource } from './git-url.ts';

export interface GitCredentials {
  /** For git, scoped to the server. */
  readonly config: readonly (readonly [string, string])[];
  /** What is sent as `Authorization`. */
  readonly header: string | undefined;
  /** In words, for messages: what was tried, or what there was none of. */
  readonly tried: string;
  /** What must not be seen in any text. */
  readonly secrets: readonly string[];
}

export interface CredentialOptions {
  readonly secrets: ReadonlyMap<string, Uint8Array>;
  /** The repository that the build names: secrets without a host are for its server alone. */
  readonly top: GitSource;
  readonly hasAgent: boolean;
}

/** The more specific secret first, and a header before a token, as BuildKit has it. */
export function gitCredentials(
  source: GitSource,
  { secrets, top, hasAgent }: CredentialOptions,
): GitCredentials {
  if (source.transport === 'ssh') {
    const tried = hasAgent
      ? 'The keys of the ssh agent (SSH_AUTH_SOCK) and of ~/.ssh were tried.'
      : 'There is no ssh agent (SSH_AUTH_SOCK is not set): only the keys in ~/.ssh were tried.';
    return { ...NOBODY, tried };
  }
  if (source.transport === 'git') return { ...NOBODY, tried: 'git:// knows no credentials.' };
  // A submodule must not lead what is meant for https away to an unencrypted connection.
  const isSafe = source.transport === 'https' || top.transport === 'http';
  const isOwn = source.host === top.host && source.transport === top.transport;
  const names = [
    `GIT_AUTH_HEADER.${source.host}`,
    `GIT_AUTH_TOKEN.${source.host}`,
    ...(isOwn ? ['GIT_AUTH_HEADER', 'GIT_AUTH_TOKEN'] : []),
  ];
  const name = isSafe ? names.find((candidate) => secrets.has(candidate)) : undefined;
  if (name !== undefined) {
    const secret = Buffer.from(secrets.get(name) ?? [])
      .toString('utf8')
      .trim();
    const header = name.startsWith('GIT_AUTH_HEADER') ? secret : basic(`x-access-token:${secret}`);
    return authorized(source, header, `The secret "${name}" was sent.`, secret);
  }
  const own = source.credentials ?? (isOwn ? top.credentials : undefined);
  if (own !== undefined) {
    const password = own.slice(own.indexOf(':') + 1);
    return authorized(
      source,
      basic(own),
      'The user and password of the address were sent.',
      password,
    );
  }
  const list = names.map((candidate) => `"${candidate}"`).join(', ');
  return { ...NOBODY, tried: `No credentials were sent: there is no secret ${list}.` };
}

const NOBODY: GitCredentials = { config: [], header: undefined, tried: '', secrets: [] };

function authorized(
  { transport, host }: GitSource,
  header: string,
  tried: string,
  secret: string,
): GitCredentials {
  const key = `http.${transport}://${host}/.extraHeader`;
  const encoded = header.slice(header.indexOf(' ') + 1);
  return {
    config: [
      [key, `Authorization: ${header}`],
      ['http.followRedirects', 'false'],
    ],
    header,
    tried,
    secrets: [secret, header, encoded].filter((text) => text !== ''),
  };
}

function basic(userAndPassword: string): string {
  return `basic ${Buffer.from(userAndPassword).toString('base64')}`;
}
