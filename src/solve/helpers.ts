/**
 * The helper processes of one build, started when first needed.
 *
 * `files` reads and writes what is the user's own. `directories` works on layer directories, whose
 * files belong to the ids of the image: for root that is the same process, for others it is the one
 * in the user namespace. `sandbox` runs commands. Which namespaces that takes is the rung (design.md §7).
 */

import { type Helper, openHelper } from '../../native/index.ts';
import type { DirectoryFlavor } from '../../cache/index.ts';
import { TsbuildError } from '../errors.ts';
import { climb, type ClimbOptions, type RefusedStep } from './climb.ts';
import type { Refusal } from './diagnose.ts';
import {
  ALONE_NOTE,
  emulationRefusal,
  type Isolation,
  likelyRung,
  RUNG_NOTES,
  type RungName,
} from './rungs.ts';

/** A helper in its namespaces, and what its layer directories are like. */
export interface Sandbox {
  readonly helper: Helper;
  readonly rung: RungName;
  /** Under which name layer directories made by it are kept: with true owners, or all one id's. */
  readonly flavor: DirectoryFlavor;
}

export interface HelperOptions extends ClimbOptions {
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
    const { machine, isolation } = this.#options;
    this.#flavor ??= likelyRung(machine, isolation).then(flavorOf);
    return this.#flavor;
  }

  /** The highest rung that works here; says which, and why not the one above. */
  async #climb(): Promise<Sandbox> {
    const { isolation, onNotice } = this.#options;
    const { reached, refused } = await climb(this.#options);
    if (reached === undefined) throw unavailable(refused, isolation);
    const { helper, mode } = reached;
    const unable = emulationRefusal(helper.noEmulation);
    if (unable !== undefined) onNotice(`${ALONE_NOTE} (${each([...refused, unable].map(told))})`);
    else if (refused.length > 0) onNotice(`${RUNG_NOTES[mode]} (${each(refused.map(told))})`);
    const flavor = flavorOf(mode);
    this.#flavor = Promise.resolve(flavor);
    return { helper, rung: mode, flavor };
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

function flavorOf(rung: RungName | undefined): DirectoryFlavor {
  return rung === 'single' ? 'single' : 'owned';
}

/** Rungs may fail for the same reason: it is said once. */
function each(reasons: readonly string[]): string {
  return [...new Set(reasons)].join('; ');
}

function told({ reason, fix }: Refusal): string {
  return fix === undefined ? reason : `${reason}; to change it: ${fix}`;
}

function unavailable(refused: readonly RefusedStep[], isolation: Isolation = 'auto'): TsbuildError {
  const reasons = refused.map(({ reason }) => reason);
  // The lowest rung asks least of the machine: what it lacks is the least to change.
  const fix = refused.findLast(({ fix }) => fix !== undefined)?.fix;
  const what = isolation === 'auto' ? '' : ` with the isolation "${isolation}"`;
  return new TsbuildError('ERR_SANDBOX_UNAVAILABLE', {
    message: `Cannot execute RUN on this machine${what}: ${each(reasons)}`,
    details: { reasons, fixes: refused.flatMap(({ fix }) => fix ?? []) },
    hint: [
      ...(fix === undefined ? [] : [`To change it: ${fix}.`]),
      '"tsbuild doctor" tells more. Dockerfiles without RUN build here as they are.',
    ].join(' '),
  });
}
