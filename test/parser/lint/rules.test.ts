import assert from 'node:assert/strict';
import { lint, type LintOptions, parseDockerfile } from '../../../parser/index.ts';
import { RULES } from '../../../parser/lint/rules.ts';
import { createIgnore } from '../../../src/context/ignore.ts';

interface Case {
  readonly rule: keyof typeof RULES;
  readonly bad: string;
  /** `line message` of each warning of the rule. */
  readonly expected: readonly string[];
  readonly good: readonly string[];
  readonly options?: LintOptions;
}

function ignoring(...patterns: string[]): LintOptions {
  return { dockerignore: { patterns, matches: createIgnore(patterns) } };
}

const CASES: readonly Case[] = [
  {
    rule: 'StageNameCasing',
    bad: 'FROM scratch AS BuilderBase',
    expected: ["1 Stage name 'BuilderBase' should be lowercase"],
    good: ['FROM scratch AS builder-base'],
  },
  {
    rule: 'FromAsCasing',
    bad: 'FROM scratch as one\nfrom scratch AS two',
    expected: [
      "1 'as' and 'FROM' keywords' casing do not match",
      "2 'AS' and 'from' keywords' casing do not match",
    ],
    good: ['FROM scratch AS one', 'from scratch as one', 'From scratch aS one'],
  },
  {
    rule: 'NoEmptyContinuation',
    bad: 'FROM scratch\nCOPY a \\\n\n b',
    expected: ['4 Empty continuation line'],
    good: ['FROM scratch\nCOPY a \\\n# comment\n b'],
  },
  {
    rule: 'ConsistentInstructionCasing',
    bad: 'ARG a\nFROM scratch\ncopy a b\nCopy c d',
    expected: [
      "3 Command 'copy' should match the case of the command majority (uppercase)",
      "4 Command 'Copy' should match the case of the command majority (uppercase)",
    ],
    good: ['FROM scratch\nCOPY a b', 'from scratch\ncopy a b'],
  },
  {
    rule: 'DuplicateStageName',
    bad: 'FROM scratch AS one\nFROM scratch AS One',
    expected: ['2 Duplicate stage name "one", stage names should be unique'],
    good: ['FROM scratch AS one\nFROM scratch AS two'],
  },
  {
    rule: 'ReservedStageName',
    bad: 'FROM scratch AS scratch\nFROM scratch AS context',
    expected: [
      '1 Stage name should not use the same name as reserved stage "scratch"',
      '2 Stage name should not use the same name as reserved stage "context"',
    ],
    good: ['FROM scratch AS scratched'],
  },
  {
    rule: 'JSONArgsRecommended',
    bad: 'FROM scratch\nENTRYPOINT run me\nCMD run me',
    expected: [
      '2 JSON arguments recommended for ENTRYPOINT to prevent unintended behavior related to OS signals',
      '3 JSON arguments recommended for CMD to prevent unintended behavior related to OS signals',
    ],
    good: [
      'FROM scratch\nCMD ["run", "me"]',
      'FROM scratch AS base\nSHELL ["/bin/bash", "-c"]\nFROM base\nCMD run me',
    ],
  },
  {
    rule: 'MaintainerDeprecated',
    bad: 'FROM scratch\nMAINTAINER me',
    expected: ['2 Maintainer instruction is deprecated in favor of using label'],
    good: ['FROM scratch\nLABEL org.opencontainers.image.authors=me'],
  },
  {
    rule: 'UndefinedArgInFrom',
    bad: 'ARG VERSION=1\nFROM alpine:${VERSIO}\nFROM --platform=$WHATEVER alpine AS x',
    expected: [
      "2 FROM argument 'VERSIO' is not declared (did you mean VERSION?)",
      "3 FROM argument 'WHATEVER' is not declared",
    ],
    good: [
      'ARG VERSION\nFROM alpine:3${VERSION}',
      'FROM --platform=$BUILDPLATFORM alpine',
      'ARG DEBUG=""\nFROM alpine${DEBUG-@bogus}',
    ],
  },
  {
    rule: 'WorkdirRelativePath',
    bad: 'FROM scratch\nWORKDIR app/\nWORKDIR more',
    expected: ['2 Relative workdir "app/" can have unexpected results if the base image changes'],
    good: ['FROM scratch AS base\nWORKDIR /app\nFROM base\nWORKDIR more'],
  },
  {
    rule: 'UndefinedVar',
    bad: 'FROM scratch\nARG DIR_ASSETS=a\nCOPY $DIR_ASSET $other /\nENV a=1 b=$a\nCOPY <<EOF /f\n$body\nEOF',
    expected: [
      "3 Usage of undefined variable '$DIR_ASSET' (did you mean $DIR_ASSETS?)",
      "3 Usage of undefined variable '$other'",
      "4 Usage of undefined variable '$a'",
      "5 Usage of undefined variable '$body'",
    ],
    good: [
      'FROM scratch\nARG a\nCOPY $a /',
      'FROM scratch AS base\nARG a=1\nFROM base\nCOPY $a $PATH /',
      'FROM scratch\nRUN echo $whatever',
      "FROM scratch\nCOPY <<'EOF' /f\n$body\nEOF",
      'FROM scratch\nARG a=1 b=$a',
    ],
  },
  {
    rule: 'MultipleInstructionsDisallowed',
    bad: 'FROM scratch\nCMD ["a"]\nHEALTHCHECK NONE\nCMD ["b"]\nHEALTHCHECK CMD ["b"]',
    expected: [
      '2 Multiple CMD instructions should not be used in the same stage because only the last one will be used',
      '3 Multiple HEALTHCHECK instructions should not be used in the same stage because only the last one will be used',
    ],
    good: ['FROM scratch AS base\nCMD ["a"]\nFROM base\nCMD ["b"]'],
  },
  {
    rule: 'LegacyKeyValueFormat',
    bad: 'FROM scratch\nENV a b c\nLABEL a b',
    expected: [
      '2 "ENV key=value" should be used instead of legacy "ENV key value" format',
      '3 "LABEL key=value" should be used instead of legacy "LABEL key value" format',
    ],
    good: ['FROM scratch\nENV a=b\nLABEL a=b'],
  },
  {
    rule: 'InvalidBaseImagePlatform',
    bad: 'FROM alpine',
    expected: [
      '1 Base image alpine was pulled with platform "linux/s390x", expected "linux/amd64" for current build',
    ],
    good: ['FROM --platform=linux/s390x alpine', 'FROM --platform=linux alpine', 'FROM scratch'],
    options: { baseImage: () => ({ platform: { os: 'linux', architecture: 's390x' } }) },
  },
  {
    rule: 'RedundantTargetPlatform',
    bad: 'FROM --platform=${TARGETPLATFORM} alpine',
    expected: [
      '1 Setting platform to predefined ${TARGETPLATFORM} in FROM is redundant as this is the default behavior',
    ],
    good: ['FROM alpine', 'FROM --platform=$BUILDPLATFORM alpine'],
  },
  {
    rule: 'SecretsUsedInArgOrEnv',
    bad: 'FROM scratch\nARG AWS_SECRET_ACCESS_KEY\nENV a=1 token=2',
    expected: [
      '2 Do not use ARG or ENV instructions for sensitive data (ARG "AWS_SECRET_ACCESS_KEY")',
      '3 Do not use ARG or ENV instructions for sensitive data (ENV "token")',
    ],
    good: ['FROM scratch\nARG PUBLIC_KEY\nENV PASSWORD_FILE=/run/x monkey=1 TOKENS=2'],
  },
  {
    rule: 'InvalidDefaultArgInFrom',
    bad: 'ARG TAG\nFROM busybox:${TAG}',
    expected: [
      '2 Default value for ARG busybox:${TAG} results in empty or invalid base image name',
    ],
    good: ['ARG TAG=latest\nFROM busybox:${TAG}', 'ARG VARIANT\nFROM busybox:stable${VARIANT}'],
    options: { buildArgs: { TAG: 'latest' } },
  },
  {
    rule: 'FromPlatformFlagConstDisallowed',
    bad: 'FROM --platform=linux/x86_64 alpine AS base',
    expected: ['1 FROM --platform flag should not use constant value "linux/x86_64"'],
    good: [
      'FROM --platform=linux/amd64 alpine AS build_amd64',
      'FROM --platform=linux/arm64 alpine AS for-linux',
      'FROM --platform=$BUILDPLATFORM alpine',
    ],
  },
  {
    rule: 'CopyIgnoredFile',
    bad: 'FROM scratch\nCOPY ./tmp/a /\nADD tmp x /',
    expected: [
      '2 Attempting to Copy file "tmp/a" that is excluded by .dockerignore',
      '3 Attempting to Add file "tmp" that is excluded by .dockerignore',
    ],
    good: [
      'FROM scratch\nCOPY . x /',
      'FROM scratch AS one\nFROM scratch\nCOPY --from=one tmp /',
      'FROM scratch\nADD http://localhost/tmp /',
    ],
    options: ignoring('tmp'),
  },
  {
    rule: 'InvalidDefinitionDescription',
    bad: '# check=experimental=InvalidDefinitionDescription\n# other\nARG foo=1 bar=2\n# other\nFROM scratch AS base',
    expected: [
      '3 Comment for ARG should follow the format: `# <arg_key> <description>`',
      '5 Comment for FROM should follow the format: `# base <description>`',
    ],
    good: [
      '# bar is it\nARG foo=1 bar=2\n# base is it\nFROM scratch AS base',
      '# other\n\nARG foo=1\n# other\n#\nFROM scratch AS base',
    ].map((text) => `# check=experimental=all\n${text}`),
  },
  {
    rule: 'ExposeProtoCasing',
    bad: 'FROM scratch\nEXPOSE 80/TcP 81/udp',
    expected: ["2 Defined protocol '80/TcP' in EXPOSE instruction should be lowercase"],
    good: ['FROM scratch\nEXPOSE 80 80/tcp'],
  },
  {
    rule: 'ExposeInvalidFormat',
    bad: 'FROM scratch\nEXPOSE 5000:5000 [::1]:80:80 8000',
    expected: ['5000:5000', '[::1]:80:80'].map(
      (port) =>
        `2 EXPOSE instruction should not define an IP address or host-port mapping, found '${port}'`,
    ),
    good: ['FROM scratch\nEXPOSE 80 8000-8010/udp'],
  },
];

function warningsOf(rule: string, text: string, options?: LintOptions): string[] {
  const warnings = lint(parseDockerfile(text), options);
  const own = warnings.filter((warning) => warning.rule === rule);
  return own.map(({ range, message }) => `${range.start.line} ${message}`);
}

describe('lint rules (features.md §2)', () => {
  it('are 22, each under its own name and with a page but for one', () => {
    assert.equal(Object.keys(RULES).length, 22);
    for (const [name, rule] of Object.entries(RULES)) assert.equal(rule.name, name);
    const without = Object.values(RULES).filter(({ url }) => url === undefined);
    assert.deepEqual(without, [RULES.InvalidBaseImagePlatform]);
  });

  it('have a case each', () => {
    assert.deepEqual(
      CASES.map(({ rule }) => rule),
      Object.keys(RULES),
    );
  });

  for (const { rule, bad, expected, good, options } of CASES) {
    it(`${rule} reports what is wrong`, () => {
      assert.deepEqual(warningsOf(rule, bad, options), expected);
    });
    it(`${rule} leaves alone what is right`, () => {
      for (const text of good) assert.deepEqual(warningsOf(rule, text, options), [], text);
    });
  }

  it('CopyIgnoredFile reports the whole context only where everything is left out', () => {
    const text = 'FROM scratch\nCOPY . /';
    assert.deepEqual(warningsOf('CopyIgnoredFile', text, ignoring('.*', 'a')), []);
    assert.deepEqual(warningsOf('CopyIgnoredFile', text, ignoring('**')), [
      '2 Attempting to Copy file "." that is excluded by .dockerignore',
    ]);
  });

  it('CopyIgnoredFile says nothing when the ignore file has exceptions', () => {
    assert.deepEqual(
      warningsOf('CopyIgnoredFile', 'FROM scratch\nCOPY a /', ignoring('a', '!a/b')),
      [],
    );
  });

  it('UndefinedVar and JSONArgsRecommended know the base image, its triggers included', () => {
    const text = 'FROM alpine\nCOPY $GIVEN $LATER /\nCMD run me';
    const facts = { env: ['GIVEN=1'], shell: ['/bin/bash'], triggers: ['ARG LATER=1'] };
    assert.deepEqual(lint(parseDockerfile(text), { baseImage: () => facts }), []);
    assert.equal(lint(parseDockerfile(text)).length, 3);
  });
});
