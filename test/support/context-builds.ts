/** Builds of contexts that need no base image, and what they come to. */

import assert from 'node:assert/strict';
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { build, type BuildOptions } from '../../src/index.ts';
import { readLayers } from './layer-entries.ts';
import { HELPER } from './sandbox.ts';
import { withDirectory } from './temporary.ts';

export interface Place {
  readonly base: string;
  /** Writes files below it. */
  readonly write: (files: Readonly<Record<string, string>>) => Promise<void>;
  /** Builds; answers the names in the last layer, and the names of the steps that ran. */
  readonly build: (options: BuildOptions) => Promise<Built>;
}

export interface Built {
  readonly names: readonly string[];
  readonly created: string | undefined;
  /** Steps that were executed. */
  readonly ran: readonly string[];
}

/** A directory to build in, of whose store no temporary file is left. */
export async function withPlace(use: (place: Place) => Promise<void>): Promise<void> {
  await withDirectory(async (base) => {
    const output = join(base, 'image');
    await use({
      base,
      write: async (files) => {
        for (const [name, text] of Object.entries(files)) {
          await mkdir(dirname(join(base, name)), { recursive: true });
          await writeFile(join(base, name), text);
        }
      },
      build: async (options) => {
        await rm(output, { recursive: true, force: true });
        const { config, steps } = await build({
          store: join(base, 'store'),
          helper: HELPER,
          outputs: [`type=oci,tar=false,dest=${output}`],
          ...options,
        });
        const { layers } = await readLayers(output);
        return {
          names: (layers.at(-1) ?? []).map(({ name }) => name),
          created: config?.created,
          ran: steps.filter(({ cached }) => !cached).map(({ name }) => name),
        };
      },
    });
    assert.deepEqual(await readdir(join(base, 'store/v1/tmp')).catch(() => []), []);
  });
}
