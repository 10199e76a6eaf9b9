import assert from 'node:assert/strict';
import {
  type BaseImageFacts,
  lint,
  type LintOptions,
  parseDockerfile,
} from '../../../parser/index.ts';
import { OWN_RULES } from '../../../parser/lint/beyond/rules.ts';
import { createIgnore } from '../../../src/context/ignore.ts';

interface Case {
  readonly rule: keyof typeof OWN_RULES;
  /** Each must be reported, at this line. */
  readonly bad: readonly (readonly [line: number, text: string, options?: LintOptions])[];
  readonly good: readonly (string | readonly [string, LintOptions])[];
}

const root = (facts: BaseImageFacts = { user: '' }): LintOptions => ({ baseImage: () => facts });
const B = 'FROM debian:13\n';
const A = 'FROM alpine:3\n';
const UP = 'apt-get update && apt-get install -y --no-install-recommends';
const CLEAN = 'rm -rf /var/lib/apt/lists/*';

const CASES: readonly Case[] = [
  {
    rule: 'AptListsKept',
    bad: [
      [2, `${B}RUN ${UP} a`],
      [
        2,
        `${B}RUN set -eux; \\\n  # a comment\n  apt-get update; \\\n\n  apt-get install -y a; \\\n  echo ${CLEAN}x`,
      ],
      [2, `${B}RUN apt update && DEBIAN_FRONTEND=noninteractive apt -y install a && apt-get clean`],
      [2, `${B}RUN <<EOF\napt-get update\napt-get install -y a\nEOF`],
      [2, `${B}RUN ["bash", "-c", "apt-get update && apt-get install -y a"]`],
      [2, `${B}RUN if true; then sudo apt-get update; apt-get install -y a; fi`],
      [2, `${B}RUN --mount=type=cache,target=/var/cache/apt ${UP} a`],
      [2, `${B}RUN ${UP} a # && ${CLEAN}`],
      [4, `# escape=\`\n${B}SHELL ["/bin/sh", "-c"]\nRUN ${UP} a`],
    ],
    good: [
      `${B}RUN ${UP} a && ${CLEAN}`,
      `${B}RUN ${UP} a; \\\n  rm -r /tmp/x \\\n  # comment\n  /var/lib/apt/lists/*`,
      `${B}RUN ${UP} a && rm -rf /var/lib/{apt,dpkg}/*`,
      `${B}RUN --mount=type=cache,target=/var/lib/apt --mount=type=cache,target=/x ${UP} a`,
      `${B}RUN --mount=type=tmpfs,target=/var/lib/apt/lists ${UP} a`,
      `${B}ARG x\nRUN --mount=type=cache,target=$x ${UP} a`,
      `${B}RUN echo "${UP} a"`,
      `${B}RUN echo '${UP}' a # ${UP} b`,
      `${B}RUN apt-get install -y a`,
      `${B}RUN cat <<EOF > /x\n${UP} a\nEOF`,
      `${B}RUN <<EOF\n#!/usr/bin/env python3\napt-get update\napt-get install\nEOF`,
      `FROM debian:13 AS one\nRUN ${UP} a\nFROM scratch\nCOPY --from=one a /`,
      `${B}SHELL ["pwsh", "-c"]\nRUN ${UP} a`,
      `# escape=\`\n${B}RUN ${UP} a`,
      `${B}RUN echo "not closed ${UP} a`,
      `${B}ONBUILD RUN ${UP} a`,
    ],
  },
  {
    rule: 'AptRecommendsInstalled',
    bad: [
      [2, `${B}RUN apt-get install a`],
      [2, `${B}RUN ["apt-get", "install", "-y", "a"]`],
      [2, `${B}RUN apt-get -t trixie-backports -y install $PACKAGES`],
      [3, `${B}# check=skip=AptListsKept\nRUN apt-get install a`],
    ],
    good: [
      `${B}RUN apt-get --no-install-recommends install a`,
      `${B}RUN apt-get install -y \\\n # comment\n --no-install-recommends \\\n a`,
      `${B}RUN apt-get install $APT_FLAGS a`,
      `${B}RUN apt-get -o APT::Install-Recommends=0 install a`,
      `${B}RUN echo 'APT::Install-Recommends "0";' > /etc/apt/apt.conf.d/1\nRUN apt-get install a`,
      `${B}RUN apt-get install -f`,
      `${B}RUN apt-get remove install`,
      `${B}RUN dpkg --install a`,
    ],
  },
  {
    rule: 'AptUpdateAlone',
    bad: [
      [2, `${B}RUN apt-get update`],
      [2, `${B}RUN apt-get -qq update && ${CLEAN}\nRUN apt-get install -y a`],
      [2, `${B}RUN dpkg --add-architecture i386 && apt-get update`],
    ],
    good: [
      `${B}RUN apt-get update && apt-get upgrade -y`,
      `${B}RUN apt-get update && ./install.sh`,
      `${B}RUN apt-get update && apt-get $VERB a`,
      `${B}RUN apt-get update && echo a | xargs apt-get install`,
      `${B}RUN --mount=type=cache,target=/var/lib/apt/lists apt-get update`,
    ],
  },
  {
    rule: 'ApkCacheKept',
    bad: [
      [2, `${A}RUN apk add a`],
      [2, `${A}RUN apk update && apk -U add --virtual .x a`],
      [2, `${A}RUN sh -c 'apk add a'`],
    ],
    good: [
      `${A}RUN apk --no-cache add a`,
      `${A}RUN apk add a && rm -rf /var/cache/apk/*`,
      `${A}RUN --mount=type=cache,dst=/var/cache/apk apk add a`,
      `${A}RUN --mount=type=cache,target=/etc/apk/cache apk add a`,
      `${A}RUN apk add --no-network --virtual .run $deps`,
      `${A}RUN apk del add`,
      `${A}RUN apk add`,
    ],
  },
  {
    rule: 'PipCacheKept',
    bad: [
      [2, `${A}RUN pip install a`],
      [2, `${A}RUN python3.12 -m pip install -r requirements.txt a`],
      [2, `${A}RUN pip3 install --upgrade pip && true`],
    ],
    good: [
      `${A}ENV PIP_NO_CACHE_DIR=1\nRUN pip install a`,
      [`${A}RUN pip install a`, root({ env: ['PIP_NO_CACHE_DIR=1'] })],
      `${A}RUN pip --no-cache-dir install a`,
      `${A}RUN pip install --no-cache a`,
      `${A}RUN --mount=type=cache,target=/root/.cache/pip pip install a`,
      `${A}RUN pip install a && rm -rf ~/.cache`,
      `${A}RUN pip install a; pip cache purge`,
      `${A}COPY pip.conf /etc/\nRUN pip install a`,
      `${A}RUN pip uninstall a`,
      `${A}RUN npm install pip`,
    ],
  },
  {
    rule: 'UnsortedPackages',
    bad: [
      [2, `${A}RUN apk add \\\n  b \\\n  a`],
      [2, `${B}RUN apt-get install -y b \\\n  # one group\n  c \\\n  a`],
      [2, `${B}RUN <<EOF\napt-get install -y \\\n  b \\\n  a\nEOF`],
    ],
    good: [
      `${A}RUN apk add b a`,
      `${A}RUN apk add \\\n  b c \\\n  a`,
      `${A}RUN apk add \\\n  b \\\n  # other\n  a`,
      `${A}RUN apk add \\\n  b \\\n  $x \\\n  a`,
      `${A}RUN apk add -t \\\n z \\\n  a`,
      `${A}RUN apk add \\\n  libfoo2 \\\n  libfoo-dev`,
      `${A}RUN apk add \\\n  libfoo-dev \\\n  libfoo2`,
      `${A}RUN apk add \\\n  a=2 \\\n  a-b=1`,
      `${A}RUN pip install \\\n  b \\\n  a`,
    ],
  },
  {
    rule: 'AddLocalFile',
    bad: [
      [2, `${A}ADD a.conf /`],
      [2, `${A}ADD --chown=1 . /app`],
      [2, `${A}ADD <<EOF /x\na\nEOF`],
      [2, `${A}ADD ["a b.txt", "/x"]`],
      [2, `${A}ADD *.json /x/`],
    ],
    good: [
      `${A}ADD a.tar.gz /`,
      `${A}ADD a.tgz b.conf /`,
      `${A}ADD https://localhost/a.conf /`,
      `${A}ADD git@localhost:a/b.git /`,
      `${A}ADD --unpack=true a /`,
      `${A}ARG x\nADD $x /`,
      `${A}ADD rootfs* /`,
      `${A}COPY a /`,
    ],
  },
  {
    rule: 'AddWithoutChecksum',
    bad: [[2, `${A}ADD https://localhost/a.tgz /`]],
    good: [
      `${A}ADD --checksum=sha256:${'0'.repeat(64)} https://localhost/a /`,
      `${A}ADD https://localhost/a.git#main /`,
      `${A}ADD a.tgz /`,
    ],
  },
  {
    rule: 'CopyBeforeDependencies',
    bad: [
      [2, `${A}COPY . .\nRUN npm ci`],
      [3, `${A}WORKDIR /x\nADD ./ /app/\nRUN echo && cd /app && npm install --omit=dev`],
      [2, `${A}COPY . .\nRUN pip install --no-cache-dir -r requirements.txt`],
      [2, `${A}COPY . .\nRUN yarn`],
      [2, `${A}COPY . .\nRUN go mod download && go build`],
      [2, `${A}COPY . .\nRUN bundle config x y && bundle install`],
    ],
    good: [
      `${A}COPY package.json .\nRUN npm ci\nCOPY . .\nRUN npm run build && npm ci --omit=dev`,
      `${A}COPY . .\nRUN npm install -g pnpm`,
      `${A}COPY . .\nRUN npm install left-pad`,
      `${A}COPY . .\nRUN --mount=type=cache,target=/root/.npm npm ci`,
      `${A}COPY --from=scratch . .\nRUN npm ci`,
      `${A}COPY --exclude=*.md . .\nRUN npm ci`,
      `${A}COPY src .\nRUN npm ci`,
      `${A}COPY . .\nRUN pip install --no-cache-dir .`,
      `${A}COPY . .\nRUN yarn build`,
      `${A}COPY . .\nRUN echo npm ci`,
      [
        `${A}COPY . .\nRUN npm ci`,
        {
          dockerignore: {
            patterns: ['*', '!package.json'],
            matches: createIgnore(['*', '!package.json']),
          },
        },
      ],
      'FROM alpine:3 AS deps\nCOPY package.json .\nRUN npm ci\nFROM deps\nCOPY . .\nRUN npm ci',
    ],
  },
  {
    rule: 'ConsecutiveRuns',
    bad: [
      [2, `${A}RUN a\nRUN b`],
      [3, `${A}RUN ["a"]\nRUN b\nRUN c \\\n d\nRUN e`],
    ],
    good: [
      `${A}RUN a\n\nRUN b`,
      `${A}RUN a\n# for a reason\nRUN b`,
      `${A}RUN a\nRUN --network=none b`,
      `${A}RUN <<EOF\na\nEOF\nRUN b`,
      `${A}RUN ["a"]\nRUN ["b"]`,
      `${A}RUN a\nCOPY a b\nRUN b`,
      'FROM alpine:3 AS one\nRUN a\nRUN b\nFROM scratch\nCOPY --from=one a /',
      `${A}ONBUILD RUN a\nONBUILD RUN b`,
    ],
  },
  {
    rule: 'UnusedStage',
    bad: [
      [1, `FROM alpine:3 AS one\n${A}`],
      [1, `${A}${A}`],
      [1, `FROM alpine:3 AS one\n${A}`, { target: '' }],
    ],
    good: [
      A,
      'FROM alpine:3 AS one\nFROM one',
      `FROM alpine:3 AS one\n${A}COPY --from=One a /`,
      `${A}${A}COPY --from=0 a /`,
      `FROM alpine:3 AS one\n${A}RUN --mount=from=one,target=/x true`,
      'ARG T=a\nFROM alpine:3 AS x-a\nFROM alpine:3 AS x-b\nFROM x-${T}',
      `FROM alpine:3 AS test\nFROM alpine:3 AS lint\n${A}`,
      [`FROM alpine:3 AS one\n${A}`, { target: 'one' }],
    ],
  },
  {
    rule: 'UnusedBuildArg',
    bad: [
      [1, A, { buildArgs: { X: '1' } }],
      [2, `ARG Y\n${A}`, { buildArgs: { X: '1' } }],
    ],
    good: [
      [`ARG X\n${A}`, { buildArgs: { X: '1' } }],
      [`${A}ARG a=1 X`, { buildArgs: { X: '1' } }],
      [`${A}ONBUILD ARG X`, { buildArgs: { X: '1' } }],
      [A, { buildArgs: { X: '1' }, ...root({ triggers: ['ARG X=2'] }) }],
      [
        A,
        {
          buildArgs: {
            HTTP_PROXY: '1',
            no_proxy: 'x',
            SOURCE_DATE_EPOCH: '1',
            BUILDKIT_INLINE_CACHE: '1',
            TARGETARCH: 'x',
          },
        },
      ],
    ],
  },
  {
    rule: 'UnpinnedBase',
    bad: [
      [1, 'FROM alpine'],
      [1, 'FROM localhost:5000/a/b:latest AS x'],
      [2, 'ARG TAG=latest\nFROM alpine:$TAG'],
      [2, 'ARG TAG=3\nFROM alpine:$TAG', { buildArgs: { TAG: 'latest' } }],
    ],
    good: [
      'FROM scratch',
      `FROM alpine@sha256:${'0'.repeat(64)}`,
      'FROM alpine:3 AS alpine\nFROM alpine',
      'ARG TAG\nFROM alpine:$TAG',
      'ARG IMAGE\nFROM $IMAGE',
      'FROM localhost:5000/a:3',
      ['FROM base', { buildContexts: ['base'] }],
    ],
  },
  {
    rule: 'RunsAsRoot',
    bad: [
      [1, `${A}CMD ["a"]`, root()],
      [1, `${A}ENTRYPOINT ["a"]`, root({ user: '0:0' })],
      [2, `${A}USER root\nCMD ["a"]`],
      [3, `${A}USER app\nUSER 0\nCMD ["a"]`],
      [1, 'FROM scratch\nCMD ["/a"]'],
    ],
    good: [
      `${A}CMD ["a"]`,
      [`${A}USER app\nCMD ["a"]`, root()],
      [`${A}CMD ["a"]`, root({ user: 'app' })],
      [`${A}ARG u=1\nUSER $u\nCMD ["a"]`, root()],
      [`${A}RUN a`, root()],
      [`FROM alpine:3 AS one\nCMD ["a"]\nFROM one\nUSER app`, root()],
    ],
  },
  {
    rule: 'PipeWithoutPipefail',
    bad: [
      [2, `${A}RUN curl -fsSL https://localhost/a | sh`],
      [2, `${A}RUN set -eux; wget -qO- https://localhost/a | tar -xz`],
      [2, `${A}RUN <<EOF\ncurl x |\n  sh\nEOF`],
    ],
    good: [
      `${A}RUN set -o pipefail; curl a | sh`,
      `${A}RUN set -euxo pipefail && curl a | sh`,
      `${A}SHELL ["/bin/bash", "-eo", "pipefail", "-c"]\nRUN curl a | sh`,
      `FROM alpine:3 AS one\nSHELL ["/bin/bash", "-o", "pipefail", "-c"]\nFROM one\nRUN curl a | sh`,
      `${A}RUN ["bash", "-o", "pipefail", "-c", "curl a | sh"]`,
      `${A}RUN curl a || wget b`,
      `${A}RUN curl "a|b"`,
      `${A}RUN echo a | curl -d @- b`,
      `${A}RUN x=$(curl a | head -1) true`,
    ],
  },
  {
    rule: 'CdWithoutEffect',
    bad: [
      [2, `${A}RUN cd /app`],
      [2, `${A}RUN mkdir /app && cd /app`],
    ],
    good: [
      `${A}RUN cd /app && make`,
      `${A}RUN cd a && make && cd ..`,
      `${A}RUN (cd a && make)`,
      `${A}RUN for d in *; do make -C $d; cd $d; done`,
      `${A}RUN echo cd /app`,
    ],
  },
  {
    rule: 'SudoAsRoot',
    bad: [
      [2, `${A}RUN a && sudo b`, root()],
      [3, `${A}USER root\nRUN sudo b`],
    ],
    good: [
      `${A}RUN sudo b`,
      [`${A}USER app\nRUN sudo b`, root()],
      [`${A}RUN sudo -u app b`, root()],
      [`${A}RUN apt-get install sudo`, root()],
      [`${A}ARG u\nUSER $u\nRUN sudo b`, root()],
    ],
  },
  {
    rule: 'CredentialInDockerfile',
    bad: [
      [2, `${A}ENV A=AKIA${'Q'.repeat(16)}`],
      [1, `ARG t=ghp_${'a1B2'.repeat(9)}\n${A}`],
      [2, `${A}RUN curl -H "Authorization: Bearer glpat-${'aB3-'.repeat(6)}" a`],
      [2, `${A}COPY <<EOF /root/.npmrc\n//x/:_authToken=npm_${'aB3d'.repeat(9)}\nEOF`],
      [2, `${A}RUN <<EOF\necho "-----BEGIN RSA PRIVATE KEY-----"\nEOF`],
      [2, `${A}ENV DB=postgres://me:hunter2@db:5432/x`],
    ],
    good: [
      `${A}ENV A=AKIAIOSFODNN7EXAMPLE`,
      `${A}ENV DB=postgres://me:$PASSWORD@db/x`,
      `${A}ENV DB=postgres://postgres:postgres@db/x`,
      `${A}ENV DB=postgres://user:password@db/x`,
      `${A}ENV DB=redis://a:b@localhost:1/x`,
      `${A}ENV API_TOKEN=$x`,
      `${A}RUN git clone https://git@host/x`,
      `${A}# ghp_${'a1B2'.repeat(9)}\nENV a=b`,
    ],
  },
  {
    rule: 'SecretFileCopied',
    bad: [
      [2, `${A}COPY .env /`],
      [2, `${A}COPY a config/.env.production /`],
      [2, `${A}ADD --chown=1 id_rsa /root/.ssh/`],
      [2, `${A}COPY ["privkey.pem", "/"]`],
      [2, `${A}COPY .aws/credentials /root/.aws/`],
      [2, `${A}COPY .ssh/ /root/.ssh/`],
      [2, `${A}COPY *.pem /`],
    ],
    good: [
      `${A}COPY .env.example .env`,
      `${A}COPY id_rsa.pub /`,
      `${A}COPY ca.pem fullchain.pem /`,
      `${A}COPY public_key.pem /`,
      `FROM alpine:3 AS one\nFROM alpine:3\nCOPY --from=one .env /`,
      `${A}ADD https://localhost/.env /`,
      `${A}COPY .npmrc environment.ts /`,
      [
        `${A}COPY .env /`,
        { dockerignore: { patterns: ['.env'], matches: createIgnore(['.env']) } },
      ],
    ],
  },
];

function linesOf(rule: string, text: string, options?: LintOptions): readonly number[] {
  const warnings = lint(parseDockerfile(text), { beyond: 'all', ...options });
  return warnings.flatMap((warning) => (warning.rule === rule ? warning.range.start.line : []));
}

describe('own checks', () => {
  for (const { rule, bad, good } of CASES) {
    it(`${rule} finds what is wrong`, () => {
      for (const [line, text, options] of bad) {
        assert.deepEqual(linesOf(rule, text, options), [line], text);
      }
    });

    it(`${rule} leaves alone what is right, or not sure to be wrong`, () => {
      for (const each of good) {
        const [text, options] = typeof each === 'string' ? [each] : each;
        assert.deepEqual(linesOf(rule, text, options), [], text);
      }
    });
  }

  it('has cases for each of them', () => {
    const tested = CASES.map(({ rule }) => rule);
    assert.deepEqual(tested.toSorted(), Object.keys(OWN_RULES).toSorted());
  });

  it('looks at the stages that the target needs', () => {
    const text = 'FROM alpine:3 AS one\nRUN cd /a\nFROM alpine:3 AS two\nRUN cd /b\n';
    assert.deepEqual(linesOf('CdWithoutEffect', text), [2, 4]);
    assert.deepEqual(linesOf('CdWithoutEffect', text, { target: 'one' }), [2]);
  });
});
