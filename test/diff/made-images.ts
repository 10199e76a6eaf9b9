/** Images made by hand, each part as a test wants it. */

import { gzipSync } from 'node:zlib';
import { type Descriptor, MEDIA_TYPE } from '../../src/oci/descriptor.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { blob, type TestBlob, type TestImage } from '../support/image.ts';
import { tar, type TarMember } from '../support/tar.ts';

export interface MadeImage {
  readonly layers: readonly (readonly TarMember[])[];
  readonly config?: Readonly<Record<string, unknown>>;
  readonly history?: readonly Readonly<Record<string, unknown>>[];
  /** Of the config. */
  readonly more?: Readonly<Record<string, unknown>>;
  readonly manifest?: Readonly<Record<string, unknown>>;
  readonly architecture?: string;
  /** Gzip's; undefined: the layers are plain tars. */
  readonly level?: number;
  /** Spaces in the config. */
  readonly indent?: number;
}

/** The image, as `writeTestLayout()` and the test registry take it. */
export function made(image: MadeImage): TestImage {
  const { architecture = 'amd64', level, indent, history } = image;
  const tars = image.layers.map((members) => tar(members));
  const layers = tars.map((bytes) =>
    level === undefined
      ? blob(MEDIA_TYPE.layerTar, bytes)
      : blob(MEDIA_TYPE.layerGzip, gzipSync(bytes, { level })),
  );
  const document = {
    ...{ architecture, os: 'linux', ...image.more },
    config: image.config ?? {},
    rootfs: { type: 'layers', diff_ids: tars.map((bytes) => digestOf(bytes)) },
    history: history ?? tars.map((_, number) => ({ created_by: `step ${number}` })),
  };
  const config = blob(MEDIA_TYPE.config, json(document, indent));
  const manifest = blob(
    MEDIA_TYPE.manifest,
    json({
      ...{ schemaVersion: 2, mediaType: MEDIA_TYPE.manifest },
      config: config.descriptor,
      layers: layers.map(({ descriptor }) => descriptor),
      ...image.manifest,
    }),
  );
  const platform = { os: 'linux', architecture };
  return { config, layers, manifest: withPlatform(manifest, platform) };
}

function withPlatform(
  { descriptor, bytes }: TestBlob,
  platform: NonNullable<Descriptor['platform']>,
): TestBlob {
  return { descriptor: { ...descriptor, platform }, bytes };
}

function json(document: unknown, indent?: number): Buffer {
  return Buffer.from(JSON.stringify(document, null, indent));
}
