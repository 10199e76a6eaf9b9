/** Where settings of registries are looked for: the files of docker, podman and their relatives. */

import { join } from 'node:path';
import type { Environment } from '../../http/proxy.ts';

/** What is known of the user and the machine. Nothing is looked for where nothing is said. */
export interface SettingsPlaces {
  readonly environment?: Environment | undefined;
  /** The directory of docker's config.json. */
  readonly dockerConfig?: string | undefined;
  /** The machine's settings, usually `/etc`. */
  readonly system?: string | undefined;
  /** Registries for which plain HTTP and unknown certificates will do: `HOST[:PORT]`, or a network. */
  readonly insecureRegistries?: readonly string[] | undefined;
}

/**
 * What is known of this machine. Who says nothing of the environment means the machine's settings no
 * more than the user's: only docker's directory is looked at then.
 */
export function settingsPlaces({
  environment,
  ...rest
}: Omit<SettingsPlaces, 'system'>): SettingsPlaces {
  return environment === undefined ? rest : { ...rest, environment, system: '/etc' };
}

/** A file that may be there, and why it is looked at. */
export interface SettingsFile {
  readonly path: string;
  /** The variable that names it, if one does. */
  readonly variable?: string;
}

/** Where logins are. */
export interface CredentialFile {
  /** `auth.json` knows logins of single namespaces, docker's file those of hosts alone. */
  readonly kind: 'docker' | 'containers' | 'text';
  /** The path; of `text`, which is in the environment itself, the variable's name. */
  readonly path: string;
  /** The variable that names the file, if one does. */
  readonly variable?: string;
  readonly text?: string;
}

/** In the order in which they are asked: what a variable names comes before what happens to be there. */
export function credentialFiles(places: SettingsPlaces): readonly CredentialFile[] {
  const { environment = {}, dockerConfig } = places;
  const { DOCKER_AUTH_CONFIG, REGISTRY_AUTH_FILE, DOCKER_CONFIG } = environment;
  const files: CredentialFile[] = [];
  if (DOCKER_AUTH_CONFIG) {
    files.push({ kind: 'text', path: 'DOCKER_AUTH_CONFIG', text: DOCKER_AUTH_CONFIG });
  }
  if (REGISTRY_AUTH_FILE) {
    files.push({ kind: 'containers', path: REGISTRY_AUTH_FILE, variable: 'REGISTRY_AUTH_FILE' });
  }
  if (dockerConfig !== undefined) {
    const path = join(dockerConfig, 'config.json');
    const isNamed = DOCKER_CONFIG === dockerConfig;
    files.push({ kind: 'docker', path, ...(isNamed && { variable: 'DOCKER_CONFIG' }) });
  }
  const others = [runtimeAuth(places), inConfig(places, 'containers', 'auth.json')];
  for (const path of others) if (path !== undefined) files.push({ kind: 'containers', path });
  return files;
}

/** podman's place for logins that end with the session. */
function runtimeAuth({ environment = {}, system }: SettingsPlaces): string | undefined {
  const { XDG_RUNTIME_DIR } = environment;
  if (XDG_RUNTIME_DIR) return join(XDG_RUNTIME_DIR, 'containers', 'auth.json');
  const uid = process.getuid?.();
  return system === undefined || uid === undefined
    ? undefined
    : join(system, '..', 'run', 'containers', String(uid), 'auth.json');
}

/**
 * Files of `registries.conf`, and directories of more of them; what comes later counts more. The
 * user's file stands for the machine's, and the one of a variable for all of them.
 */
export function registriesConfFiles(places: SettingsPlaces): {
  /** The first that is there. */
  readonly main: readonly SettingsFile[];
  readonly directories: readonly string[];
} {
  const variable = 'CONTAINERS_REGISTRIES_CONF';
  const named = places.environment?.[variable];
  if (named) return { main: [{ path: named, variable }], directories: [] };
  const user = inConfig(places, 'containers', 'registries.conf');
  const system = inSystem(places, 'containers', 'registries.conf');
  const main = [user, system].filter(isPath);
  const directories = [system, user].filter(isPath).map((path) => `${path}.d`);
  return { main: main.map((path) => ({ path })), directories };
}

/** The docker daemon's settings; a daemon without root has the user's. The first that is there counts. */
export function daemonFiles(places: SettingsPlaces): readonly string[] {
  return [
    inConfig(places, 'docker', 'daemon.json'),
    inSystem(places, 'docker', 'daemon.json'),
  ].filter(isPath);
}

/** Directories with a directory for each host that has certificates; the first that is there counts. */
export function certificateDirectories(places: SettingsPlaces): readonly string[] {
  return [
    inConfig(places, 'containers', 'certs.d'),
    inConfig(places, 'docker', 'certs.d'),
    inSystem(places, 'containers', 'certs.d'),
    inSystem(places, 'docker', 'certs.d'),
  ].filter(isPath);
}

function inConfig({ environment = {} }: SettingsPlaces, ...path: string[]): string | undefined {
  const { XDG_CONFIG_HOME, HOME } = environment;
  const folder = XDG_CONFIG_HOME || (HOME ? join(HOME, '.config') : undefined);
  return folder === undefined ? undefined : join(folder, ...path);
}

function inSystem({ system }: SettingsPlaces, ...path: string[]): string | undefined {
  return system === undefined ? undefined : join(system, ...path);
}

function isPath(path: string | undefined): path is string {
  return path !== undefined;
}
