/** Documents from outside, as far as a comparison must understand them. */

import { TsbuildError } from '../errors.ts';
import { type Digest, type DiffID, isDigest, parseDiffID } from '../oci/digest.ts';
import type { DocumentValue } from './difference.ts';
import { type DocumentObject, isObject } from './value-changes.ts';

/** A JSON object. @throws ERR_IMAGE_INVALID */
export function parseObject(bytes: Uint8Array, name: string): DocumentObject {
  let value: DocumentValue;
  try {
    value = JSON.parse(new TextDecoder().decode(bytes)) as DocumentValue;
  } catch (cause) {
    throw invalidSubject(name, 'One of its documents is no JSON.', cause);
  }
  if (!isObject(value)) throw invalidSubject(name, 'One of its documents is no JSON object.');
  return value;
}

/** What a config says of the layers, lowest first. @throws ERR_IMAGE_INVALID when it does not of each */
export function layerFactsOf(
  name: string,
  { rootfs, history }: DocumentObject,
  layers: number,
): readonly { readonly diffID: DiffID; readonly createdBy: string | undefined }[] {
  const listed = isObject(rootfs) ? rootfs['diff_ids'] : undefined;
  const diffIDs = Array.isArray(listed) ? listed.map(String).filter(isDigest) : [];
  if (diffIDs.length !== layers) {
    throw invalidSubject(name, 'Its config does not have one diffID for each layer.');
  }
  const steps = (Array.isArray(history) ? history : [])
    .filter(isObject)
    .filter((step) => step['empty_layer'] !== true)
    .map(({ created_by: text }) => (typeof text === 'string' ? text : undefined));
  // A history that does not fit says nothing.
  const fits = steps.length === layers;
  return diffIDs.map((text, number) => ({
    diffID: parseDiffID(text),
    createdBy: fits ? steps[number] : undefined,
  }));
}

/** ERR_IMAGE_INVALID. */
export function invalidSubject(name: string, hint: string, cause?: unknown): TsbuildError {
  return new TsbuildError('ERR_IMAGE_INVALID', {
    message: `Cannot compare "${name}": it is no image`,
    details: { reference: name },
    hint,
    cause,
  });
}

/** ERR_IMAGE_NOT_FOUND. */
export function lacksBlob(name: string, digest: Digest): TsbuildError {
  return new TsbuildError('ERR_IMAGE_NOT_FOUND', {
    message: `Cannot compare "${name}": it lacks the layer ${digest}`,
    details: { reference: name },
    hint: 'Build or copy the image again.',
  });
}
