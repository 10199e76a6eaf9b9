/**
 * Who we are to a registry: docker's config.json, and the credential helpers it names.
 *
 * https://docs.docker.com/reference/cli/docker/login/#credential-stores
 */

import { readFile } from 'node:fs/promises';
import { TsbuildError } from '../errors.ts';

export type Credentials =
  | { readonly kind: 'password'; readonly user: string; readonly password: string }
  /** Exchanged for access tokens (OAuth2 refresh token). */
  | { readonly kind: 'identity-token'; readonly token: string }
  /** `reason`: why the helper that should have known them did not. */
  | { readonly kind: 'anonymous'; readonly reason?: string };

export interface CredentialStore {
  /** For a registry of a reference. @throws ERR_USAGE when config.json cannot be read */
  find(registry: string, signal: AbortSignal): Promise<Credentials>;
}

interface DockerConfig {
  readonly auths: ReadonlyMap<string, unknown>;
  readonly helpers: ReadonlyMap<string, string>;
  readonly store: string | undefined;
}

type Json = Readonly<Record<string, unknown>>;

const ANONYMOUS: Credentials = { kind: 'anonymous' };
/** The name that docker files docker.io's credentials under. */
const HUB_KEY = 'https://index.docker.io/v1/';
/** A helper may wait for a keyring to be unlocked, but in CI nobody will. */
const HELPER_TIMEOUT = 30_000;
/** Secrets are tokens of some KiB. */
const MAX_HELPER_OUTPUT = 1024 * 1024;

/** Credentials of a config.json, read at the first question; without a path, or a file, nobody's. */
export function credentialStore(configPath: string | undefined): CredentialStore {
  let loading: Promise<DockerConfig> | undefined;
  return {
    async find(registry, signal) {
      if (configPath === undefined) return ANONYMOUS;
      loading ??= readConfig(configPath);
      const config = await loading;
      const host = hostOf(registry);
      const helper = config.helpers.get(host) ?? config.store;
      const kept = parseAuth(config.auths.get(host));
      if (helper === undefined) return kept;
      const found = await askHelper(helper, host === 'docker.io' ? HUB_KEY : registry, signal);
      return found.kind === 'anonymous' && kept.kind !== 'anonymous' ? kept : found;
    },
  };
}

/** What a config.json has, without the secrets. @throws ERR_USAGE when it cannot be read */
export async function credentialEntries(path: string): Promise<{
  /** Kinds of the credentials kept in the file itself, by host. */
  readonly kept: ReadonlyMap<string, Credentials['kind']>;
  /** Helpers by host, and the one for all others. */
  readonly helpers: ReadonlyMap<string, string>;
  readonly store: string | undefined;
}> {
  const { auths, helpers, store } = await readConfig(path);
  const kept = [...auths].map(([host, entry]) => [host, parseAuth(entry).kind] as const);
  return { kept: new Map(kept), helpers, store };
}

async function readConfig(path: string): Promise<DockerConfig> {
  let json: unknown;
  try {
    json = JSON.parse(await readFile(path, 'utf8'));
  } catch (cause) {
    if (isObject(cause) && cause.code === 'ENOENT') json = {};
    else throw unreadable(path, cause);
  }
  if (!isObject(json)) throw unreadable(path);
  const { auths, credHelpers, credsStore } = json;
  const helpers = Object.entries(isObject(credHelpers) ? credHelpers : {});
  return {
    auths: new Map(
      Object.entries(isObject(auths) ? auths : {}).map(([key, it]) => [hostOf(key), it]),
    ),
    helpers: new Map(helpers.flatMap(([key, it]) => (isHelper(it) ? [[hostOf(key), it]] : []))),
    store: isHelper(credsStore) ? credsStore : undefined,
  };
}

/** `https://registry.example/v2/` and `registry.example` are one; so are docker.io's three names. */
function hostOf(key: string): string {
  const host = key.replace(/^https?:\/\//, '').split('/')[0] ?? '';
  return ['index.docker.io', 'registry-1.docker.io'].includes(host) ? 'docker.io' : host;
}

function parseAuth(entry: unknown): Credentials {
  if (!isObject(entry)) return ANONYMOUS;
  const { auth, username, password, identitytoken } = entry;
  if (isText(identitytoken)) return { kind: 'identity-token', token: identitytoken };
  if (isText(username) && isText(password)) return { kind: 'password', user: username, password };
  if (!isText(auth)) return ANONYMOUS;
  const decoded = Buffer.from(auth, 'base64').toString();
  const colon = decoded.indexOf(':');
  if (colon < 0) return ANONYMOUS;
  return { kind: 'password', user: decoded.slice(0, colon), password: decoded.slice(colon + 1) };
}

/** Without its answer we go on as nobody: most base images are public. */
async function askHelper(
  helper: string,
  server: string,
  signal: AbortSignal,
): Promise<Credentials> {
  const program = `docker-credential-${helper}`;
  const { exitCode, output } = await runHelper(program, server, signal);
  signal.throwIfAborted();
  if (exitCode !== 0) {
    if (output.includes('credentials not found')) return ANONYMOUS;
    return { kind: 'anonymous', reason: `The credential helper "${program}" failed.` };
  }
  const { Username: user, Secret: secret } = parseJson(output);
  if (!isText(user) || !isText(secret)) {
    return { kind: 'anonymous', reason: `The credential helper "${program}" gave no credentials.` };
  }
  if (user === '<token>') return { kind: 'identity-token', token: secret };
  return { kind: 'password', user, password: secret };
}

/** Resolves when the helper is gone; with exit code -1 if it never was, or was killed. */
async function runHelper(
  program: string,
  server: string,
  signal: AbortSignal,
): Promise<{ exitCode: number; output: string }> {
  const { spawn } = await import('node:child_process');
  return new Promise((resolve) => {
    const child = spawn(program, ['get'], {
      stdio: ['pipe', 'pipe', 'ignore'],
      timeout: HELPER_TIMEOUT,
      killSignal: 'SIGKILL',
      signal,
    });
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text;
      if (output.length > MAX_HELPER_OUTPUT) child.kill('SIGKILL');
    });
    // "error" tells of a failed start or an abort; "close" follows both.
    child.on('error', () => undefined);
    child.stdin.on('error', () => undefined).end(server);
    child.on('close', (code) => resolve({ exitCode: code ?? -1, output }));
  });
}

/** It becomes part of a program's name. */
function isHelper(value: unknown): value is string {
  return typeof value === 'string' && /^[\w.-]+$/.test(value);
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== '';
}

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function parseJson(text: string): Json {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : {};
  } catch {
    // What is no JSON has no credentials in it; the text itself may, so it goes into no error.
    return {};
  }
}

function unreadable(path: string, cause?: unknown): TsbuildError {
  return new TsbuildError('ERR_USAGE', {
    message: `Cannot read the registry credentials in "${path}"`,
    details: undefined,
    hint: "It must be a JSON file like docker's config.json.",
    cause: cause instanceof SyntaxError ? undefined : cause,
  });
}
