/** Random images in the form that exporters take. */

import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ExportImage, ExportResult } from '../../src/export/index.ts';
import { MEDIA_TYPE } from '../../src/oci/descriptor.ts';
import { digestOf, hexOf } from '../../src/oci/digest.ts';
import { encodeManifest } from '../../src/oci/image.ts';
import type { Platform } from '../../src/oci/platform.ts';
import { parseReference } from '../../src/oci/reference.ts';
import { type ImageOptions, makeImage } from './image.ts';

/** What of a build's result matters here, images aside. */
interface Named {
  readonly names?: readonly string[];
}

/** An image whose layers are files of the directory `store`. */
export async function makeExport(
  store: string,
  { names = [], ...options }: ImageOptions & Named,
): Promise<ExportResult> {
  const image = await makeExportImage(store, options);
  const { descriptor } = image;
  return { descriptor, index: undefined, images: [image], names: names.map(parseReference) };
}

/** An index over an image for each platform. */
export async function makeIndexExport(
  store: string,
  { names = [], platforms }: Named & { readonly platforms: readonly Platform[] },
): Promise<ExportResult> {
  const images: ExportImage[] = [];
  for (const platform of platforms) images.push(await makeExportImage(store, { platform }));
  const mediaType = MEDIA_TYPE.index;
  const manifests = images.map(({ descriptor }) => descriptor);
  const index = encodeManifest({ schemaVersion: 2, mediaType, manifests });
  const descriptor = { mediaType, digest: digestOf(index), size: index.length };
  return { descriptor, index, images, names: names.map(parseReference) };
}

/** The layers of all its images. */
export function blobsOf({ images }: ExportResult): ExportImage['blobs'] {
  return images.flatMap(({ blobs }) => blobs);
}

async function makeExportImage(store: string, options: ImageOptions): Promise<ExportImage> {
  const image = await makeImage(options);
  const blobs = image.layers.map(({ descriptor }) => ({
    descriptor,
    path: join(store, hexOf(descriptor.digest)),
  }));
  for (const [i, { path }] of blobs.entries()) await writeFile(path, image.layers[i]?.bytes ?? '');
  const { descriptor, bytes } = image.manifest;
  return {
    platform: options.platform ?? { os: 'linux', architecture: 'amd64' },
    descriptor,
    manifest: bytes,
    configDescriptor: image.config.descriptor,
    config: image.config.bytes,
    blobs,
  };
}
