/** What planning a build takes besides the Dockerfile. */

import type { SourceLocation } from '../errors.ts';
import type { ImageConfig } from '../oci/image.ts';
import type { Platform } from '../oci/platform.ts';
import type { DeviceOffers } from './plan-devices.ts';

/** The least that planning needs to know of an image: the config that stages inherit (FROM-10). */
export interface BaseImage {
  readonly config: ImageConfig;
}

/** `--build-context NAME=…`, its kind decided by whoever read the flag (CTX-6). */
export type NamedContext<Image> =
  /** Files, wherever they come from. */
  | { readonly kind: 'directory' }
  /** `docker-image://scratch`. */
  | { readonly kind: 'scratch' }
  | {
      readonly kind: 'image';
      /** For display and for cache records, e.g. `oci-layout://base`. */
      readonly reference: string;
      readonly resolve: (platform: Platform, location: SourceLocation) => Promise<Image>;
    };

export interface PlanOptions<Image extends BaseImage> {
  /** A stage's name in any case, or its index; default: the last stage (FROM-4). */
  readonly target?: string | undefined;
  readonly buildArgs: Readonly<Record<string, string>>;
  /** What the image is for. */
  readonly platform: Platform;
  /** Nobody asked for a platform: the image keeps the one of its base (FROM-12). */
  readonly isPlatformImplicit?: boolean | undefined;
  /** The image is one of several: steps are named with their platform (MP-5). */
  readonly isOneOfSeveral?: boolean | undefined;
  /** What the build runs on: BUILDPLATFORM. */
  readonly buildPlatform: Platform;
  readonly noCache?: boolean | undefined;
  /** Names of stages (OPT-1). */
  readonly noCacheFilter?: readonly string[] | undefined;
  /** The network of RUNs that do not say (RUN-2). */
  readonly network: 'default' | 'none' | 'host' | 'private';
  /** What RUN may be given that is not everybody's (ENT-1): `network.host`, `security.insecure`, `device[=NAME]`. */
  readonly allow?: ReadonlySet<string> | undefined;
  /** The machine's devices; undefined: what RUN asks for is not looked up. */
  readonly devices?: DeviceOffers | undefined;
  readonly namedContexts: ReadonlyMap<string, NamedContext<Image>>;
  /** The context's own time, seconds since the Unix epoch, if it has one (ARG-9). */
  readonly contextEpoch?: number | undefined;
  /** That of the context or stage that SOURCE_DATE_EPOCH names, if it has one. */
  readonly namedEpoch?: number | undefined;
  /** Called once for each full reference and platform; several go on at once. */
  readonly resolveImage: (
    reference: string,
    platform: Platform,
    location: SourceLocation,
  ) => Promise<Image>;
  /** What to plan with when an image cannot be had; undefined: the plan fails with the (located) error. */
  readonly standIn?: (
    error: unknown,
    asked: { readonly reference: string; readonly platform: Platform },
  ) => Image | undefined;
}
