import assert from 'node:assert/strict';
import { OWN_RULES } from '../../../parser/lint/beyond/rules.ts';
import { createIgnore } from '../../../src/context/ignore.ts';
import { ALPINE, linesOf, type OwnCheckCase, root, testCases } from './own-checks.ts';
import { PACKAGE_CASES } from './package-cases.ts';

const CASES: readonly OwnCheckCase[] = [
  {
    rule: 'BrokenJson',
    bad: [
      [2, `${ALPINE}CMD ["a" "b"]`],
      [2, `${ALPINE}RUN ['a', 'b']`],
      [2, `${ALPINE}RUN --network=none [ "a", ]`],
      [2, `${ALPINE}ENTRYPOINT ["C:\\app\\x"]`.replaceAll('\\\\', '\\')],
      [2, `${ALPINE}COPY --chown=1 ["a" "b"]`],
      [2, `${ALPINE}VOLUME ['/a']`],
      [2, `${ALPINE}CMD [\u201ca\u201d]`],
      [2, `${ALPINE}ONBUILD CMD ["a" "b"]`],
    ],
    good: [
      `${ALPINE}CMD ["a", "b"]`,
      `${ALPINE}RUN [ -f a ] && [ -n "$b" ]`,
      `${ALPINE}RUN [ "$a" = b ]`,
      `${ALPINE}RUN ["$a" = b] || true`,
      `${ALPINE}COPY ["a b", "c"]`,
      `${ALPINE}COPY [ab]* /x/`,
      `${ALPINE}VOLUME /a`,
      `${ALPINE}RUN [ "$(id -u)" = "0" ]`,
    ],
  },
  {
    rule: 'AddLocalFile',
    bad: [
      [2, `${ALPINE}ADD a.conf /`],
      [2, `${ALPINE}ADD --chown=1 . /app`],
      [2, `${ALPINE}ADD <<EOF /x\na\nEOF`],
      [2, `${ALPINE}ADD ["a b.txt", "/x"]`],
      [2, `${ALPINE}ADD *.json /x/`],
    ],
    good: [
      `${ALPINE}ADD a.tar.gz /`,
      `${ALPINE}ADD a.tgz b.conf /`,
      `${ALPINE}ADD https://localhost/a.conf /`,
      `${ALPINE}ADD git@localhost:a/b.git /`,
      `${ALPINE}ADD --unpack=true a /`,
      `${ALPINE}ARG x\nADD $x /`,
      `${ALPINE}ADD rootfs* /`,
      `${ALPINE}ADD * /x/`,
      `${ALPINE}ADD a.crate /x/`,
      `${ALPINE}COPY a /`,
    ],
  },
  {
    rule: 'AddWithoutChecksum',
    bad: [[2, `${ALPINE}ADD https://localhost/a.tgz /`]],
    good: [
      `${ALPINE}ADD --checksum=sha256:${'0'.repeat(64)} https://localhost/a /`,
      `${ALPINE}ADD https://localhost/a.git#main /`,
      `${ALPINE}ADD a.tgz /`,
    ],
  },
  {
    rule: 'CopyBeforeDependencies',
    bad: [
      [2, `${ALPINE}COPY . .\nRUN npm ci`],
      [3, `${ALPINE}WORKDIR /x\nADD ./ /app/\nRUN echo && cd /app && npm install --omit=dev`],
      [2, `${ALPINE}COPY . .\nRUN pip install --no-cache-dir -r requirements.txt`],
      [2, `${ALPINE}COPY . .\nRUN yarn`],
      [2, `${ALPINE}COPY . .\nRUN go mod download && go build`],
      [2, `${ALPINE}COPY . .\nRUN bundle config x y && bundle install`],
    ],
    good: [
      `${ALPINE}COPY package.json .\nRUN npm ci\nCOPY . .\nRUN npm run build && npm ci --omit=dev`,
      `${ALPINE}COPY . .\nRUN npm install -g pnpm`,
      `${ALPINE}COPY . .\nRUN npm install left-pad`,
      `${ALPINE}COPY . .\nRUN --mount=type=cache,target=/root/.npm npm ci`,
      `${ALPINE}COPY --from=scratch . .\nRUN npm ci`,
      `${ALPINE}COPY --exclude=*.md . .\nRUN npm ci`,
      `${ALPINE}COPY src .\nRUN npm ci`,
      `${ALPINE}COPY . .\nRUN pip install --no-cache-dir .`,
      `${ALPINE}COPY . .\nRUN yarn build`,
      `${ALPINE}COPY . .\nRUN echo npm ci`,
      [
        `${ALPINE}COPY . .\nRUN npm ci`,
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
      [2, `${ALPINE}RUN a\nRUN b`],
      [3, `${ALPINE}RUN ["a"]\nRUN b\nRUN c \\\n d\nRUN e`],
    ],
    good: [
      `${ALPINE}RUN a\n\nRUN b`,
      `${ALPINE}RUN a\n# for a reason\nRUN b`,
      `${ALPINE}RUN a\nRUN --network=none b`,
      `${ALPINE}RUN <<EOF\na\nEOF\nRUN b`,
      `${ALPINE}RUN ["a"]\nRUN ["b"]`,
      `${ALPINE}RUN a\nCOPY a b\nRUN b`,
      'FROM alpine:3 AS one\nRUN a\nRUN b\nFROM scratch\nCOPY --from=one a /',
      `${ALPINE}ONBUILD RUN a\nONBUILD RUN b`,
    ],
  },
  {
    rule: 'UnusedStage',
    bad: [
      [1, `FROM alpine:3 AS one\n${ALPINE}`],
      [1, `${ALPINE}${ALPINE}`],
      [1, `FROM alpine:3 AS one\n${ALPINE}`, { target: '' }],
    ],
    good: [
      ALPINE,
      'FROM alpine:3 AS one\nFROM one',
      `FROM alpine:3 AS one\n${ALPINE}COPY --from=One a /`,
      `${ALPINE}${ALPINE}COPY --from=0 a /`,
      `FROM alpine:3 AS one\n${ALPINE}RUN --mount=from=one,target=/x true`,
      'ARG T=a\nFROM alpine:3 AS x-a\nFROM alpine:3 AS x-b\nFROM x-${T}',
      `FROM alpine:3 AS test\nFROM alpine:3 AS lint\n${ALPINE}`,
      `FROM alpine:3 AS a\nFROM scratch AS files\nCOPY --from=a a /\n${ALPINE}`,
      [`FROM alpine:3 AS one\n${ALPINE}`, { target: 'one' }],
    ],
  },
  {
    rule: 'UnusedBuildArg',
    bad: [
      [1, ALPINE, { buildArgs: { X: '1' } }],
      [2, `ARG Y\n${ALPINE}`, { buildArgs: { X: '1' } }],
    ],
    good: [
      [`ARG X\n${ALPINE}`, { buildArgs: { X: '1' } }],
      [`${ALPINE}ARG a=1 X`, { buildArgs: { X: '1' } }],
      [`${ALPINE}ONBUILD ARG X`, { buildArgs: { X: '1' } }],
      [ALPINE, { buildArgs: { X: '1' }, ...root({ triggers: ['ARG X=2'] }) }],
      [
        ALPINE,
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
      [1, `${ALPINE}CMD ["a"]`, root()],
      [1, `${ALPINE}ENTRYPOINT ["a"]`, root({ user: '0:0' })],
      [2, `${ALPINE}USER root\nCMD ["a"]`],
      [3, `${ALPINE}USER app\nUSER 0\nCMD ["a"]`],
      [1, 'FROM scratch\nCMD ["/a"]'],
      [1, `${ALPINE}CMD ["a"]`],
    ],
    good: [
      'FROM gcr.io/distroless/static:nonroot\nCMD ["/a"]',
      'FROM nginxinc/nginx-unprivileged:1\nCMD ["nginx"]',
      'FROM $base\nCMD ["a"]',
      '# escape=`\nFROM windows/nanoserver:1\nCMD ["a"]',
      [`${ALPINE}USER app\nCMD ["a"]`, root()],
      [`${ALPINE}CMD ["a"]`, root({ user: 'app' })],
      [`${ALPINE}ARG u=1\nUSER $u\nCMD ["a"]`, root()],
      [`${ALPINE}RUN a`, root()],
      [`FROM alpine:3 AS one\nCMD ["a"]\nFROM one\nUSER app`, root()],
    ],
  },
  {
    rule: 'PipeWithoutPipefail',
    bad: [
      [2, `${ALPINE}RUN curl -fsSL https://localhost/a | sh`],
      [2, `${ALPINE}RUN set -eux; wget -qO- https://localhost/a | tar -xz`],
      [2, `${ALPINE}RUN <<EOF\ncurl x |\n  sh\nEOF`],
    ],
    good: [
      `${ALPINE}RUN set -o pipefail; curl a | sh`,
      `${ALPINE}RUN set -euxo pipefail && curl a | sh`,
      `${ALPINE}SHELL ["/bin/bash", "-eo", "pipefail", "-c"]\nRUN curl a | sh`,
      `FROM alpine:3 AS one\nSHELL ["/bin/bash", "-o", "pipefail", "-c"]\nFROM one\nRUN curl a | sh`,
      `${ALPINE}RUN ["bash", "-o", "pipefail", "-c", "curl a | sh"]`,
      `${ALPINE}RUN curl a || wget b`,
      `${ALPINE}RUN curl "a|b"`,
      `${ALPINE}RUN echo a | curl -d @- b`,
      `${ALPINE}RUN x=$(curl a | head -1) true`,
    ],
  },
  {
    rule: 'CdWithoutEffect',
    bad: [
      [2, `${ALPINE}RUN cd /app`],
      [2, `${ALPINE}RUN mkdir /app && cd /app`],
    ],
    good: [
      `${ALPINE}RUN cd /app && make`,
      `${ALPINE}RUN cd a && make && cd ..`,
      `${ALPINE}RUN (cd a && make)`,
      `${ALPINE}RUN for d in *; do make -C $d; cd $d; done`,
      `${ALPINE}RUN echo cd /app`,
    ],
  },
  {
    rule: 'SudoAsRoot',
    bad: [
      [2, `${ALPINE}RUN a && sudo b`, root()],
      [3, `${ALPINE}USER root\nRUN sudo b`],
    ],
    good: [
      `${ALPINE}RUN sudo b`,
      [`${ALPINE}USER app\nRUN sudo b`, root()],
      [`${ALPINE}RUN sudo -u app b`, root()],
      [`${ALPINE}RUN apt-get install sudo`, root()],
      [`${ALPINE}ARG u\nUSER $u\nRUN sudo b`, root()],
    ],
  },
  {
    rule: 'CredentialInDockerfile',
    bad: [
      [2, `${ALPINE}ENV A=AKIA${'Q'.repeat(16)}`],
      [1, `ARG t=ghp_${'a1B2'.repeat(9)}\n${ALPINE}`],
      [2, `${ALPINE}RUN curl -H "Authorization: Bearer glpat-${'aB3-'.repeat(6)}" a`],
      [2, `${ALPINE}COPY <<EOF /root/.npmrc\n//x/:_authToken=npm_${'aB3d'.repeat(9)}\nEOF`],
      [2, `${ALPINE}RUN <<EOF\necho "-----BEGIN RSA PRIVATE KEY-----"\nEOF`],
      [2, `${ALPINE}ENV DB=postgres://me:hunter2@db:5432/x`],
      [2, `${ALPINE}ONBUILD ENV DB=postgres://me:hunter2@db:5432/x`],
      [2, `${ALPINE}ONBUILD RUN <<EOF\necho ghp_${'a1B2'.repeat(9)}\nEOF`],
    ],
    good: [
      `${ALPINE}ENV A=AKIAIOSFODNN7EXAMPLE`,
      `${ALPINE}ENV DB=postgres://me:$PASSWORD@db/x`,
      `${ALPINE}ENV DB=postgres://postgres:postgres@db/x`,
      `${ALPINE}ENV DB=postgres://user:password@db/x`,
      `${ALPINE}ENV DB=redis://a:b@localhost:1/x`,
      `${ALPINE}ENV API_TOKEN=$x`,
      `${ALPINE}RUN git clone https://git@host/x`,
      `${ALPINE}# ghp_${'a1B2'.repeat(9)}\nENV a=b`,
    ],
  },
  {
    rule: 'SecretFileCopied',
    bad: [
      [2, `${ALPINE}COPY .env /`],
      [2, `${ALPINE}ONBUILD COPY .env /`],
      [2, `${ALPINE}COPY a config/.env.production /`],
      [2, `${ALPINE}ADD --chown=1 id_rsa /root/.ssh/`],
      [2, `${ALPINE}COPY ["privkey.pem", "/"]`],
      [2, `${ALPINE}COPY .aws/credentials /root/.aws/`],
      [2, `${ALPINE}COPY .ssh/ /root/.ssh/`],
      [2, `${ALPINE}COPY *.pem /`],
    ],
    good: [
      `${ALPINE}COPY .env.example .env`,
      `${ALPINE}COPY id_rsa.pub /`,
      `${ALPINE}COPY ca.pem fullchain.pem /`,
      `${ALPINE}COPY public_key.pem /`,
      `FROM alpine:3 AS one\nFROM alpine:3\nCOPY --from=one .env /`,
      `${ALPINE}ADD https://localhost/.env /`,
      `${ALPINE}COPY .npmrc environment.ts /`,
      [
        `${ALPINE}COPY .env /`,
        { dockerignore: { patterns: ['.env'], matches: createIgnore(['.env']) } },
      ],
    ],
  },
];

describe('own checks', () => {
  testCases(PACKAGE_CASES);
  testCases(CASES);

  it('have cases, each of them', () => {
    const tested = [...PACKAGE_CASES, ...CASES].map(({ rule }) => rule);
    assert.deepEqual(tested.toSorted(), Object.keys(OWN_RULES).toSorted());
  });

  it('look at the stages that the target needs', () => {
    const text = 'FROM alpine:3 AS one\nRUN cd /a\nFROM alpine:3 AS two\nRUN cd /b\n';
    assert.deepEqual(linesOf('CdWithoutEffect', text), [2, 4]);
    assert.deepEqual(linesOf('CdWithoutEffect', text, { target: 'one' }), [2]);
  });
});
