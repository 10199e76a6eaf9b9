/** Small random images: layers by tar-stream, documents by the encoders of src/oci. */

import { randomBytes } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { gzipSync } from 'node:zlib';
import { pack as createPack } from 'tar-stream';
import { type Descriptor, MEDIA_TYPE } from '../../src/oci/descriptor.ts';
import { digestOf, hexOf, parseDiffID } from '../../src/oci/digest.ts';
import {
  encodeConfig,
  encodeManifest,
  type ContainerConfig,
  type ImageConfig,
  type Index,
} from '../../src/oci/image.ts';
import type { Platform } from '../../src/oci/platform.ts';

export interface TestBlob {
  readonly descriptor: Descriptor;
  readonly bytes: Uint8Array;
}

export interface TestImage {
  /** With its platform. */
  readonly manifest: TestBlob;
  readonly config: TestBlob;
  readonly layers: readonly TestBlob[];
}

export interface ImageOptions {
  readonly layers?: number;
  /** Random bytes in each layer. */
  readonly layerSize?: number;
  readonly platform?: Platform;
  /** Docker's media types, and no `mediaType` left out. */
  readonly isDocker?: boolean;
  readonly config?: ContainerConfig;
}

/** An image of random files. */
export async function makeImage(options: ImageOptions = {}): Promise<TestImage> {
  const { layers: count = 2, layerSize = 1000, isDocker = false } = options;
  const platform = options.platform ?? { os: 'linux', architecture: 'amd64' };
  const tars = await Promise.all(
    Array.from({ length: count }, (_, i) => makeLayer(`file-${i}`, layerSize)),
  );
  const type = isDocker ? MEDIA_TYPE.dockerLayerGzip : MEDIA_TYPE.layerGzip;
  const layers = tars.map((tar) => blob(type, gzipSync(tar, { level: 1 })));
  const document: ImageConfig = {
    ...platform,
    config: options.config ?? { Env: ['PATH=/bin'], Cmd: ['/bin/sh'] },
    rootfs: { type: 'layers', diff_ids: tars.map((tar) => parseDiffID(digestOf(tar))) },
    history: tars.map((_, i) => ({ created_by: `layer ${i}` })),
  };
  const config = blob(
    isDocker ? MEDIA_TYPE.dockerConfig : MEDIA_TYPE.config,
    encodeConfig(document),
  );
  const mediaType = isDocker ? MEDIA_TYPE.dockerManifest : MEDIA_TYPE.manifest;
  const bytes = encodeManifest({
    schemaVersion: 2,
    mediaType,
    config: config.descriptor,
    layers: layers.map((layer) => layer.descriptor),
  });
  const { descriptor } = blob(mediaType, bytes);
  return { manifest: { descriptor: { ...descriptor, platform }, bytes }, config, layers };
}

/** A tar with one file of random bytes. */
export async function makeLayer(name: string, size: number): Promise<Uint8Array> {
  const pack = createPack();
  pack.entry({ name, mtime: new Date(0) }, randomBytes(size));
  pack.finalize();
  return await buffer(pack);
}

/** An index over images. */
export function makeIndex(
  images: readonly TestImage[],
  more: readonly Descriptor[] = [],
): TestBlob {
  const manifests = [...images.map((image) => image.manifest.descriptor), ...more];
  const index: Index = { schemaVersion: 2, mediaType: MEDIA_TYPE.index, manifests };
  return blob(MEDIA_TYPE.index, encodeManifest(index));
}

/** Bytes with their descriptor. */
export function blob(mediaType: string, bytes: Uint8Array): TestBlob {
  return { descriptor: { mediaType, digest: digestOf(bytes), size: bytes.length }, bytes };
}

/** All blobs of an image, the manifest last. */
export function blobsOf(image: TestImage): readonly TestBlob[] {
  return [...image.layers, image.config, image.manifest];
}

/** Writes an image layout by hand, so that what reads or writes layouts is tested against another. */
export async function writeTestLayout(
  directory: string,
  entries: readonly Descriptor[],
  blobs: readonly TestBlob[],
): Promise<void> {
  const target = join(directory, 'blobs', 'sha256');
  await mkdir(target, { recursive: true });
  for (const { descriptor, bytes } of blobs) {
    await writeFile(join(target, hexOf(descriptor.digest)), bytes);
  }
  await writeFile(join(directory, 'oci-layout'), '{"imageLayoutVersion": "1.0.0"}');
  const index = { schemaVersion: 2, manifests: entries };
  await writeFile(join(directory, 'index.json'), JSON.stringify(index));
}
