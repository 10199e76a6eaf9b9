/** A joined index as a push wants it. */

import type { ExportBlob, ExportResult } from '../export/index.ts';
import type { Digest } from '../oci/digest.ts';
import type { BlobFile, PushContent, PushManifest } from '../registry/index.ts';
import type { Session } from '../solve/session.ts';

/**
 * Images before the index. A blob that several sources have is said to come from one of `registries` if it
 * does: there it is mounted. @throws ERR_STORE_UNUSABLE
 */
export async function indexContent(
  { descriptor, index, images }: ExportResult,
  registries: readonly string[],
  { store }: Pick<Session, 'store'>,
): Promise<PushContent> {
  if (index === undefined) throw new TypeError('The result is no index');
  const manifests = new Map<Digest, PushManifest>();
  const blobs = new Map<Digest, BlobFile>();
  const isNear = (origin = ''): boolean => registries.some((it) => origin.startsWith(`${it}/`));
  const add = ({ descriptor: { digest, size }, path, origin, fetch }: ExportBlob): void => {
    if (blobs.has(digest) && !isNear(origin)) return;
    blobs.set(digest, { digest, size, path, origin, fetch });
  };
  for (const {
    descriptor: image,
    manifest: bytes,
    config,
    configDescriptor,
    blobs: own,
  } of images) {
    manifests.set(image.digest, { mediaType: image.mediaType, digest: image.digest, bytes });
    await store.putBytes(config);
    const path = store.blobPath(configDescriptor.digest);
    add({ descriptor: configDescriptor, path, origin: own[0]?.origin });
    for (const blob of own) add(blob);
  }
  const { mediaType, digest } = descriptor;
  manifests.set(digest, { mediaType, digest, bytes: index });
  return { descriptor, manifests: [...manifests.values()], blobs: [...blobs.values()] };
}
