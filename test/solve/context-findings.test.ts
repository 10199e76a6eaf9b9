import assert from 'node:assert/strict';
import { contextWarnings, findInContext } from '../../src/solve/context-findings.ts';
import { contextUsers, usageOf } from '../../src/solve/context-usage.ts';
import type { Entry, FileEntry } from '../../src/tree/entry.ts';
import { ImageTree } from '../../src/tree/image-tree.ts';
import { plan } from '../plan/support.ts';
import { directory, file, layerOf } from '../tree/entries.ts';

interface Options {
  readonly isSkipped?: (rule: string, line: number | undefined) => boolean;
  readonly isTold?: (line: number, path: string) => boolean;
}

async function warningsOf(
  text: string,
  entries: readonly Entry[],
  { isSkipped = () => false, ...options }: Options = {},
): Promise<readonly string[]> {
  const users = contextUsers(await plan(text));
  const findings = findInContext(layerOf(...entries), users);
  return contextWarnings(findings, users, { isSkipped, ...options }).map(
    ({ rule, message, location }) => `${location?.range.start.line ?? '-'} ${rule}: ${message}`,
  );
}

function large(path: string, megabytes: number): FileEntry {
  return { ...file(path), size: megabytes * 1_000_000 };
}

const ALL = 'FROM scratch\nCOPY . /app/\n';
const ADVICE = 'into the image; leave it out with .dockerignore, or use a secret mount';

describe('findInContext()', () => {
  it('finds secrets that a COPY selects without naming them', async () => {
    const entries = [
      directory('.git'),
      file('.git/HEAD'),
      file('.git/config'),
      file('.env'),
      directory('certs'),
      file('certs/server.key'),
      directory('.ssh'),
      file('.ssh/id_rsa'),
      file('readme'),
    ];
    assert.deepEqual(await warningsOf(ALL, entries), [
      `2 SecretFileCopied: COPY puts ".env", ".git" (2 files, 20 B), ".ssh" (1 file, 11 B) and "certs/server.key" ${ADVICE}`,
    ]);
  });

  it('passes over what is not selected, and what does not get into the image', async () => {
    const entries = [file('.env'), directory('src'), file('src/a')];
    assert.deepEqual(await warningsOf('FROM scratch\nCOPY src /\n', entries), []);
    assert.deepEqual(await warningsOf('FROM scratch\nCOPY --exclude=.env . /\n', entries), []);
    assert.deepEqual(
      await warningsOf('FROM scratch\nRUN --mount=type=bind,target=/t x\n', entries),
      [],
    );
    const stages = 'FROM scratch AS build\nCOPY . /\nFROM scratch\nCOPY --from=build /a /\n';
    assert.deepEqual(await warningsOf(stages, entries), []);
    assert.deepEqual(await warningsOf('FROM scratch AS a\nCOPY . /\nFROM a\n', entries), [
      `2 SecretFileCopied: COPY puts ".env" ${ADVICE}`,
    ]);
  });

  it('passes over samples, public keys, empty files and what others published', async () => {
    const entries = [
      file('.env.example'),
      file('id_rsa.pub'),
      file('.env', ''),
      directory('node_modules'),
      directory('node_modules/x'),
      file('node_modules/x/server.key'),
      directory('test'),
      directory('test/fixtures'),
      file('test/fixtures/private.pem'),
    ];
    assert.deepEqual(await warningsOf(ALL, entries), []);
  });

  it('shows some of many', async () => {
    const names = ['a', 'b', 'c', 'd', 'e', 'f', 'g'];
    const entries = names.flatMap((name) => [directory(name), file(`${name}/.env`)]);
    const [warning = ''] = await warningsOf(ALL, entries);
    assert.match(warning, /puts "a\/\.env", .*, "e\/\.env" and 2 more into the image/);
  });

  it('leaves out what is turned off, or told already', async () => {
    const entries = [file('.env'), file('id_rsa')];
    const isSkipped = (rule: string, line: number | undefined) =>
      rule === 'SecretFileCopied' && line === 2;
    assert.deepEqual(await warningsOf(ALL, entries, { isSkipped }), []);
    const isTold = (line: number, path: string) => line === 2 && path === '.env';
    assert.deepEqual(await warningsOf(ALL, entries, { isTold }), [
      `2 SecretFileCopied: COPY puts "id_rsa" ${ADVICE}`,
    ]);
  });

  it('tells when more than 50 MB and 80 % are of no use', async () => {
    const copied = 'FROM scratch\nCOPY src /\n';
    const context = (used: number, unused: number) => [
      directory('src'),
      large('src/a', used),
      large('b', unused),
    ];
    assert.deepEqual(await warningsOf(copied, context(10, 90)), [
      '- UnusedContext: No instruction of this build uses 90 % of the build context: 90 MB of 100 MB, ' +
        '1 of 2 files; list what no build needs in .dockerignore ("tsbuild context ls" shows it)',
    ]);
    assert.deepEqual(await warningsOf(copied, context(10, 40)), [], 'at most 50 MB');
    assert.deepEqual(await warningsOf(copied, context(20, 80)), [], 'at most 80 %');
    assert.deepEqual(await warningsOf(ALL, context(10, 90)), [], 'used');
    const isSkipped = (rule: string) => rule === 'UnusedContext';
    assert.deepEqual(await warningsOf(copied, context(10, 90), { isSkipped }), []);
  });

  it('says nothing of use when an instruction would fail', async () => {
    const text = 'FROM scratch\nCOPY nope /\n';
    assert.deepEqual(await warningsOf(text, [large('b', 100)]), []);
  });

  it('does not ask what is used of a small context without names of secrets', async () => {
    const users = contextUsers(await plan(ALL));
    const index = layerOf(file('a'), large('b', 49));
    let asked = 0;
    const usage = () => {
      asked++;
      return usageOf({ tree: new ImageTree([index]), unreadable: [] }, users);
    };
    findInContext(index, users, usage);
    assert.equal(asked, 0);
  });
});
