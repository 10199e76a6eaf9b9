/** What is known of a build when it is over: what a provenance is made of. */

import type { SourceRange } from '../errors.ts';
import type { Descriptor } from '../oci/descriptor.ts';

/** Something that went into the build from elsewhere. */
export interface Material {
  readonly uri: string;
  /** In hexadecimal, by algorithm. */
  readonly digest: Readonly<Record<string, string>>;
}

export interface BuildFacts {
  /** The address of the context, when it is not a directory of this machine, and the Dockerfile in it. */
  readonly configSource: Partial<Material> & { readonly path: string };
  /** What was asked for, in the words of BuildKit's frontend: `build-arg:NAME`, `label:NAME`, `target`, … */
  readonly args: Readonly<Record<string, string>>;
  readonly secrets: readonly MountedSecret[];
  readonly ssh: readonly MountedSecret[];
  /** Inputs of this machine, which have no digest that anybody else could look up. */
  readonly locals: readonly string[];
  /** What the build ran on. */
  readonly builderPlatform: string;
  readonly materials: readonly Material[];
  /** Some RUN could reach a network. */
  readonly hasNetwork: boolean;
  readonly vcs: { readonly source: string; readonly revision: string } | undefined;
  /** RFC 3339; all undefined where nothing may depend on the day. */
  readonly invocationID: string | undefined;
  readonly startedOn: string;
  readonly finishedOn: string;
  readonly builderVersion: string;
  readonly dockerfile: { readonly name: string; readonly text: string };
  readonly steps: readonly StepFacts[];
}

export interface MountedSecret {
  readonly id: string;
  readonly optional: boolean;
}

/** A step of the plan, FROM included. */
export interface StepFacts {
  readonly stage: string;
  readonly kind: string;
  /** As the progress names it. */
  readonly name: string;
  readonly range: SourceRange;
  /** Of the image, if it made one of its layers. */
  readonly layer: Descriptor | undefined;
}
