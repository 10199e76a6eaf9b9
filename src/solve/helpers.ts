/**
 * The helper processes of one build, started when first needed.
 *
 * `files` reads and writes what is the user's own. `directories` works on layer directories, whose
 * files belong to the ids of the image: for root that is the same process, for others it is the one
 * in the user namespace. `sandbox` runs commands. Which namespaces that takes is the rung (design.md §7).
 */

import { type Helper, openHelper } from '../../native/index.ts';
import type { DirectoryFlavor } from '../../cache/index.ts';
import { hasCode, TsbuildError } from '../errors.ts';
import { type Machine, rungsFor } from './rungs.ts';

/** A helper in its namespaces, and what its layer directories are like. */
export interface Sandbox {
  readonly helper: Helper;
  readonly rung: 'root' | 'subids' | 'single';
  /** Under which name layer directories made by it are kept: with true owners, or all one id's. */
  readonly flavor: DirectoryFlavor;
}

export interface HelperOptions {
  readonly binary: string | undefined;
  /** A directory of this build, for the probe. */
  readonly scratch: string;
  readonly machine: Machine;
  readonly onNotice: (message: string) => void;
}

export class Helpers {
  readonly #options: HelperOptions;
  #files: Promise<Helper> | undefined;
  #sandbox: Promise<Sandbox> | undefined;
  #flavor: Promise<DirectoryFlavor> | undefined;

  constructor(options: HelperOptions) {
    this.#options = options;
  }

  /** The helper without namespaces. */
  files(): Promise<Helper> {
    this.#files ??= openHelper({ mode: 'plain', binary: this.#options.binary });
    return this.#files;
  }

  /** The helper that can run commands. @throws ERR_SANDBOX_UNAVAILABLE, naming what to change */
  sandbox(): Promise<Sandbox> {
    this.#sandbox ??= this.#climb();
    return this.#sandbox;
  }

  /** Whether any helper runs. */
  get isOpen(): boolean {
    return this.#files !== undefined || this.#sandbox !== undefined;
  }

  /** Whether a sandbox was asked for already: layer directories are at hand then. */
  get hasSandbox(): boolean {
    return this.#sandbox !== undefined;
  }

  /** The helper that may read and write layer directories. */
  async directories(): Promise<Sandbox> {
    const sandbox = await this.sandbox();
    return sandbox.rung === 'root' ? { ...sandbox, helper: await this.files() } : sandbox;
  }

  /**
   * The flavor of the layer directories that can be read here, as far as can be told without starting
   * anything: a build that only finds hits does not pay for a sandbox.
   */
  expectedFlavor(): Promise<DirectoryFlavor> {
    this.#flavor ??= rungsFor(this.#options.machine).then((rungs) => {
      const best = rungs.find((rung) => rung.kind === 'usable');
      return flavorOf(best?.mode);
    });
    return this.#flavor;
  }

  /** The highest rung that works here; says which, and why not the one above. */
  async #climb(): Promise<Sandbox> {
    const reasons: string[] = [];
    for (const rung of await rungsFor(this.#options.machine)) {
      if (rung.kind === 'refused') {
        reasons.push(rung.reason);
        continue;
      }
      try {
        const { mode, uidMap, gidMap } = rung;
        const { binary, scratch } = this.#options;
        const helper = await openHelper({ mode, uidMap, gidMap, scratch, binary });
        if (reasons.length > 0) this.#options.onNotice(`${rung.notice} (${reasons.join('; ')})`);
        const flavor = flavorOf(mode);
        this.#flavor = Promise.resolve(flavor);
        return { helper, rung: mode, flavor };
      } catch (error) {
        // Anything else is the binary's own fault: no other rung makes it better.
        if (!hasCode(error, 'ERR_SANDBOX_FAILED')) throw error;
        reasons.push(rung.explain(error));
      }
    }
    throw new TsbuildError('ERR_SANDBOX_UNAVAILABLE', {
      message: `Cannot execute RUN on this machine: ${reasons.join('; ')}`,
      details: { reasons },
      hint: 'Allow one of these, or build as root. Dockerfiles without RUN build here as they are.',
    });
  }

  /** Ends the processes, and with them whatever still runs in their namespaces. */
  async close(): Promise<void> {
    const opened = await Promise.allSettled([this.#files, this.#sandbox]);
    await Promise.allSettled(
      opened.map(async (result) => {
        if (result.status !== 'fulfilled' || result.value === undefined) return;
        await ('helper' in result.value ? result.value.helper : result.value).close();
      }),
    );
  }
}

function flavorOf(rung: Sandbox['rung'] | undefined): DirectoryFlavor {
  return rung === 'single' ? 'single' : 'owned';
}
