/** Bad input, case by case. Only data. */

/** A build that fails. `{home}` and `{registry}` stand for what is known only when it runs. */
export interface FailureCase {
  readonly name: string;
  /** Undefined: there is no Dockerfile. */
  readonly dockerfile?: string;
  readonly files?: Readonly<Record<string, string>>;
  readonly flags?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly exit: number;
  /** The error's line: message and code. */
  readonly error: string;
  /** The line of the file (default: the Dockerfile), if the error has one. */
  readonly line?: number;
  readonly file?: string;
  readonly hint?: string;
}

/** Exit codes. */
export const BUILD = 1;
const USAGE = 2;
const REGISTRY = 3;
export const ENVIRONMENT = 4;

/** What may be wrong, and what is said. */
export const FAILURES: readonly FailureCase[] = [
  {
    name: 'a missing Dockerfile',
    exit: USAGE,
    error:
      'Cannot read the Dockerfile "{home}/context/Dockerfile": no such file [ERR_DOCKERFILE_MISSING]',
    hint: 'Name it with -f; its path is relative to the working directory, not to the context.',
  },
  {
    name: 'an unknown instruction',
    dockerfile: 'FROM scratch\n# a comment\nCOPPY a b\n',
    exit: BUILD,
    line: 3,
    error:
      'Cannot parse line 3: unknown instruction: COPPY (did you mean COPY?) [ERR_INSTRUCTION_INVALID]',
  },
  {
    name: 'an unknown flag of an instruction',
    dockerfile: 'FROM scratch\nCOPY --chwon=1 a b\n',
    exit: BUILD,
    line: 2,
    error:
      'Cannot parse line 2: unknown flag: --chwon (did you mean chown?) [ERR_INSTRUCTION_INVALID]',
  },
  {
    name: 'an unknown flag of the command',
    dockerfile: 'FROM scratch\n',
    flags: ['--targt=x'],
    exit: USAGE,
    error: 'Cannot understand the flag "--targt" [ERR_USAGE]',
    hint: 'Did you mean "--target"?',
  },
  {
    name: 'a COPY source that is not there',
    dockerfile: 'FROM base\n\nCOPY one.tx \\\n  two.txt /x/\n',
    files: { 'one.txt': '1', 'two.txt': '2' },
    exit: BUILD,
    line: 3,
    error: 'Cannot copy "one.tx": not found [ERR_SOURCE_MISSING]',
    hint: 'Did you mean "one.txt"?',
  },
  {
    name: 'a COPY source that the other stage does not have',
    dockerfile: 'FROM base AS one\nRUN touch /here\nFROM base\nCOPY --from=one /there /\n',
    exit: BUILD,
    line: 4,
    error: 'Cannot copy "/there": not found [ERR_SOURCE_MISSING]',
  },
  {
    name: 'a stage that is not there, by number',
    dockerfile: 'FROM base AS one\nCOPY --from=3 /there /\n',
    exit: BUILD,
    line: 2,
    error: '[ERR_STAGE_UNKNOWN]',
  },
  {
    name: 'a target that is not there',
    dockerfile: 'FROM base AS build\nRUN true\n',
    flags: ['--target=biuld'],
    exit: USAGE,
    error: 'Cannot build "biuld": target stage "biuld" could not be found [ERR_STAGE_UNKNOWN]',
    hint: 'Did you mean "build"?',
  },
  {
    name: 'a program that is not there',
    dockerfile: 'FROM base\nRUN ["/nope", "x"]\n',
    exit: BUILD,
    line: 2,
    error: 'process "/nope x" did not complete successfully: exit code: 127 [ERR_STEP_FAILED]',
  },
  {
    name: 'a USER that is not there',
    dockerfile: 'FROM base\nUSER nosuch\nRUN id\n',
    exit: BUILD,
    line: 3,
    error: 'unable to find user nosuch: no matching entries in passwd file [ERR_OWNER_UNKNOWN]',
    hint: 'Add it in an earlier RUN, or write its number: only names must be in /etc/passwd.',
  },
  {
    name: 'a secret that was not given',
    dockerfile: 'FROM base\nRUN --mount=type=secret,id=key,required cat /run/secrets/key\n',
    exit: USAGE,
    line: 2,
    error: 'Cannot mount secret key: not found [ERR_SECRET_MISSING]',
    hint: 'Give it with --secret id=key,src=FILE or --secret id=key,env=NAME.',
  },
  {
    name: 'a registry that is not there',
    dockerfile: 'FROM 127.0.0.1:1/some/image:1\nRUN true\n',
    exit: REGISTRY,
    line: 1,
    error: '127.0.0.1:1 is not reachable (ECONNREFUSED) [ERR_REGISTRY_UNREACHABLE]',
    hint: 'Nothing listens there. Check the host and the port.',
  },
  {
    name: 'an image that the registry does not have',
    dockerfile: 'FROM {registry}/some/image:9\nRUN true\n',
    exit: REGISTRY,
    line: 1,
    error: '[ERR_IMAGE_NOT_FOUND]',
  },
  {
    name: 'a registry that answers with another digest',
    dockerfile: `FROM {registry}/test@sha256:${'5'.repeat(64)}\nRUN true\n`,
    exit: REGISTRY,
    line: 1,
    error: '[ERR_DIGEST_MISMATCH]',
  },
  {
    name: 'a registry whose blobs are damaged',
    dockerfile: 'FROM {registry}/test:damaged\nRUN true\n',
    exit: REGISTRY,
    line: 2,
    error: '[ERR_DIGEST_MISMATCH]',
  },
  {
    name: 'a layer that is not what its image says',
    dockerfile: 'FROM {registry}/test:lying\nRUN true\n',
    exit: REGISTRY,
    line: 2,
    error: '[ERR_DIGEST_MISMATCH]',
  },
  {
    name: 'a layer of a layout that was cut off',
    dockerfile: 'FROM damaged\nRUN true\n',
    flags: ['--build-context', 'damaged=oci-layout://{home}/damaged'],
    // The other store has the layer from an image that is whole.
    env: { TSBUILD_STORE: '{home}/.cache/store' },
    exit: REGISTRY,
    line: 2,
    error: '[ERR_DIGEST_MISMATCH]',
  },
  {
    name: 'a missing context',
    flags: ['{home}/nowhere'],
    exit: USAGE,
    error:
      'Cannot read the build context "{home}/nowhere": no such directory [ERR_CONTEXT_MISSING]',
    hint: 'The last argument of tsbuild is a directory, a URL or "-"; the Dockerfile is named with -f.',
  },
  {
    name: 'no context at all',
    flags: [''],
    exit: USAGE,
    error: 'Cannot build without a context [ERR_USAGE]',
    hint: 'Name the directory with your files, e.g. "tsbuild .".',
  },
  {
    name: 'a bad pattern in .dockerignore',
    dockerfile: 'FROM base\nCOPY . /\n',
    files: { '.dockerignore': 'good\n[z-a]\n' },
    exit: BUILD,
    file: '.dockerignore',
    line: 2,
    error: 'Cannot use the ignore pattern "[z-a]": syntax error in pattern [ERR_IGNORE_PATTERN]',
    hint: 'Write a backslash before a "[" that is part of a name.',
  },
  {
    name: 'a named context without a source',
    dockerfile: 'FROM base\n',
    flags: ['--build-context', 'more'],
    exit: USAGE,
    error: 'Cannot use "more" as a build context [ERR_USAGE]',
    hint: 'Write "--build-context name=directory", or a URL, oci-layout://PATH, docker-image://NAME.',
  },
  {
    name: 'a named context that is no directory',
    dockerfile: 'FROM base\nCOPY --from=more a /\n',
    flags: ['--build-context', 'more={home}/nowhere'],
    exit: USAGE,
    line: 2,
    error:
      'Cannot read the build context "{home}/nowhere": no such directory [ERR_CONTEXT_MISSING]',
  },
  {
    name: 'a named context that is no layout',
    dockerfile: 'FROM more\nRUN true\n',
    flags: ['--build-context', 'more=oci-layout://{home}/context'],
    exit: REGISTRY,
    line: 1,
    error: 'Cannot find the image "oci-layout://{home}/context" [ERR_IMAGE_NOT_FOUND]',
    hint: 'The directory has no index.json, so it is no OCI image layout.',
  },
  {
    name: 'an output of an unknown type',
    dockerfile: 'FROM base\n',
    flags: ['-o', 'type=oic,dest=x'],
    exit: USAGE,
    error: 'unsupported output type: oic [ERR_USAGE]',
    hint: 'Did you mean "oci"?',
  },
  {
    name: 'an output without a place',
    dockerfile: 'FROM base\n',
    flags: ['-o', 'type=oci'],
    exit: USAGE,
    error: 'Cannot use type=oci without a destination [ERR_USAGE]',
    hint: 'Say dest=PATH.',
  },
  {
    name: 'an output that this version does not write',
    dockerfile: 'FROM base\n',
    flags: ['-o', 'type=oci,dest={home}/files,compression=estargz'],
    exit: USAGE,
    error: 'Cannot use compression=estargz [ERR_UNSUPPORTED]',
    hint: 'Only a plugin of containerd makes use of it, and no kept library writes it: use zstd.',
  },
  {
    name: 'files where a file is',
    dockerfile: 'FROM base\nRUN true\n',
    flags: ['-o', '{home}/busybox.Dockerfile'],
    exit: ENVIRONMENT,
    error: 'Cannot write the image to "{home}/busybox.Dockerfile" [ERR_OUTPUT_FAILED]',
    hint: 'It is a file.',
  },
  {
    name: 'an output where a directory is',
    dockerfile: 'FROM base\nRUN true\n',
    flags: ['-o', 'type=oci,dest={home}/context'],
    exit: ENVIRONMENT,
    error: 'Cannot write the image to "{home}/context": it is a directory [ERR_OUTPUT_FAILED]',
  },
  {
    name: 'an output below a file',
    dockerfile: 'FROM base\nRUN true\n',
    flags: ['-o', 'type=oci,tar=false,dest={home}/context/Dockerfile/x'],
    exit: ENVIRONMENT,
    error:
      'Cannot write the image to "{home}/context/Dockerfile/x": not a directory [ERR_OUTPUT_FAILED]',
  },
  {
    name: 'a name that no image can have',
    dockerfile: 'FROM base\n',
    flags: ['-t', 'Some/Name'],
    exit: USAGE,
    error: 'Cannot use "Some/Name" as an image name [ERR_REFERENCE_INVALID]',
    hint: 'Repository names are lower case.',
  },
  {
    name: 'a store that cannot be made',
    dockerfile: 'FROM base\nRUN true\n',
    env: { TSBUILD_STORE: '{home}/context/Dockerfile/store' },
    exit: ENVIRONMENT,
    error:
      'Cannot use the store at "{home}/context/Dockerfile/store/v1": not a directory [ERR_STORE_UNUSABLE]',
    hint: 'Set TSBUILD_STORE to a directory that you may write to, on a local disk.',
  },
  {
    name: 'a helper that is not there',
    dockerfile: 'FROM base\nRUN : the helper\n',
    env: { TSBUILD_HELPER: '{home}/nowhere' },
    exit: ENVIRONMENT,
    line: 2,
    error: '[ERR_HELPER_MISSING]',
    hint: 'There is no executable file "{home}/nowhere".',
  },
  {
    name: 'a helper that is something else',
    dockerfile: 'FROM base\nRUN : the helper\n',
    env: { TSBUILD_HELPER: '/bin/true' },
    exit: ENVIRONMENT,
    line: 2,
    error: '[ERR_HELPER_FAILED]',
  },
];
