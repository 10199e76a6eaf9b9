/**
 * Who we are to a registry: docker's config.json, podman's auth.json, and the credential helpers they name.
 *
 * https://docs.docker.com/reference/cli/docker/login/#credential-stores
 * https://github.com/containers/image/blob/main/docs/containers-auth.json.5.md
 */

import { TsbuildError } from '../errors.ts';
import type { CredentialFile } from './settings/places.ts';
import { isObject, parseJson, readSettings } from './settings/read-file.ts';

export type Credentials =
  | { readonly kind: 'password'; readonly user: string; readonly password: string }
  /** Exchanged for access tokens (OAuth2 refresh token). */
  | { readonly kind: 'identity-token'; readonly token: string }
  /** `reason`: why the helper that should have known them did not. */
  | { readonly kind: 'anonymous'; readonly reason?: string };

export interface CredentialStore {
  /** For a repository of a registry, as references name them. @throws ERR_USAGE when a file cannot be read */
  find(
    place: { readonly registry: string; readonly repository: string },
    signal: AbortSignal,
  ): Promise<Credentials>;
}

interface Logins {
  /** By host; in auth.json also by host and namespace. */
  readonly auths: ReadonlyMap<string, unknown>;
  readonly helpers: ReadonlyMap<string, string>;
  readonly store: string | undefined;
}

const ANONYMOUS: Credentials = { kind: 'anonymous' };
/** The name that docker files docker.io's credentials under. */
const HUB_KEY = 'https://index.docker.io/v1/';
/** A helper may wait for a keyring to be unlocked, but in CI nobody will. */
const HELPER_TIMEOUT = 30_000;
/** Secrets are tokens of some KiB. */
const MAX_HELPER_OUTPUT = 1024 * 1024;

/** Credentials of several files, read at the first question; the first that has some is right. */
export function credentialStore(files: readonly CredentialFile[]): CredentialStore {
  let loading: Promise<readonly Logins[]> | undefined;
  return {
    async find({ registry, repository }, signal) {
      loading ??= Promise.all(files.map(readLogins));
      let reason: string | undefined;
      for (const logins of await loading) {
        const found = await findIn(logins, { registry, repository }, signal);
        if (found.kind !== 'anonymous') return found;
        reason ??= found.reason;
      }
      return reason === undefined ? ANONYMOUS : { kind: 'anonymous', reason };
    },
  };
}

async function findIn(
  { auths, helpers, store }: Logins,
  { registry, repository }: { readonly registry: string; readonly repository: string },
  signal: AbortSignal,
): Promise<Credentials> {
  const host = hostOf(registry);
  const key = namespaces(`${host}/${repository}`).find((name) => auths.has(name));
  const kept = parseAuth(key === undefined ? undefined : auths.get(key));
  const helper = helpers.get(host) ?? store;
  if (helper === undefined) return kept;
  const found = await askHelper(helper, host === 'docker.io' ? HUB_KEY : registry, signal);
  return found.kind === 'anonymous' && kept.kind !== 'anonymous' ? kept : found;
}

/** `host/a/b`, `host/a`, `host` */
function namespaces(name: string): readonly string[] {
  const parts = name.split('/');
  return parts.map((_, i) => parts.slice(0, parts.length - i).join('/'));
}

/** What a file has, without the secrets. @throws ERR_USAGE when it cannot be read */
export async function credentialEntries(file: CredentialFile): Promise<{
  /** Kinds of the credentials kept in the file itself, by host. */
  readonly kept: ReadonlyMap<string, Credentials['kind']>;
  /** Helpers by host, and the one for all others. */
  readonly helpers: ReadonlyMap<string, string>;
  readonly store: string | undefined;
}> {
  const { auths, helpers, store } = await readLogins(file);
  const kept = [...auths].map(([host, entry]) => [host, parseAuth(entry).kind] as const);
  return { kept: new Map(kept), helpers, store };
}

async function readLogins(file: CredentialFile): Promise<Logins> {
  const text = file.text ?? (await readText(file.path));
  const json = text.trim() === '' ? {} : parseJson(text);
  if (json === undefined) throw unreadable(file.path);
  const { auths, credHelpers, credsStore } = json;
  const helpers = Object.entries(isObject(credHelpers) ? credHelpers : {});
  const keyOf = file.kind === 'containers' ? namespaceOf : hostOf;
  return {
    auths: new Map(
      Object.entries(isObject(auths) ? auths : {}).map(([key, it]) => [keyOf(key), it]),
    ),
    helpers: new Map(helpers.flatMap(([key, it]) => (isHelper(it) ? [[hostOf(key), it]] : []))),
    store: isHelper(credsStore) ? credsStore : undefined,
  };
}

async function readText(path: string): Promise<string> {
  try {
    return (await readSettings(path)) ?? '';
  } catch (cause) {
    throw unreadable(path, cause);
  }
}

/** `https://registry.example/v2/` and `registry.example` are one; so are docker.io's three names. */
function hostOf(key: string): string {
  const host = key.replace(/^https?:\/\//, '').split('/')[0] ?? '';
  return ['index.docker.io', 'registry-1.docker.io'].includes(host) ? 'docker.io' : host;
}

/** Podman's keys may go on with a part of a repository's name; docker's, which it takes over, do not. */
function namespaceOf(key: string): string {
  const isAddress = /^https?:\/\//.test(key) || /^[^/]+\/v[12]\/?$/.test(key);
  const path = key.split('/').slice(1);
  return isAddress ? hostOf(key) : [hostOf(key), ...path].join('/');
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
  const { Username: user, Secret: secret } = parseJson(output) ?? {};
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
      killSignal: 'SIGKILL',
      signal,
    });
    // Node's own timer stays behind when the program cannot be started.
    const timer = setTimeout(() => child.kill('SIGKILL'), HELPER_TIMEOUT);
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text;
      if (output.length > MAX_HELPER_OUTPUT) child.kill('SIGKILL');
    });
    // "error" tells of a failed start or an abort; "close" follows both.
    child.on('error', () => undefined);
    child.stdin.on('error', () => undefined).end(server);
    child.on('close', (code) => {
      clearTimeout(timer);
      resolve({ exitCode: code ?? -1, output });
    });
  });
}

/** It becomes part of a program's name. */
function isHelper(value: unknown): value is string {
  return typeof value === 'string' && /^[\w.-]+$/.test(value);
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== '';
}

function unreadable(path: string, cause?: unknown): TsbuildError {
  return new TsbuildError('ERR_USAGE', {
    message: `Cannot read the registry credentials in "${path}"`,
    details: undefined,
    hint: "It must be a JSON file like docker's config.json.",
    cause: cause instanceof SyntaxError ? undefined : cause,
  });
}
