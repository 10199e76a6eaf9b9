/** What the comparisons of images, layers and files share. */

import type { Differences } from './differences.ts';
import type { LayerFiles } from './layer-files.ts';
import type { SubjectLayer } from './subject.ts';

export interface CompareWork {
  readonly differences: Differences;
  readonly files: LayerFiles;
  readonly signal: AbortSignal;
}

/** Layers that stand for each other; one of them may be missing. */
export interface LayerPair {
  readonly a: SubjectLayer | undefined;
  readonly b: SubjectLayer | undefined;
}
