/**
 * Which image was built last under a name: `images/HEX.json`, HEX being the sha256 of the full name.
 * What it names is among the blobs, so that it can be pushed without anything being run:
 *
 *     {"format":1,"name":"registry.example/app:1","image":{"mediaType":…,"digest":…,"size":…},
 *      "origins":{"sha256:…":"registry.example/base"},"created":1767225600}
 */

import { join } from 'node:path';
import type { Descriptor } from '../src/oci/descriptor.ts';
import { digestOf, hexOf } from '../src/oci/digest.ts';
import { readChecked, writeChecked } from './atomic.ts';

/** An image that has a name. */
export interface NamedImage {
  /** Of its manifest or index. */
  readonly image: Pick<Descriptor, 'mediaType' | 'digest' | 'size'>;
  /** Repositories (`registry/repository`) that blobs of it came from, by digest. */
  readonly origins: Readonly<Record<string, string>>;
  /** Seconds since 1970. */
  readonly created: number;
}

export interface ImageStore {
  /** Undefined when nothing was built under this name. @throws ERR_STORE_UNUSABLE */
  getImage(name: string): Promise<NamedImage | undefined>;
  /** From now on the name is this image's. @throws ERR_STORE_UNUSABLE */
  putImage(name: string, image: NamedImage): Promise<void>;
}

const FORMAT = 1;

/** The named images of a store at `root`. */
export function imageStore(root: string): ImageStore {
  const pathOf = (name: string): string => join(root, 'images', `${hexOf(digestOf(name))}.json`);
  return {
    async getImage(name) {
      // Its own hash says that this code wrote it, in this format.
      const value = await readChecked(pathOf(name));
      const record = value as (Partial<NamedImage> & { format?: number }) | undefined;
      if (record?.format !== FORMAT || record.image === undefined) return undefined;
      const { image, origins = {}, created = 0 } = record;
      return { image, origins, created };
    },
    async putImage(name, { image: { mediaType, digest, size }, origins, created }) {
      const image = { mediaType, digest, size };
      await writeChecked(join(root, 'tmp'), pathOf(name), {
        ...{ format: FORMAT, name, image, origins, created },
      });
    },
  };
}
