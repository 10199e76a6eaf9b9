/** Image layouts made of tars by hand, such as other builders make them, or none. */

import { MEDIA_TYPE } from '../../src/oci/descriptor.ts';
import { digestOf, parseDiffID } from '../../src/oci/digest.ts';
import { type ContainerConfig, encodeConfig, encodeManifest } from '../../src/oci/image.ts';
import { hostPlatform } from '../../src/oci/platform.ts';
import { blob, writeTestLayout } from './image.ts';

/** Writes a layout with one image, whose layers are these tars, uncompressed. */
export async function writeTarLayout(
  directory: string,
  tars: readonly Buffer[],
  config: ContainerConfig = {},
): Promise<void> {
  const layers = tars.map((tar) => blob(MEDIA_TYPE.layerTar, tar));
  const platform = hostPlatform(process.arch);
  const document = blob(
    MEDIA_TYPE.config,
    encodeConfig({
      ...platform,
      config,
      rootfs: { type: 'layers', diff_ids: tars.map((tar) => parseDiffID(digestOf(tar))) },
      history: [],
    }),
  );
  const manifest = blob(
    MEDIA_TYPE.manifest,
    encodeManifest({
      schemaVersion: 2,
      mediaType: MEDIA_TYPE.manifest,
      config: document.descriptor,
      layers: layers.map(({ descriptor }) => descriptor),
    }),
  );
  const entry = { ...manifest.descriptor, platform };
  await writeTestLayout(directory, [entry], [...layers, document, manifest]);
}
