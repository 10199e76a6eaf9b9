/** Flags of Buildah's `build` and kaniko's `executor` for registries and outputs, and what to type here instead. */

/** A flag of another builder that this command has by another name. */
export interface PeerFlag {
  /** As commander declares it. */
  readonly declaration: string;
  /** What to do instead, as a sentence. */
  readonly hint: string;
  /** Values that ask for what happens anyway. */
  readonly harmless?: readonly string[];
}

const NAME = 'Write "-t NAME --push", once for each name.';
const INSECURE = 'Write "--insecure-registry HOST[:PORT]" for each registry that is meant.';
const LOGIN =
  'Log in with docker or podman, or let REGISTRY_AUTH_FILE name the file with the logins.';
const CERTIFICATES =
  'Put it into certs.d/HOST below ~/.config/docker or /etc/docker (docs/registries.md).';
const MIRROR = 'Name mirrors in registries.conf or daemon.json (docs/registries.md).';
const DIGEST =
  '"--quiet" prints the digest, and "--metadata-file FILE" has it as containerimage.digest.';
const COMPRESSION = 'It belongs to an output: "-o type=registry,compression=zstd".';
const FORMAT =
  'It belongs to an output: "-o type=registry,oci-mediatypes=false" for Docker\'s format.';
const TIMES = 'Set SOURCE_DATE_EPOCH, and write "-o …,rewrite-timestamp=true" for the files.';

/** Boolean ones that are set to false are dropped before anybody looks here. */
export const PEER_FLAGS: readonly PeerFlag[] = [
  ...to('Name the context last: "tsbuild [flags] CONTEXT".', '--context <context>'),
  ...to('Write "CONTEXT/DIRECTORY" for the context.', '--context-sub-path <directory>'),
  ...to('Write "--file FILE".', '--dockerfile <file>'),
  ...to('Write "--platform os/architecture".', '--custom-platform <platform>'),
  ...to(NAME, '-d, --destination <name>'),
  ...to('Write "-t NAME --platform a,b": that is one index.', '--manifest <name>'),
  ...to('Write "-o type=docker,dest=FILE".', '--tar-path <file>', '--tarPath <file>'),
  ...to('Write "-o type=oci,tar=false,dest=DIRECTORY".', '--oci-layout-path <directory>'),
  ...to(
    DIGEST,
    '--digest-file <file>',
    '--image-name-with-digest-file <file>',
    '--image-name-tag-with-digest-file <file>',
  ),
  { declaration: '--tls-verify [value]', hint: INSECURE, harmless: ['true'] },
  ...to(
    INSECURE,
    '--insecure',
    '--insecure-pull',
    '--skip-tls-verify',
    '--skip-tls-verify-pull',
    '--skip-tls-verify-registry <host>',
  ),
  ...to(LOGIN, '--authfile <file>', '--creds <login>', '--credential-helpers <names>'),
  ...to(
    CERTIFICATES,
    '--cert-dir <directory>',
    '--registry-certificate <certificate>',
    '--registry-client-cert <certificate>',
  ),
  ...to(
    MIRROR,
    '--registry-mirror <host>',
    '--registry-map <map>',
    '--skip-default-registry-fallback',
  ),
  ...to('Push such a tag once.', '--push-ignore-immutable-tag-errors'),
  { declaration: '--format <format>', hint: FORMAT, harmless: ['oci'] },
  { declaration: '--image-format <format>', hint: FORMAT, harmless: ['oci'] },
  ...to(
    COMPRESSION,
    '--compression <name>',
    '--compression-format <name>',
    '--compression-level <level>',
    '--force-compression',
  ),
  ...to(
    TIMES,
    '--source-date-epoch <seconds>',
    '--timestamp <seconds>',
    '--rewrite-timestamp',
    '--reproducible',
  ),
];

function to(hint: string, ...declarations: readonly string[]): readonly PeerFlag[] {
  return declarations.map((declaration) => ({ declaration, hint }));
}
