/** The manifest that attaches statements to an image, as BuildKit lays it out (ATT-3, ATT-4). Pure. */

import { ATTESTATION_NOTES } from '../oci/attestation.ts';
import { type Descriptor, MEDIA_TYPE } from '../oci/descriptor.ts';
import { type Digest, digestOf } from '../oci/digest.ts';
import { encodeManifest } from '../oci/image.ts';
import type { Platform } from '../oci/platform.ts';
import { type Statement, STATEMENT_TYPE } from './statement.ts';

const ARTIFACT_TYPE = 'application/vnd.docker.attestation.manifest.v1+json';
const EMPTY_TYPE = 'application/vnd.oci.empty.v1+json';
const PREDICATE_TYPE = 'in-toto.io/predicate-type';
const NOWHERE: Platform = { os: 'unknown', architecture: 'unknown' };

export interface AttestationManifest {
  readonly descriptor: Descriptor & { readonly platform: Platform };
  readonly manifest: Uint8Array;
  readonly configDescriptor: Descriptor;
  readonly config: Uint8Array;
  readonly blobs: readonly { readonly descriptor: Descriptor; readonly bytes: Uint8Array }[];
}

/**
 * The manifest of statements about an image. `isArtifact`: as an artifact that names the image as its
 * subject; else as an image of an unknown platform, which older registries take.
 */
export function assembleAttestation(
  image: Descriptor,
  statements: readonly Statement[],
  { isArtifact }: { readonly isArtifact: boolean },
): AttestationManifest {
  const blobs = statements.map(({ predicateType, bytes }) => ({
    descriptor: {
      ...describe(STATEMENT_TYPE, bytes),
      annotations: { [PREDICATE_TYPE]: predicateType },
    },
    bytes,
  }));
  const layers = blobs.map(({ descriptor }) => descriptor);
  const config = encode(isArtifact ? {} : imageConfig(layers.map(({ digest }) => digest)));
  const configDescriptor = describe(isArtifact ? EMPTY_TYPE : MEDIA_TYPE.config, config);
  const { mediaType, digest, size } = image;
  const manifest = encodeManifest({
    schemaVersion: 2,
    mediaType: MEDIA_TYPE.manifest,
    ...(isArtifact && { artifactType: ARTIFACT_TYPE }),
    config: configDescriptor,
    layers,
    ...(isArtifact && { subject: { mediaType, digest, size } }),
  });
  const descriptor = {
    ...describe(MEDIA_TYPE.manifest, manifest),
    annotations: {
      [ATTESTATION_NOTES.about]: digest,
      [ATTESTATION_NOTES.type]: 'attestation-manifest',
    },
    platform: NOWHERE,
  };
  return { descriptor, manifest, configDescriptor, config, blobs };
}

/** Statements are their own "layers": not compressed, so that their digests are those of the layers. */
function imageConfig(diffIDs: readonly Digest[]): object {
  return { ...NOWHERE, config: {}, rootfs: { type: 'layers', diff_ids: diffIDs } };
}

function encode(document: object): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(document));
}

function describe(mediaType: string, bytes: Uint8Array): Descriptor {
  return { mediaType, digest: digestOf(bytes), size: bytes.length };
}
