/** Random images in the form that exporters take. */

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ExportImage } from '../../src/export/index.ts';
import { hexOf } from '../../src/oci/digest.ts';
import { parseReference } from '../../src/oci/reference.ts';
import { type ImageOptions, makeImage } from './image.ts';

/** An image whose layers are files of the directory `store`. */
export async function makeExport(
  store: string,
  { names = [], ...options }: ImageOptions & { readonly names?: readonly string[] },
): Promise<ExportImage> {
  const image = await makeImage(options);
  const blobs = image.layers.map(({ descriptor }) => ({
    descriptor,
    path: join(store, hexOf(descriptor.digest)),
  }));
  for (const [i, { path }] of blobs.entries()) await writeFile(path, image.layers[i]?.bytes ?? '');
  return {
    manifest: image.manifest.bytes,
    config: image.config.bytes,
    manifestDescriptor: image.manifest.descriptor,
    blobs,
    names: names.map(parseReference),
  };
}
