/** Our own checks as data. Each has its page in docs/rules/. Level `warning` is for what is dangerous. */

import type { Rule } from '../rules.ts';

/** The checks that BuildKit does not have. */
export const OWN_RULES = {
  CredentialInDockerfile: {
    name: 'CredentialInDockerfile',
    description: 'A credential in the Dockerfile can be read by everyone who has the image',
    url: page('credential-in-dockerfile'),
    message: (keyword: string, what: string) =>
      `${keyword} contains ${what}, which anyone with the image can read; use a secret mount`,
  },
  SecretFileCopied: {
    name: 'SecretFileCopied',
    description: 'Files with secrets should not be copied into an image',
    url: page('secret-file-copied'),
    message: (keyword: string, path: string) =>
      `${keyword} puts "${path}" into the image, which usually holds secrets; use a secret mount`,
  },
  BrokenJson: {
    name: 'BrokenJson',
    description: 'What looks like JSON and is none is taken for a shell command or for plain words',
    url: page('broken-json'),
    message: (keyword: string, problem: string) =>
      `The arguments of ${keyword} are no JSON (${problem}), so they are read as plain text`,
  },
  AptListsKept: {
    name: 'AptListsKept',
    description: 'Package lists that apt-get leaves behind make the layer larger',
    url: page('apt-lists-kept'),
    level: 'note',
    message: () =>
      'The package lists stay in the layer; remove /var/lib/apt/lists/* in the same RUN',
  },
  AptRecommendsInstalled: {
    name: 'AptRecommendsInstalled',
    description: 'apt-get also installs recommended packages unless told otherwise',
    url: page('apt-recommends-installed'),
    level: 'note',
    message: () => 'apt-get install without --no-install-recommends adds packages nobody asked for',
  },
  AptUpdateAlone: {
    name: 'AptUpdateAlone',
    description: 'apt-get update in a RUN of its own is cached and gets old',
    url: page('apt-update-alone'),
    level: 'note',
    message: () =>
      'The package lists of this RUN are cached and get old; update and install in one RUN',
  },
  ApkCacheKept: {
    name: 'ApkCacheKept',
    description: 'The package index that apk add leaves behind makes the layer larger',
    url: page('apk-cache-kept'),
    level: 'note',
    message: () => 'apk add without --no-cache leaves the package index in the layer',
  },
  PipCacheKept: {
    name: 'PipCacheKept',
    description: 'The downloads that pip keeps make the layer larger',
    url: page('pip-cache-kept'),
    level: 'note',
    message: () => 'pip install without --no-cache-dir leaves its downloads in the layer',
  },
  UnsortedPackages: {
    name: 'UnsortedPackages',
    description: 'Sorted package lists are easier to read and to change',
    url: page('unsorted-packages'),
    level: 'note',
    message: (before: string, after: string) =>
      `The packages are not sorted: "${after}" should come before "${before}"`,
  },
  AddLocalFile: {
    name: 'AddLocalFile',
    description: 'COPY is enough for local files that are not to be unpacked',
    url: page('add-local-file'),
    level: 'note',
    message: (path: string) => `COPY does the same with "${path}" and has no surprises`,
  },
  AddWithoutChecksum: {
    name: 'AddWithoutChecksum',
    description: 'A download without a checksum can be anything the next time',
    url: page('add-without-checksum'),
    level: 'note',
    message: (url: string) => `Nothing says what "${url}" must contain; add --checksum=sha256:…`,
  },
  CopyBeforeDependencies: {
    name: 'CopyBeforeDependencies',
    description: 'Dependencies that are installed after all files are copied are never cached',
    url: page('copy-before-dependencies'),
    level: 'note',
    message: (command: string, manifest: string) =>
      `Every changed file runs "${command}" again; copy ${manifest} and run it first`,
  },
  ConsecutiveRuns: {
    name: 'ConsecutiveRuns',
    description: 'Each RUN is a layer of its own',
    url: page('consecutive-runs'),
    level: 'note',
    message: (count: string) => `These ${count} RUN instructions could be one layer`,
  },
  UnusedStage: {
    name: 'UnusedStage',
    description: 'A stage that no other one uses takes part in no build of the last stage',
    url: page('unused-stage'),
    level: 'note',
    message: (stage: string) => `Stage ${stage} is used by no other stage and is not the last one`,
  },
  UnusedBuildArg: {
    name: 'UnusedBuildArg',
    description: 'A build argument without an ARG has no effect',
    url: page('unused-build-arg'),
    level: 'note',
    message: (name: string, close: string) =>
      `No ARG takes the build argument "${name}"${close === '' ? '' : ` (did you mean ${close}?)`}`,
  },
  UnpinnedBase: {
    name: 'UnpinnedBase',
    description: 'A base image without a version is another one some day',
    url: page('unpinned-base'),
    level: 'note',
    message: (image: string) => `Base image "${image}" has no version; name a tag or a digest`,
  },
  RunsAsRoot: {
    name: 'RunsAsRoot',
    description: 'The image starts its program as root',
    url: page('runs-as-root'),
    level: 'note',
    message: (unknown: string) =>
      unknown === ''
        ? 'The program of this image runs as root; name another USER'
        : `No USER is set: the program of this image runs as root unless "${unknown}" names a user`,
  },
  PipeWithoutPipefail: {
    name: 'PipeWithoutPipefail',
    description: 'A download that fails is not noticed when its output goes into a pipe',
    url: page('pipe-without-pipefail'),
    level: 'note',
    message: (command: string) =>
      `RUN goes on when "${command}" fails, because it is not the end of the pipe; set pipefail`,
  },
  CdWithoutEffect: {
    name: 'CdWithoutEffect',
    description: 'cd at the end of a RUN has no effect on what follows',
    url: page('cd-without-effect'),
    level: 'note',
    message: (directory: string) =>
      `"cd ${directory}" is forgotten when the RUN ends; WORKDIR is what stays`,
  },
  SudoAsRoot: {
    name: 'SudoAsRoot',
    description: 'sudo does nothing for root',
    url: page('sudo-as-root'),
    level: 'note',
    message: () => 'This RUN is root already; sudo adds nothing',
  },
} as const satisfies Readonly<Record<string, Rule<never>>>;

/** In the project, and in its package. */
function page(name: string): string {
  return `docs/rules/${name}.md`;
}
