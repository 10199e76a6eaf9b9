/** A layer of a root filesystem being built, and the places where its content may be. */

import type { LayerID } from '../../cache/index.ts';
import type { Descriptor } from '../oci/descriptor.ts';
import type { Digest, DiffID } from '../oci/digest.ts';
import type { ImageConfig, Manifest } from '../oci/image.ts';
import type { ImageSource } from '../registry/index.ts';

/** One layer: known by its identity, wherever its bytes are. */
export interface Layer {
  readonly id: LayerID;
  /** Where the blob can be had, for a layer of a pulled image. */
  readonly pulled: PulledLayer | undefined;
}

export interface PulledLayer {
  readonly source: ImageSource;
  readonly descriptor: Descriptor;
  readonly diffID: DiffID;
}

/** A base image, its documents here and its layers wherever they are: what plan calls `Image`. */
export interface BaseImage {
  readonly config: ImageConfig;
  readonly manifest: Manifest;
  readonly descriptor: Descriptor;
  /** What the name stood for: an index's digest if there was one. */
  readonly root?: Digest | undefined;
  readonly layers: readonly Layer[];
}
