/** What is said about images besides the images: provenance and lists of packages. */

export type { BuildFacts, Material, MountedSecret, StepFacts } from './facts.ts';
export { assembleAttestation } from './manifest.ts';
export { type Scan, scanPackages } from './packages/scan.ts';
export type { ImageFiles } from './packages/found-package.ts';
export { provenanceOf, uniqueMaterials } from './provenance.ts';
export { imagePurl, layoutPurl } from './purl.ts';
export type { AttestRequest, ProvenanceRequest } from './requests.ts';
export { sbomOf } from './spdx.ts';
export {
  type Attestation,
  digestSet,
  encodeStatement,
  PREDICATE,
  type Subject,
} from './statement.ts';
export { builderVersion } from './version.ts';
