/** Comparisons in a directory of their own. */

import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Difference, DifferenceGroup, FileDifference } from '../../src/diff/difference.ts';
import { diffImages, type DiffOptions, type ImageDiff } from '../../src/diff/diff-images.ts';
import { blobsOf, type TestImage, writeTestLayout } from '../support/image.ts';
import { HELPER } from '../support/sandbox.ts';
import type { TarMember } from '../support/tar.ts';
import { withDirectory } from '../support/temporary.ts';
import { made, type MadeImage } from './made-images.ts';

export interface Trial {
  readonly folder: string;
  readonly diff: (a: string, b: string, options?: DiffOptions) => Promise<ImageDiff>;
  /** Writes a layout of one image, and names it. */
  readonly layout: (image: TestImage) => Promise<string>;
  /** Compares two images in layouts. */
  readonly compare: (a: MadeImage, b: MadeImage, options?: DiffOptions) => Promise<ImageDiff>;
}

/** Each comparison leaves no file of its own. */
export async function trial(use: (trial: Trial) => Promise<void>): Promise<void> {
  await withDirectory(async (folder) => {
    const store = join(folder, 'store');
    let layouts = 0;
    const diff: Trial['diff'] = async (a, b, options) => {
      const result = await diffImages(a, b, { store, helper: HELPER, environment: {}, ...options });
      assert.deepEqual(await readdir(join(store, 'v1/tmp')), []);
      return result;
    };
    const layout: Trial['layout'] = async (image) => {
      const path = join(folder, `layout-${layouts++}`);
      await writeTestLayout(path, [image.manifest.descriptor], blobsOf(image));
      return path;
    };
    const compare: Trial['compare'] = async (a, b, options) =>
      await diff(await layout(made(a)), await layout(made(b)), options);
    await use({ folder, diff, layout, compare });
  });
}

/** How many differences there are, of groups that have any. */
export function groupsOf({ counts }: ImageDiff): Readonly<Record<string, number>> {
  return Object.fromEntries(Object.entries(counts).filter(([, count]) => count > 0));
}

/** The differences of a group. */
export function ofGroup(diff: ImageDiff, group: DifferenceGroup): readonly Difference[] {
  return diff.differences.filter((difference) => difference.group === group);
}

/** The differences of files. */
export function filesOf(diff: ImageDiff): readonly FileDifference[] {
  return diff.differences.filter((difference) => 'path' in difference);
}

/** A file of a layer. */
export function file(name: string, content: string, more: Partial<TarMember> = {}): TarMember {
  return { name, content, ...more };
}
