/** What the environment says: the only place besides the entry that knows the variables' names. */

import { homedir } from 'node:os';
import { join } from 'node:path';
import { cacheDirectory } from './cache-directory.ts';

/** The process's environment, as given by the entry. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** Settings that come from the environment alone. */
export interface Settings {
  readonly store: string;
  readonly helper: string | undefined;
  readonly dockerConfig: string;
  /** Proxies, and where registries' settings are. */
  readonly environment: Environment;
}

/** Reads the settings. */
export function readSettings(environment: Environment): Settings {
  const { TSBUILD_STORE, TSBUILD_HELPER, DOCKER_CONFIG } = environment;
  return {
    store: TSBUILD_STORE || join(cacheDirectory(environment), 'tsbuild'),
    helper: TSBUILD_HELPER || undefined,
    dockerConfig: DOCKER_CONFIG || join(home(environment), '.docker'),
    environment,
  };
}

function home({ HOME }: Environment): string {
  return HOME || homedir();
}
