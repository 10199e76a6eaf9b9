/** What the checks of packages must find, and what not. */

import { ALPINE, DEBIAN, type OwnCheckCase, root } from './own-checks.ts';

const UP = 'apt-get update && apt-get install -y --no-install-recommends';
const CLEAN = 'rm -rf /var/lib/apt/lists/*';

export const PACKAGE_CASES: readonly OwnCheckCase[] = [
  {
    rule: 'AptListsKept',
    bad: [
      [2, `${DEBIAN}RUN ${UP} a`],
      [2, `${DEBIAN}ONBUILD RUN ${UP} a`],
      [2, `${DEBIAN}ONBUILD RUN <<EOF\n${UP} a\nEOF`],
      [
        2,
        `${DEBIAN}RUN set -eux; \\\n  # a comment\n  apt-get update; \\\n\n  apt-get install -y a; \\\n  echo ${CLEAN}x`,
      ],
      [
        2,
        `${DEBIAN}RUN apt update && DEBIAN_FRONTEND=noninteractive apt -y install a && apt-get clean`,
      ],
      [2, `${DEBIAN}RUN <<EOF\napt-get update\napt-get install -y a\nEOF`],
      [2, `${DEBIAN}RUN ["bash", "-c", "apt-get update && apt-get install -y a"]`],
      [2, `${DEBIAN}RUN if true; then sudo apt-get update; apt-get install -y a; fi`],
      [2, `${DEBIAN}RUN --mount=type=cache,target=/var/cache/apt ${UP} a`],
      [2, `${DEBIAN}RUN ${UP} a # && ${CLEAN}`],
      [4, `# escape=\`\n${DEBIAN}SHELL ["/bin/sh", "-c"]\nRUN ${UP} a`],
    ],
    good: [
      `${DEBIAN}RUN ${UP} a && ${CLEAN}`,
      `${DEBIAN}RUN ${UP} a; \\\n  rm -r /tmp/x \\\n  # comment\n  /var/lib/apt/lists/*`,
      `${DEBIAN}RUN ${UP} a && rm -rf /var/lib/{apt,dpkg}/*`,
      `${DEBIAN}RUN --mount=type=cache,target=/var/lib/apt --mount=type=cache,target=/x ${UP} a`,
      `${DEBIAN}RUN --mount=type=tmpfs,target=/var/lib/apt/lists ${UP} a`,
      `${DEBIAN}ARG x\nRUN --mount=type=cache,target=$x ${UP} a`,
      `${DEBIAN}RUN echo "${UP} a"`,
      `${DEBIAN}RUN echo '${UP}' a # ${UP} b`,
      `${DEBIAN}RUN apt-get install -y a`,
      `${DEBIAN}RUN cat <<EOF > /x\n${UP} a\nEOF`,
      `${DEBIAN}RUN <<EOF\n#!/usr/bin/env python3\napt-get update\napt-get install\nEOF`,
      `FROM debian:13 AS one\nRUN ${UP} a\nFROM scratch\nCOPY --from=one a /`,
      `${DEBIAN}SHELL ["pwsh", "-c"]\nRUN ${UP} a`,
      `# escape=\`\n${DEBIAN}RUN ${UP} a`,
      `${DEBIAN}RUN echo "not closed ${UP} a`,
    ],
  },
  {
    rule: 'AptRecommendsInstalled',
    bad: [
      [2, `${DEBIAN}RUN apt-get install a`],
      [2, `${DEBIAN}ONBUILD RUN apt-get install a`],
      [2, `${DEBIAN}RUN ["apt-get", "install", "-y", "a"]`],
      [2, `${DEBIAN}RUN apt-get -t trixie-backports -y install $PACKAGES`],
      [3, `${DEBIAN}# check=skip=AptListsKept\nRUN apt-get install a`],
    ],
    good: [
      `${DEBIAN}RUN apt-get --no-install-recommends install a`,
      `${DEBIAN}RUN apt-get install -y \\\n # comment\n --no-install-recommends \\\n a`,
      `${DEBIAN}RUN apt-get install $APT_FLAGS a`,
      `${DEBIAN}RUN apt-get -o APT::Install-Recommends=0 install a`,
      `${DEBIAN}RUN echo 'APT::Install-Recommends "0";' > /etc/apt/apt.conf.d/1\nRUN apt-get install a`,
      `${DEBIAN}RUN apt-get install -f`,
      `${DEBIAN}RUN apt-get remove install`,
      `${DEBIAN}RUN dpkg --install a`,
    ],
  },
  {
    rule: 'AptUpdateAlone',
    bad: [
      [2, `${DEBIAN}RUN apt-get update`],
      [2, `${DEBIAN}RUN apt-get -qq update && ${CLEAN}\nRUN apt-get install -y a`],
      [2, `${DEBIAN}RUN dpkg --add-architecture i386 && apt-get update`],
    ],
    good: [
      `${DEBIAN}RUN apt-get update && apt-get upgrade -y`,
      `${DEBIAN}RUN apt-get update && ./install.sh`,
      `${DEBIAN}RUN apt-get update && apt-get $VERB a`,
      `${DEBIAN}RUN apt-get update && echo a | xargs apt-get install`,
      `${DEBIAN}RUN --mount=type=cache,target=/var/lib/apt/lists apt-get update`,
    ],
  },
  {
    rule: 'ApkCacheKept',
    bad: [
      [2, `${ALPINE}RUN apk add a`],
      [2, `${ALPINE}ONBUILD RUN apk add a`],
      [2, `${ALPINE}RUN apk update && apk -U add --virtual .x a`],
      [2, `${ALPINE}RUN sh -c 'apk add a'`],
    ],
    good: [
      `${ALPINE}RUN apk --no-cache add a`,
      `${ALPINE}RUN apk add a && rm -rf /var/cache/apk/*`,
      `${ALPINE}RUN --mount=type=cache,dst=/var/cache/apk apk add a`,
      `${ALPINE}RUN --mount=type=cache,target=/etc/apk/cache apk add a`,
      `${ALPINE}RUN apk add --no-network --virtual .run $deps`,
      `${ALPINE}RUN apk del add`,
      `${ALPINE}RUN apk add`,
    ],
  },
  {
    rule: 'PipCacheKept',
    bad: [
      [2, `${ALPINE}RUN pip install a`],
      [2, `${ALPINE}RUN python3.12 -m pip install -r requirements.txt a`],
      [2, `${ALPINE}RUN pip3 install --upgrade pip && true`],
    ],
    good: [
      `${ALPINE}ENV PIP_NO_CACHE_DIR=1\nRUN pip install a`,
      [`${ALPINE}RUN pip install a`, root({ env: ['PIP_NO_CACHE_DIR=1'] })],
      `${ALPINE}RUN pip --no-cache-dir install a`,
      `${ALPINE}RUN pip install --no-cache a`,
      `${ALPINE}RUN --mount=type=cache,target=/root/.cache/pip pip install a`,
      `${ALPINE}RUN pip install a && rm -rf ~/.cache`,
      `${ALPINE}RUN pip install a; pip cache purge`,
      `${ALPINE}COPY pip.conf /etc/\nRUN pip install a`,
      `${ALPINE}RUN pip uninstall a`,
      `${ALPINE}RUN npm install pip`,
    ],
  },
  {
    rule: 'UnsortedPackages',
    bad: [
      [2, `${ALPINE}RUN apk add \\\n  b \\\n  a`],
      [2, `${DEBIAN}RUN apt-get install -y b \\\n  # one group\n  c \\\n  a`],
      [2, `${DEBIAN}RUN <<EOF\napt-get install -y \\\n  b \\\n  a\nEOF`],
    ],
    good: [
      `${ALPINE}RUN apk add b a`,
      `${ALPINE}RUN apk add \\\n  b c \\\n  a`,
      `${ALPINE}RUN apk add \\\n  b \\\n  # other\n  a`,
      `${ALPINE}RUN apk add \\\n  b \\\n  $x \\\n  a`,
      `${ALPINE}RUN apk add -t \\\n z \\\n  a`,
      `${ALPINE}RUN apk add \\\n  libfoo2 \\\n  libfoo-dev`,
      `${ALPINE}RUN apk add \\\n  libfoo-dev \\\n  libfoo2`,
      `${ALPINE}RUN apk add \\\n  a=2 \\\n  a-b=1`,
      `${ALPINE}RUN pip install \\\n  b \\\n  a`,
    ],
  },
];
