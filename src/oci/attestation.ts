/** What tells an attestation from the images beside it in an index, as BuildKit's annotations do (ATT-3). */

import type { Descriptor } from './descriptor.ts';

export const ATTESTATION_NOTES = {
  type: 'vnd.docker.reference.type',
  /** Of the image's manifest. */
  about: 'vnd.docker.reference.digest',
} as const;

/** Attestations stand in an index as manifests for the platform "unknown/unknown". */
export function isAttestation({ annotations }: Pick<Descriptor, 'annotations'>): boolean {
  return annotations?.[ATTESTATION_NOTES.type] !== undefined;
}
