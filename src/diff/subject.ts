/** What is compared: one image, or an index over several, wherever it is. */

import type { Digest, DiffID } from '../oci/digest.ts';
import type { BytesFacts } from './difference.ts';
import type { Platform } from '../oci/platform.ts';
import type { DocumentObject } from './value-changes.ts';

/** A document, and its bytes' name. */
export interface SubjectDocument {
  readonly digest: Digest;
  readonly mediaType?: string | undefined;
  readonly size: number;
  readonly json: DocumentObject;
}

export interface SubjectLayer {
  readonly index: number;
  readonly diffID: DiffID;
  /** Of the blob. */
  readonly digest: Digest;
  readonly size: number;
  /** Missing in docker's archives, which list bytes without saying what they are. */
  readonly mediaType?: string | undefined;
  readonly createdBy?: string | undefined;
  /** Puts the blob where it can be read. @throws ERR_REGISTRY_*, ERR_IMAGE_NOT_FOUND */
  readonly blob: () => Promise<string>;
}

/** One platform's image. */
export interface SubjectImage {
  readonly platform: string;
  readonly target: Platform;
  /** The index's entry of it, if there is an index. */
  readonly entry?: DocumentObject | undefined;
  /** A docker archive has none. */
  readonly manifest?: SubjectDocument | undefined;
  readonly config: SubjectDocument;
  /** Lowest first. */
  readonly layers: readonly SubjectLayer[];
}

/** Something said about an image. */
export interface SubjectAttestation {
  /** Of the image, and the types of what is said. */
  readonly name: string;
  readonly digest: Digest;
  readonly size: number;
  /** Puts the statement where it can be read. Fails as that of a layer. */
  readonly blob: () => Promise<string>;
}

export interface Subject {
  /** In the user's words. */
  readonly name: string;
  /** Of the manifest or index. */
  readonly digest?: Digest | undefined;
  readonly index?: SubjectDocument | undefined;
  readonly images: readonly SubjectImage[];
  readonly attestations: readonly SubjectAttestation[];
}

/** In the words of a difference. */
export function bytesOf(
  bytes: Pick<SubjectLayer, 'digest' | 'size' | 'mediaType'> | undefined,
): BytesFacts {
  if (bytes === undefined) return { digest: '' };
  const { digest, size, mediaType } = bytes;
  return { digest, size, ...(mediaType !== undefined && { mediaType }) };
}
