/** The checks as data: BuildKit's names, texts and addresses (features.md §2). */

import type { Level } from './options.ts';

/** One check; `message` makes a warning's text of what was found. */
export interface Rule<Args extends readonly string[] = readonly string[]> {
  readonly name: string;
  readonly description: string;
  /** The page that explains it; one check has none. */
  readonly url: string | undefined;
  readonly message: (...args: Args) => string;
  /** Default: `warning`. */
  readonly level?: Level;
  /** Off unless asked for with `# check=experimental=…`. */
  readonly experimental?: boolean;
}

/** The 22 checks. */
export const RULES = {
  StageNameCasing: {
    name: 'StageNameCasing',
    description: 'Stage names should be lowercase',
    url: page('stage-name-casing'),
    message: (stage: string) => `Stage name '${stage}' should be lowercase`,
  },
  FromAsCasing: {
    name: 'FromAsCasing',
    description: "The 'as' keyword should match the case of the 'from' keyword",
    url: page('from-as-casing'),
    message: (from: string, as: string) => `'${as}' and '${from}' keywords' casing do not match`,
  },
  NoEmptyContinuation: {
    name: 'NoEmptyContinuation',
    description: 'Empty continuation lines will become errors in a future release',
    url: page('no-empty-continuation'),
    message: () => 'Empty continuation line',
  },
  ConsistentInstructionCasing: {
    name: 'ConsistentInstructionCasing',
    description:
      'All commands within the Dockerfile should use the same casing (either upper or lower)',
    url: page('consistent-instruction-casing'),
    message: (keyword: string, casing: string) =>
      `Command '${keyword}' should match the case of the command majority (${casing})`,
  },
  DuplicateStageName: {
    name: 'DuplicateStageName',
    description: 'Stage names should be unique',
    url: page('duplicate-stage-name'),
    message: (stage: string) =>
      `Duplicate stage name ${quote(stage)}, stage names should be unique`,
  },
  ReservedStageName: {
    name: 'ReservedStageName',
    description: 'Reserved words should not be used as stage names',
    url: page('reserved-stage-name'),
    message: (stage: string) =>
      `Stage name should not use the same name as reserved stage ${quote(stage)}`,
  },
  JSONArgsRecommended: {
    name: 'JSONArgsRecommended',
    description:
      'JSON arguments recommended for ENTRYPOINT/CMD to prevent unintended behavior related to OS signals',
    url: page('json-args-recommended'),
    message: (keyword: string) =>
      `JSON arguments recommended for ${keyword} to prevent unintended behavior related to OS signals`,
  },
  MaintainerDeprecated: {
    name: 'MaintainerDeprecated',
    description:
      'The MAINTAINER instruction is deprecated, use a label instead to define an image author',
    url: page('maintainer-deprecated'),
    message: () => 'Maintainer instruction is deprecated in favor of using label',
  },
  UndefinedArgInFrom: {
    name: 'UndefinedArgInFrom',
    description: 'FROM command must use declared ARGs',
    url: page('undefined-arg-in-from'),
    message: (name: string, close: string) =>
      `FROM argument '${name}' is not declared${close === '' ? '' : ` (did you mean ${close}?)`}`,
  },
  WorkdirRelativePath: {
    name: 'WorkdirRelativePath',
    description:
      'Relative workdir without an absolute workdir declared within the build can have unexpected results if the base image changes',
    url: page('workdir-relative-path'),
    message: (path: string) =>
      `Relative workdir ${quote(path)} can have unexpected results if the base image changes`,
  },
  UndefinedVar: {
    name: 'UndefinedVar',
    description: 'Variables should be defined before their use',
    url: page('undefined-var'),
    message: (name: string, close: string) =>
      `Usage of undefined variable '$${name}'${close === '' ? '' : ` (did you mean $${close}?)`}`,
  },
  MultipleInstructionsDisallowed: {
    name: 'MultipleInstructionsDisallowed',
    description: 'Multiple instructions of the same type should not be used in the same stage',
    url: page('multiple-instructions-disallowed'),
    message: (keyword: string) =>
      `Multiple ${keyword} instructions should not be used in the same stage because only the last one will be used`,
  },
  LegacyKeyValueFormat: {
    name: 'LegacyKeyValueFormat',
    description: 'Legacy key/value format with whitespace separator should not be used',
    url: page('legacy-key-value-format'),
    message: (keyword: string) =>
      `"${keyword} key=value" should be used instead of legacy "${keyword} key value" format`,
  },
  InvalidBaseImagePlatform: {
    name: 'InvalidBaseImagePlatform',
    description: 'Base image platform does not match expected target platform',
    url: undefined,
    message: (image: string, actual: string, expected: string) =>
      `Base image ${image} was pulled with platform ${quote(actual)}, expected ${quote(expected)} for current build`,
  },
  RedundantTargetPlatform: {
    name: 'RedundantTargetPlatform',
    description:
      'Setting platform to predefined $TARGETPLATFORM in FROM is redundant as this is the default behavior',
    url: page('redundant-target-platform'),
    message: (written: string) =>
      `Setting platform to predefined ${written} in FROM is redundant as this is the default behavior`,
  },
  SecretsUsedInArgOrEnv: {
    name: 'SecretsUsedInArgOrEnv',
    description: 'Sensitive data should not be used in the ARG or ENV commands',
    url: page('secrets-used-in-arg-or-env'),
    message: (keyword: string, name: string) =>
      `Do not use ARG or ENV instructions for sensitive data (${keyword} ${quote(name)})`,
  },
  InvalidDefaultArgInFrom: {
    name: 'InvalidDefaultArgInFrom',
    description: 'Default value for global ARG results in an empty or invalid base image name',
    url: page('invalid-default-arg-in-from'),
    message: (written: string) =>
      `Default value for ARG ${written} results in empty or invalid base image name`,
  },
  FromPlatformFlagConstDisallowed: {
    name: 'FromPlatformFlagConstDisallowed',
    description: 'FROM --platform flag should not use a constant value',
    url: page('from-platform-flag-const-disallowed'),
    message: (platform: string) =>
      `FROM --platform flag should not use constant value ${quote(platform)}`,
  },
  CopyIgnoredFile: {
    name: 'CopyIgnoredFile',
    description: 'Attempting to Copy file that is excluded by .dockerignore',
    url: page('copy-ignored-file'),
    message: (verb: string, path: string) =>
      `Attempting to ${verb} file ${quote(path)} that is excluded by .dockerignore`,
  },
  InvalidDefinitionDescription: {
    name: 'InvalidDefinitionDescription',
    description:
      'Comment for build stage or argument should follow the format: `# <arg/stage name> <description>`. If this is not intended to be a description comment, add an empty line or comment between the instruction and the comment.',
    url: page('invalid-definition-description'),
    message: (keyword: string, name: string) =>
      `Comment for ${keyword} should follow the format: \`# ${name} <description>\``,
    experimental: true,
  },
  ExposeProtoCasing: {
    name: 'ExposeProtoCasing',
    description: 'Protocol in EXPOSE instruction should be lowercase',
    url: page('expose-proto-casing'),
    message: (port: string) =>
      `Defined protocol '${port}' in EXPOSE instruction should be lowercase`,
  },
  ExposeInvalidFormat: {
    name: 'ExposeInvalidFormat',
    description:
      'IP address and host-port mapping should not be used in EXPOSE instruction. This will become an error in a future release',
    url: page('expose-invalid-format'),
    message: (port: string) =>
      `EXPOSE instruction should not define an IP address or host-port mapping, found '${port}'`,
  },
} as const satisfies Readonly<Record<string, Rule<never>>>;

function page(name: string): string {
  return `https://docs.docker.com/go/dockerfile/rule/${name}/`;
}

/** Go's `%q`, near enough for names and paths. */
function quote(text: string): string {
  return JSON.stringify(text);
}
