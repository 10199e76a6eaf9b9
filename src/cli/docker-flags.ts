/** Flags of `docker build` and its relatives that this command does not act on. */

import { PEER_FLAGS } from './peer-flags.ts';

/** A flag that is only recognised. */
export interface DockerFlag {
  /** As commander declares it. */
  readonly declaration: string;
  /** Why it is refused and what to do instead, as a sentence; undefined: it is ignored with a warning. */
  readonly refusal: string | undefined;
  /** Values with which it asks for nothing that would be missing. */
  readonly harmless?: readonly string[];
}

/** Accepted, warned about once, ignored: they change how another builder works, not what it makes. */
const IGNORED = [
  '--builder <name>',
  '-D, --debug',
  '--compress',
  '--rm',
  '--force-rm',
  '--security-opt <option>',
  '--layers',
  '--skip-unused-stages',
  '--force-build-metadata',
  '--disable-content-trust',
  '--retry <number>',
  '--retry-delay <duration>',
  '--push-retry <number>',
  '--image-download-retry <number>',
  '--image-fs-extract-retry <number>',
  '--skip-push-permission-check',
  '--cleanup',
];

/** Values of `--isolation` that mean something to docker or Buildah alone; here they mean `auto`. */
export const OTHER_ISOLATIONS = ['default', 'process', 'hyperv', 'oci', 'rootless', 'chroot'];

const NEEDS_SHARED_CACHE = 'The store keeps the cache between builds: leave the flag out.';

/** Refused: to ignore one would silently give another result than the user asked for. */
const REFUSED: Readonly<Record<string, string>> = {
  '--cache-from <source>': NEEDS_SHARED_CACHE,
  '--cache-to <destination>': NEEDS_SHARED_CACHE,
  '--print <what>': 'Only building is there yet.',
  '--squash': 'Copy the result into a stage of its own: "FROM scratch", "COPY --from=…".',
  '--policy <policy>': 'Pin base images by digest in the Dockerfile.',
};

/** Every flag that is recognised, but not acted on. */
export const DOCKER_FLAGS: readonly DockerFlag[] = [
  ...IGNORED.map((declaration) => ({ declaration, refusal: undefined })),
  ...Object.entries(REFUSED).map(([declaration, refusal]) => ({
    declaration,
    refusal,
    harmless: ['false', 'disabled=true'],
  })),
  ...PEER_FLAGS.map(({ hint, ...flag }) => ({ ...flag, refusal: hint })),
];
