/** What `--output` asks for: where something goes, and which form of the image that is. */

import type { Reference } from '../oci/reference.ts';
import type { Annotation } from './annotations.ts';

/** One output of a build. */
export type OutputSpec =
  | OciOutput
  | DockerOutput
  | RegistryOutput
  | LocalOutput
  | TarOutput
  /** Nothing is written; the steps' results are in the store. */
  | { readonly kind: 'cacheonly' };

/** What all outputs have that write an image. */
interface ImageOutput {
  /** From `name=`, besides those of `--tag`. */
  readonly names: readonly Reference[];
  readonly form: ImageForm;
}

export interface OciOutput extends ImageOutput {
  readonly kind: 'oci';
  /** A path; `-` is the standard output. */
  readonly destination: string;
  /** An archive, or else a layout directory. */
  readonly isTar: boolean;
}

/** An archive for `docker load`. */
export interface DockerOutput extends ImageOutput {
  readonly kind: 'docker';
  /** A path; `-` is the standard output; undefined: into the engine of this machine. */
  readonly destination: string | undefined;
  readonly isTar: boolean;
}

/** `type=image` and `type=registry`: it stays in the store, and is pushed if asked for. */
export interface RegistryOutput extends ImageOutput {
  readonly kind: 'image';
  readonly push: boolean;
  /** Pushed by its digest alone: the names have no tag. */
  readonly pushByDigest: boolean;
  /** Also named by its digest. */
  readonly nameCanonical: boolean;
  /** Plain HTTP, or TLS that is not verified. */
  readonly insecure: boolean;
}

/** What all outputs have that write the files of the image instead of the image. */
interface FilesOutput {
  /** A folder for each platform; undefined: when there are several (LOC-1). */
  readonly platformSplit: boolean | undefined;
  /** Seconds: the time of all files; undefined: the build's. */
  readonly epoch: number | undefined;
  /** What names of attestations begin with. */
  readonly attestationPrefix: string;
}

export interface LocalOutput extends FilesOutput {
  readonly kind: 'local';
  readonly destination: string;
  /** `delete` removes what the image does not have. */
  readonly mode: 'copy' | 'delete';
}

export interface TarOutput extends FilesOutput {
  readonly kind: 'tar';
  /** A path; `-` is the standard output. */
  readonly destination: string;
}

/** Which of the images that a build can become. Equal forms are equal images, made once. */
export interface ImageForm {
  /** How documents and layers are called: OCI's names; Docker's for older readers, where it has one for every layer; Docker's or none. */
  readonly mediaTypes: 'oci' | 'docker' | 'docker-only';
  readonly compression: 'gzip' | 'zstd' | 'none';
  /** Undefined: the usual one. */
  readonly level: number | undefined;
  /** The layers of base images too. */
  readonly forceCompression: boolean;
  /** No file of a new layer is later than SOURCE_DATE_EPOCH (REP-1). */
  readonly rewriteTimestamp: boolean;
  /** Seconds; undefined: the build's. */
  readonly epoch: number | undefined;
  readonly annotations: readonly Annotation[];
  /** Attestations are artifacts with a subject; else images of an unknown platform (ATT-4). */
  readonly ociArtifact: boolean;
}

/** The form of an image that nobody asked to be another. */
export const USUAL_FORM: ImageForm = {
  mediaTypes: 'oci',
  compression: 'gzip',
  level: undefined,
  forceCompression: false,
  rewriteTimestamp: false,
  epoch: undefined,
  annotations: [],
  ociArtifact: true,
};
