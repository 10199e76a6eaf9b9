/** What the environment says: the only place besides the entry that knows the variables' names. */

import { homedir } from 'node:os';
import { join } from 'node:path';
import { usage } from './argv.ts';
import { cacheDirectory } from './cache-directory.ts';

/** The process's environment, as given by the entry. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** Settings that come from the environment alone. */
export interface Settings {
  readonly store: string;
  readonly helper: string | undefined;
  readonly dockerConfig: string;
  readonly sourceDateEpoch: number | undefined;
}

/** Reads the settings. @throws ERR_USAGE when SOURCE_DATE_EPOCH is no number of seconds. */
export function readSettings(environment: Environment): Settings {
  const { TSBUILD_STORE, TSBUILD_HELPER, DOCKER_CONFIG, SOURCE_DATE_EPOCH } = environment;
  return {
    store: TSBUILD_STORE || join(cacheDirectory(environment), 'tsbuild'),
    helper: TSBUILD_HELPER || undefined,
    dockerConfig: DOCKER_CONFIG || join(home(environment), '.docker'),
    sourceDateEpoch: SOURCE_DATE_EPOCH ? parseEpoch(SOURCE_DATE_EPOCH) : undefined,
  };
}

function home({ HOME }: Environment): string {
  return HOME || homedir();
}

/** Seconds since the Unix epoch. */
export function parseEpoch(text: string): number {
  if (!/^\d{1,12}$/.test(text)) {
    throw usage(
      `Cannot use "${text}" as SOURCE_DATE_EPOCH`,
      'It is a number of seconds since 1970, e.g. "git log -1 --format=%ct".',
    );
  }
  return Number(text);
}
