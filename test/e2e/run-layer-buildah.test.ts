/** Buildah as the judge of RUN: what its commands leave in the root filesystem, entry by entry. */

import assert from 'node:assert/strict';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type Account, openAccount, whyNoAccount } from '../support/accounts.ts';
import { busyboxBase } from '../support/busybox-base.ts';
import { itUnless, missing } from '../support/missing.ts';
import { buildByBoth, type FilesByName, type Place } from './differential/builders.ts';
import { differencesOf } from './differential/compare.ts';

const whyNot = whyNoAccount('root') ?? missing('buildah', 'skopeo', 'busybox');
const test = itUnless(whyNot);

/** Of Buildah's own, in every image that has a RUN. */
const ITS_MOUNT_POINTS = [
  'etc/hostname',
  'etc/hosts',
  'etc/resolv.conf',
  'run',
  'run/.containerenv',
];
const AT_ONCE = { buildahs: 4, tsbuilds: 1 };

/** What all begin with, in a layer below. */
const TREE =
  'RUN mkdir -p /t/a/b /t/c && echo 1 > /t/a/f && echo 2 > /t/a/b/g && echo 3 > /t/c/h && ln /t/c/h /t/c/same && ln -s a /t/link';

const CASES: Readonly<Record<string, string>> = {
  'files that are deleted, and directories': 'RUN rm /t/a/f && rm -r /t/c',
  'a directory that is deleted and made again': 'RUN rm -r /t/a && mkdir /t/a && echo n > /t/a/new',
  'a file in the place of a directory, and the other way round':
    'RUN rm -r /t/a /t/c/h && echo f > /t/a && mkdir /t/c/h && echo g > /t/c/h/in',
  'a symlink in the place of a directory':
    'RUN rm -r /t/c && ln -s a /t/c && echo x > /t/c/through',
  'renamed files and directories': 'RUN mv /t/a/f /t/f2 && mv /t/c /t/d && mv /t/a/b/g /t/d/h',
  'a directory that is renamed away and back': 'RUN mv /t/a /t/x && mv /t/x /t/a',
  'modes and owners alone': 'RUN chmod 4711 /t/a/f && chown 12:34 /t/a/b /t/c/h && chmod 1777 /t/c',
  'owners of links themselves': 'RUN busybox chown -h 5:6 /t/link && ln -s nowhere /t/n',
  'hard links, new, to a lower file, broken':
    'RUN ln /t/a/f /t/l1 && ln /t/l1 /t/l2 && echo new > /t/p && ln /t/p /t/q && cp /t/c/h /t/c/k && rm /t/c/same && ln /t/c/k /t/c/same',
  'a file of many names that is written by one': 'RUN echo more >> /t/c/same',
  'pipes and odd names': String.raw`RUN busybox mkfifo -m 640 /t/pipe && touch '/t/sp ace' "$(printf '/t/new\nline')" /t/-dash`,
  'files that other users write':
    'RUN mkdir -m 1777 /t/open\nUSER 1234:2345\nRUN echo x > /t/open/own && mkdir /t/open/dir && busybox chmod g+s /t/open/dir && touch /t/open/dir/in',
  'holes, and a file that is cut':
    'RUN busybox truncate -s 5M /t/sparse && busybox truncate -s 1 /t/a/f && echo end >> /t/sparse',
  'a WORKDIR, and what is written there and outside':
    'WORKDIR /t/w/v\nRUN echo x > rel && echo y > ../up && rm -r /t/a/b && mkdir -p /t/a/b/c',
};

/**
 * Overlays copy a lower file up under one of its names: the others keep what was. So it is with
 * BuildKit; Buildah has copied the whole root filesystem here. By case and path, ours first.
 */
const BROKEN_LINKS: Readonly<Record<string, Readonly<Record<string, readonly string[]>>>> = {
  'modes and owners alone': {
    't/c/h': ['file 644 12:34 1121cfcc', 'file 644 12:34 = t/c/h 1121cfcc'],
    't/c/same': ['file 644 0:0 1121cfcc', 'file 644 12:34 = t/c/h 1121cfcc'],
  },
  'a file of many names that is written by one': {
    't/c/h': ['file 644 0:0 1121cfcc', 'file 644 0:0 = t/c/h 8c185dc1'],
    't/c/same': ['file 644 0:0 8c185dc1', 'file 644 0:0 = t/c/h 8c185dc1'],
  },
};

describe('what a RUN leaves, compared with Buildah', function () {
  this.timeout(300_000);

  let ours: FilesByName;
  let theirs: FilesByName;
  let account: Account;

  before(async () => {
    if (whyNot !== undefined) return;
    account = await openAccount('root');
    const context = join(account.home, 'context');
    await mkdir(context);
    const place: Place = { account, context, base: (await busyboxBase(account)).folder };
    const dockerfiles = Object.entries(CASES).map(
      ([name, text]) => [name, `FROM base\n${TREE}\n${text}\n`] as const,
    );
    ({ ours, theirs } = await buildByBoth(place, new Map(dockerfiles), AT_ONCE));
  });
  after(async () => {
    if (whyNot === undefined) await account.close();
  });

  for (const name of Object.keys(CASES)) {
    const title = name in BROKEN_LINKS ? `${name} (differs: hard links to lower files)` : name;
    test(title, async () => {
      assert.ok(ours.get(name) !== undefined && theirs.get(name) !== undefined, 'builds');
      const found = Object.entries(differencesOf(ours.get(name), theirs.get(name)));
      const rest = found.filter(([path]) => !ITS_MOUNT_POINTS.includes(path));
      assert.deepEqual(Object.fromEntries(rest), BROKEN_LINKS[name] ?? {});
    });
  }
});
