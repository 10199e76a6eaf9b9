/** What the mounts and devices of a RUN come to, before they are performed. */

import type { MountOperation } from '../../native/index.ts';

/** Mounts ready to be performed. */
export interface PreparedMounts {
  readonly operations: readonly MountOperation[];
  /** Secrets that are in the environment, and what devices need there: `NAME=value`. */
  readonly env: readonly string[];
  readonly directories: readonly string[];
  readonly files: readonly string[];
  /** Lets go of locks; the mounts are gone by then. */
  readonly release: () => Promise<void>;
}

/** What one mount adds. */
export type PreparedMount = Partial<Omit<PreparedMounts, 'release'>>;
