/** How the layers of an image are packed: several outputs may want several forms of one layer. Pure. */

import type { Compression } from '../../native/index.ts';
import { type Descriptor, MEDIA_TYPE } from '../oci/descriptor.ts';
import type { Entry } from '../tree/entry.ts';

export interface BlobForm {
  readonly compression: Compression;
  /** Undefined: the usual one. */
  readonly level: number | undefined;
  /** The layers of base images too. */
  readonly isForced: boolean;
  /** Seconds: no file of a new layer is later (REP-1). */
  readonly latest: number | undefined;
}

export const USUAL_BLOB: BlobForm = {
  compression: 'gzip',
  level: undefined,
  isForced: false,
  latest: undefined,
};

/** Beside a blob in the store, so that one of another level is not taken for it. It is in no manifest. */
const LEVEL = 'tsbuild.level';

/** A name for a form. */
export function formKey({ compression, level, isForced, latest }: BlobForm): string {
  return JSON.stringify([compression, level ?? null, isForced, latest ?? null]);
}

/** What a blob made in a form is called. */
export function describeBlob({
  compression,
  level,
}: BlobForm): Omit<Descriptor, 'digest' | 'size'> {
  const isLevelled = compression !== 'none' && level !== undefined;
  return {
    mediaType: MEDIA_TYPES[compression],
    ...(isLevelled && { annotations: { [LEVEL]: String(level) } }),
  };
}

/** Whether a blob of the store is as the form says; times aside. */
export function isOfForm(blob: Descriptor, form: BlobForm): boolean {
  const wanted = describeBlob(form);
  const levels = [blob, wanted].map(({ annotations }) => annotations?.[LEVEL]);
  return blob.mediaType === wanted.mediaType && levels[0] === levels[1];
}

/** Whether a base's layer can stay as it is: a level is no reason to pack it again. */
export function isCompressedBy(blob: Descriptor, { compression }: BlobForm): boolean {
  const { mediaType } = blob;
  if (mediaType === MEDIA_TYPE.dockerLayerGzip) return compression === 'gzip';
  if (mediaType === MEDIA_TYPE.dockerLayer) return compression === 'none';
  return mediaType === MEDIA_TYPES[compression];
}

/** An entry that is later than allowed, at that time. */
export function clampEntry<E extends Entry>(entry: E, latest: number): E {
  return isLater(entry, latest) ? { ...entry, mtime: latest, mtimeNsec: 0 } : entry;
}

/** Whether a file is later than a second. */
export function isLater({ mtime, mtimeNsec }: Entry, latest: number): boolean {
  return mtime > latest || (mtime === latest && mtimeNsec > 0);
}

const MEDIA_TYPES = {
  none: MEDIA_TYPE.layerTar,
  gzip: MEDIA_TYPE.layerGzip,
  zstd: MEDIA_TYPE.layerZstd,
} as const;
