/** Images made of tars by hand, such as other builders make them, or none. */

import { MEDIA_TYPE } from '../../src/oci/descriptor.ts';
import { digestOf, parseDiffID } from '../../src/oci/digest.ts';
import { type ContainerConfig, encodeConfig, encodeManifest } from '../../src/oci/image.ts';
import { hostPlatform } from '../../src/oci/platform.ts';
import { blob, blobsOf, type TestImage, writeTestLayout } from './image.ts';

/** An image for this machine whose layers are these tars, uncompressed. */
export function makeTarImage(tars: readonly Buffer[], config: ContainerConfig = {}): TestImage {
  const layers = tars.map((tar) => blob(MEDIA_TYPE.layerTar, tar));
  const platform = hostPlatform(process.arch);
  const document = encodeConfig({
    ...platform,
    config,
    rootfs: { type: 'layers', diff_ids: tars.map((tar) => parseDiffID(digestOf(tar))) },
    history: [],
  });
  const configBlob = blob(MEDIA_TYPE.config, document);
  const bytes = encodeManifest({
    schemaVersion: 2,
    mediaType: MEDIA_TYPE.manifest,
    config: configBlob.descriptor,
    layers: layers.map(({ descriptor }) => descriptor),
  });
  const { descriptor } = blob(MEDIA_TYPE.manifest, bytes);
  return {
    manifest: { descriptor: { ...descriptor, platform }, bytes },
    config: configBlob,
    layers,
  };
}

/** Writes a layout with such an image. */
export async function writeTarLayout(
  directory: string,
  tars: readonly Buffer[],
  config?: ContainerConfig,
): Promise<void> {
  const image = makeTarImage(tars, config);
  await writeTestLayout(directory, [image.manifest.descriptor], blobsOf(image));
}
