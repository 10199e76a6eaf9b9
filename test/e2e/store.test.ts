/** One store for many builds: at once, after damage, after kill -9. It costs time at most, never a wrong image. */

import assert from 'node:assert/strict';
import { mkdir, readdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseDigest } from '../../src/oci/digest.ts';
import { type Account, openAccount, type Started, whyNoAccount } from '../support/accounts.ts';
import { busyboxBase } from '../support/busybox-base.ts';
import { checkLayout, type RawDescriptor } from '../support/check.ts';
import { itUnless, missing } from '../support/missing.ts';
import { digestOf } from '../support/plain-output.ts';
import { startRegistry, type TestRegistry } from '../support/registry.ts';

const EPOCH = '1700000000';

/** What RUN writes has the time at which it runs: to get one digest each time, it sets the time back. */
const DOCKERFILE = `FROM {base} AS one
COPY one.txt /one/
RUN cat /one/one.txt > /one/out; touch -d @${EPOCH} /one/out /one

FROM {base} AS two
WORKDIR /two
RUN echo two > out; touch -d @${EPOCH} out .

FROM {base}
WORKDIR /work
COPY --from=one /one/out .
COPY --from=two /two/out other
COPY . context/
RUN wc -c out other > size; touch -d @${EPOCH} size .
`;

const KILLS = 10;
const whyNot = whyNoAccount('root') ?? missing('busybox');
const test = itUnless(whyNot);

describe('the store', function () {
  this.timeout(120_000);

  let account: Account;
  let registry: TestRegistry;
  let context: string;
  let store: string;
  /** What any build of the Dockerfile must come to. */
  let expected: string;
  /** A copy of the store after that. */
  let whole: string;
  /** The path of a Dockerfile with one more step, and what it must come to. */
  let more: string;
  let expectedMore: string;
  /** How long a build with an empty store takes, in milliseconds. */
  let duration: number;
  let outputs = 0;

  before(async () => {
    if (whyNot !== undefined) return;
    account = await openAccount('root');
    store = join(account.home, 'store');
    context = join(account.home, 'context');
    registry = await startRegistry();
    await serve((await busyboxBase(account)).folder, registry);
    await mkdir(context);
    for (const name of ['one.txt', 'two.txt']) await writeFile(join(context, name), name);
    await writeFile(join(context, 'Dockerfile'), filled(DOCKERFILE));
    await rm(store, { recursive: true });
    const began = performance.now();
    expected = await build();
    duration = performance.now() - began;
    whole = join(account.home, 'whole');
    await copy(store, whole);
    more = join(account.home, 'more.Dockerfile');
    const text = `${DOCKERFILE}RUN cat size > more; touch -d @${EPOCH} more .\n`;
    await writeFile(more, filled(text));
    await rm(store, { recursive: true });
    expectedMore = await build('-f', more);
  });
  after(async () => {
    if (whyNot !== undefined) return;
    await registry.close();
    await account.close();
  });

  const filled = (dockerfile: string) => dockerfile.replaceAll('{base}', `${registry.host}/base`);

  /** With owners, links and attributes, as layer directories need it. */
  const copy = async (from: string, to: string) => {
    const { code, stderr } = await account.run('cp', ['-a', from, to]);
    assert.equal(code, 0, stderr);
  };

  const start = (...flags: readonly string[]): Started & { readonly output: string } => {
    const output = join(account.home, `image-${outputs++}`);
    const all = ['-o', `type=oci,tar=false,dest=${output}`, ...flags, context];
    return { ...account.start(all, { SOURCE_DATE_EPOCH: EPOCH }), output };
  };

  /** The digest of an image that is whole, after a build that left nothing. */
  const finish = async ({ outcome, output }: ReturnType<typeof start>): Promise<string> => {
    const digest = digestOf(await outcome);
    const entries = await checkLayout(output);
    assert.deepEqual(
      entries.map((entry) => entry.digest),
      [digest],
    );
    return digest;
  };
  const build = async (...flags: readonly string[]) => await finish(start(...flags));

  test('comes to the same image each time it is empty', async () => {
    await rm(store, { recursive: true });
    assert.equal(await build(), expected);
  });

  test('serves builds of the same Dockerfile at once', async () => {
    await rm(store, { recursive: true });
    const digests = await Promise.all([1, 2, 3].map(async () => await build()));
    assert.deepEqual(new Set(digests), new Set([expected]));
    await account.assertClean();
  });

  test('serves builds of different Dockerfiles at once', async () => {
    await rm(store, { recursive: true });
    const digests = await Promise.all([build(), build('-f', more)]);
    assert.deepEqual(digests, [expected, expectedMore]);
    await account.assertClean();
  });

  interface Damage {
    readonly what: string;
    /** The files it can happen to, by their paths in the store. */
    readonly where: RegExp;
    readonly apply: (path: string) => Promise<void>;
  }
  const half = async (path: string) => await truncate(path, (await stat(path)).size >> 1);
  const garbage = async (path: string) => await writeFile(path, 'garbage\n');
  const remove = async (path: string) => await rm(path, { recursive: true, force: true });
  const DAMAGES: readonly Damage[] = [
    { what: 'a blob was cut off', where: /^blobs\/sha256\/./, apply: half },
    { what: 'a blob was removed', where: /^blobs\/sha256\/./, apply: remove },
    { what: 'an index was cut off', where: /^layers\/\w+\.index$/, apply: half },
    {
      what: 'an index is empty',
      where: /^layers\/\w+\.index$/,
      apply: (path) => truncate(path, 0),
    },
    { what: 'an index was removed', where: /^layers\/\w+\.index$/, apply: remove },
    { what: 'facts are garbage', where: /^layers\/\w+\.json$/, apply: garbage },
    { what: 'a directory was removed', where: /^layers\/\w+\.d$/, apply: remove },
    { what: 'a directory lost its content', where: /^layers\/\w+\.d\/fs$/, apply: remove },
    { what: 'a record is garbage', where: /^records\/..\/\w+\.json$/, apply: garbage },
    { what: 'a stat cache is garbage', where: /^stat\/./, apply: garbage },
    { what: 'the layout files are garbage', where: /^(index\.json|oci-layout)$/, apply: garbage },
  ];

  for (const { what, where, apply } of DAMAGES) {
    test(`only costs time when ${what}: each, and all of them`, async () => {
      await rm(store, { recursive: true });
      await copy(whole, store);
      const root = join(store, 'v1');
      const names = (await pathsOf(root)).filter((path) => where.test(path));
      assert.ok(names.length > 0, 'there is something to damage');
      for (const damaged of [...names.map((name) => [name]), names]) {
        await rm(store, { recursive: true });
        await copy(whole, store);
        for (const name of damaged) await apply(join(root, name));
        // One more step needs the layers below as directories, too.
        const digest = await build('-f', more);
        assert.equal(digest, expectedMore, `after damage to ${damaged.join(', ')}`);
      }
      for (const name of names) await apply(join(root, name));
      assert.equal(await build(), expected);
      await account.assertClean();
    });
  }

  test('is right after ten builds that were killed at any time', async () => {
    await rm(store, { recursive: true });
    const delays: number[] = [];
    for (let i = 0; i < KILLS; i++) {
      // Every other build has something to find in the store.
      const started = start(...(i % 2 === 0 ? ['--no-cache'] : []));
      const delay = Math.random() * duration;
      delays.push(Math.round(delay));
      await Promise.race([sleep(delay), started.outcome]);
      kill(started.pid);
      await started.outcome;
    }
    assert.equal(await build(), expected, `killed after ${delays.join(', ')} ms`);
    await account.assertClean();
  });

  test('can be removed: a layout has its own links to its blobs', async () => {
    const started = start();
    assert.equal(await finish(started), expected);
    const blobs = join(started.output, 'blobs/sha256');
    const [layer = ''] = await layersOf(started.output);
    assert.ok((await stat(join(blobs, layer))).nlink > 1, 'it is linked, where links are possible');
    await rm(store, { recursive: true });
    assert.deepEqual((await checkLayout(started.output))[0]?.digest, expected);
  });
});

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It was faster, and has ended.
  }
}

/** Puts a layout's image into a registry, as `base`. */
async function serve(layout: string, registry: TestRegistry): Promise<void> {
  const blobs = join(layout, 'blobs/sha256');
  for (const name of await readdir(blobs)) {
    registry.blobs.set(`sha256:${name}`, await readFile(join(blobs, name)));
  }
  const [{ digest, mediaType, size } = assert.fail('an empty layout')] = await checkLayout(layout);
  const bytes = registry.blobs.get(digest) ?? assert.fail('no manifest');
  const manifest = { descriptor: { mediaType, digest: parseDigest(digest), size }, bytes };
  registry.manifests.set('base:latest', manifest);
  registry.manifests.set(`base@${digest}`, manifest);
}

/** The names of an image's layers, lowest first. */
async function layersOf(layout: string): Promise<readonly string[]> {
  const [entry] = await checkLayout(layout);
  const name = entry?.digest.replace('sha256:', '') ?? '';
  const manifest = JSON.parse(await readFile(join(layout, 'blobs/sha256', name), 'utf8')) as {
    readonly layers: readonly RawDescriptor[];
  };
  return manifest.layers.map(({ digest }) => digest.replace('sha256:', ''));
}

/** The files and directories of a store, without what is in layers. */
async function pathsOf(root: string): Promise<readonly string[]> {
  const entries = await readdir(root, { recursive: true, withFileTypes: true });
  return entries.map((entry) => relative(root, join(entry.parentPath, entry.name)));
}
