/** What a build is asked for and what it answers: the types of the public API. */

import type { Writable } from 'node:stream';
import type { Descriptor } from './oci/descriptor.ts';
import type { Digest } from './oci/digest.ts';
import type { ImageConfig } from './oci/image.ts';
import type { BuildEvent, StepReport } from './progress/event.ts';
import type { Given } from './context/source.ts';

/** What all have in common that look into the store and ask registries. */
export type SessionOptions = Pick<
  BuildOptions,
  'store' | 'helper' | 'dockerConfig' | 'environment' | 'insecureRegistries' | 'signal' | 'onEvent'
>;

/** What `build()` takes. Only `context` is required. */
export interface BuildOptions {
  /**
   * The build context (CTX-1): a directory, the http(s) address of a tar or of a Dockerfile, a git
   * repository's address; or bytes: a tar (plain, or compressed with gzip, bzip2, xz or zstd), or a
   * Dockerfile that needs no files. A stream is read once, to its end.
   */
  readonly context: Given;
  /**
   * The Dockerfile: its path, relative to the working directory, or to the root of a context that is
   * no directory of this machine; an http(s) address; or its bytes. Default: `Dockerfile` in the
   * context (CTX-2).
   */
  readonly dockerfile?: Given;
  /** The ignore file that counts instead of any other, relative to the working directory (IGN-9). */
  readonly ignoreFile?: string;
  /** The stage to build; default: the last. */
  readonly target?: string;
  readonly buildArgs?: Readonly<Record<string, string>>;
  readonly labels?: Readonly<Record<string, string>>;
  /** Image names, e.g. `registry.example/app:1.2`. */
  readonly tags?: readonly string[];
  /** Where the image goes, as for `docker buildx build --output`; none: it stays in the store. */
  readonly outputs?: readonly (string | RegistryOutputOptions)[];
  /** Push to the names: the outputs that are images, or else one more. */
  readonly push?: boolean;
  /** Loads the image into the container engine of this machine: docker's (`environment.DOCKER_HOST`), else podman. */
  readonly load?: boolean;
  /**
   * SLSA provenance of the image: true, or `mode=min|max,…` as docker's flag has it (docs/attestations.md).
   * Default: none. An image with attestations is an index.
   */
  readonly provenance?: boolean | string;
  /** The list of its packages (SPDX), likewise. */
  readonly sbom?: boolean | string;
  /** The same by type: `type=provenance|sbom[,KEY=VALUE]`. */
  readonly attests?: readonly string[];
  /** Of the image, as docker's flag has them: `[PLACE[PLATFORM]:]KEY=VALUE`. */
  readonly annotations?: readonly string[];
  /**
   * Named contexts (CTX-6): a directory, an http(s) or git address, `oci-layout://PATH[:tag][@digest]`
   * or `docker-image://REFERENCE`. `NAME::PLATFORM` is the one for a platform.
   */
  readonly buildContexts?: Readonly<Record<string, string>>;
  /** `os/architecture[/variant]`, several with commas between them: an index; default: this machine's. */
  readonly platform?: string;
  /** Secrets by id: their bytes. */
  readonly secrets?: Readonly<Record<string, Uint8Array>>;
  /** Ids of secrets whose change runs the steps again that mount them. */
  readonly rotatingSecrets?: readonly string[];
  /** Ids of secrets that may be in the image, and in the output of RUN, as they are. */
  readonly unguardedSecrets?: readonly string[];
  /** Agents for `RUN --mount=type=ssh`, by id: the socket of one, or files with private keys. */
  readonly ssh?: Readonly<Record<string, readonly string[]>>;
  /** Extra lines of /etc/hosts for RUN: `name:address` or `name=address`. */
  readonly addHosts?: readonly string[];
  /**
   * The network of RUNs that do not say: this machine's (`host`, the default), none, or one of their own,
   * which leads out through pasta or slirp4netns (`private`).
   */
  readonly network?: 'default' | 'none' | 'host' | 'private';
  /** Addresses that RUN asks for names, and what else is in its resolv.conf; default: this machine's. */
  readonly dns?: readonly string[];
  readonly dnsSearch?: readonly string[];
  readonly dnsOptions?: readonly string[];
  /**
   * What RUN may ask for: `network.host` where the build's network is another, `security.insecure`,
   * `device` or `device=NAME`.
   */
  readonly allow?: readonly string[];
  /** What each RUN may use; where this machine cannot limit something, the build says so and goes on. */
  readonly resources?: Resources;
  /** The control group in which RUNs get their own. */
  readonly cgroupParent?: string;
  /** Milliseconds that each RUN may take. */
  readonly timeout?: number;
  /**
   * How RUNs are kept apart from the machine: `root` by mount namespaces, `subids` by a user namespace
   * with many ids, `single` by one with one id; `auto`, the default, by the first of these that works.
   */
  readonly isolation?: 'auto' | 'root' | 'subids' | 'single';
  /** Bytes of /dev/shm in RUN. */
  readonly shmSize?: number;
  /** `name=soft[:hard]` (OPT-2). */
  readonly ulimits?: readonly string[];
  /** Devices that every RUN gets: `/dev/NAME[:PATH]`, or the name of a CDI device. */
  readonly devices?: readonly string[];
  /** Where CDI specs are, besides /etc/cdi and /var/run/cdi. */
  readonly cdiDirectories?: readonly string[];
  /** Run every step anew; the results still go into the store. */
  readonly noCache?: boolean;
  /** Run every step of these stages anew. */
  readonly noCacheFilter?: readonly string[];
  /** Seconds since the Unix epoch: the time of everything that the build dates (REP-1). */
  readonly sourceDateEpoch?: number;
  /** The store's directory; default: design.md §6. */
  readonly store?: string;
  /** The helper's binary; default: the one that came with the package. */
  readonly helper?: string;
  /** Docker's config directory, for registry credentials. */
  readonly dockerConfig?: string;
  /**
   * The environment: its proxies, and what registries' settings are found by (HOME, XDG_CONFIG_HOME,
   * REGISTRY_AUTH_FILE, …), with those of this machine. Default: none of them count, only `dockerConfig`.
   */
  readonly environment?: Readonly<Record<string, string | undefined>>;
  /** Registries for which plain HTTP and unknown certificates will do: `HOST[:PORT]`, or `ADDRESS/BITS`. */
  readonly insecureRegistries?: readonly string[];
  /** How many RUNs, and how many layer jobs, go on at once; default: as many as there are processors, but at least 8 RUNs. */
  readonly concurrency?: number;
  readonly signal?: AbortSignal;
  readonly onEvent?: (event: BuildEvent) => void;
  /** Where `-o …,dest=-` writes; default: such an output is refused. */
  readonly stdout?: Writable;
}

/** An output that is pushed, as `type=registry,name=…`. */
export interface RegistryOutputOptions {
  readonly type: 'registry';
  /** Besides those of `tags`. */
  readonly names?: readonly string[];
  /** Under its digest alone: the names have no tag. */
  readonly pushByDigest?: boolean;
  /** Plain HTTP and certificates that nobody vouches for will do. */
  readonly insecure?: boolean;
}

/** What a RUN may use; without a value, all there is. */
export interface Resources {
  /** Bytes. */
  readonly memory?: number;
  /** Memory and swap together, bytes; -1 is no limit. Default: twice the memory. */
  readonly memorySwap?: number;
  /** Relative to other groups, which have 1024. */
  readonly cpuShares?: number;
  /** Microseconds of processor time in each period; a period is 100000 unless said otherwise. */
  readonly cpuQuota?: number;
  readonly cpuPeriod?: number;
  /** E.g. `0-2,4`. */
  readonly cpusetCpus?: string;
  readonly cpusetMems?: string;
  /** Processes and threads; -1 is no limit. */
  readonly pids?: number;
}

/** What `build()` answers: the image, and how it came about. */
export interface BuildResult {
  /** The manifest's digest; of several platforms the index's. */
  readonly digest: Digest;
  readonly descriptor: Descriptor;
  /** Undefined when there are several platforms. */
  readonly config: ImageConfig | undefined;
  readonly configDigest: Digest | undefined;
  /** In the order that was asked for; at least one. */
  readonly platforms: readonly [PlatformResult, ...PlatformResult[]];
  /** Full names, from tags and outputs: what `push()` knows the image by. */
  readonly names: readonly string[];
  readonly steps: readonly StepReport[];
}

/** The image for one platform. */
export interface PlatformResult {
  /** As it was asked for, in its normal form: `linux/arm64`. */
  readonly platform: string;
  /** The manifest's digest. */
  readonly digest: Digest;
  readonly descriptor: Descriptor;
  readonly config: ImageConfig;
  readonly configDigest: Digest;
  /** The SLSA predicate, when a provenance was asked for. */
  readonly provenance: object | undefined;
}
