import assert from 'node:assert/strict';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { openStore, type Store } from '../../cache/index.ts';
import { TsbuildError } from '../../src/errors.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { parseReference } from '../../src/oci/reference.ts';
import { createRegistryClient, registrySource } from '../../src/registry/index.ts';
import { startFaultyRegistry } from '../support/faulty-registry.ts';
import { makeImage, makeIndex, type TestImage } from '../support/image.ts';
import { startRegistry, type TestRegistry } from '../support/registry.ts';
import { withDirectory } from '../support/temporary.ts';

/** All 500 of the issue: `npm run faults`. */
const RUNS = Number(process.env['TSBUILD_FAULT_RUNS'] ?? 25);
const PLATFORM = { os: 'linux', architecture: 'amd64' };
const signal = new AbortController().signal;
const PASSWORD = 'se:cret-password';

describe('pulling over a bad network', () => {
  let registry: TestRegistry;
  let images: readonly TestImage[];
  before(async () => {
    registry = await startRegistry({ auth: 'bearer', user: 'ann', password: PASSWORD });
    images = [
      await makeImage({ layers: 3, layerSize: 200_000 }),
      await makeImage({ layers: 1, platform: { os: 'linux', architecture: 'arm64' } }),
    ];
    registry.addIndex('team/app', 'v1', makeIndex(images), images);
  });
  after(() => registry.close());

  it(`succeeds in ${RUNS} runs, as long as the faults end (T-24)`, async () => {
    const seen = new Set<string>();
    for (let seed = 1; seed <= RUNS; seed++) {
      const faulty = await pull(registry, images[0], { seed, faults: 25 });
      assert.equal(faulty.failure, undefined, `seed ${seed}: ${faulty.injected.join('\n')}`);
      for (const line of faulty.injected) seen.add(line.split(' ', 1)[0] ?? '');
    }
    // Which requests there are depends on what is faster: a rare kind may be missing in a few runs.
    if (RUNS >= 500) assert.equal(seen.size, 13, [...seen].join());
  }).timeout(60_000 + RUNS * 2000);

  it('fails when the faults do not end, with a damaged blob nowhere and no password told', async () => {
    let failures = 0;
    for (let seed = 1; seed <= 10; seed++) {
      const kinds = ['broken', 'unheard', 'damaged'];
      const options = { seed, faults: Infinity, kinds, tries: 2 };
      const { failure } = await pull(registry, images[0], options);
      if (failure === undefined) continue;
      failures++;
      assert.ok(failure instanceof TsbuildError);
      assert.doesNotMatch(
        `${failure.stack} ${failure.hint} ${JSON.stringify(failure)}`,
        /se:cret|Bearer/,
      );
    }
    assert.ok(failures > 0);
  });
});

interface Pull {
  readonly failure: unknown;
  readonly injected: readonly string[];
}

/** Pulls everything of an image into a store of its own, and looks at what is there afterwards. */
async function pull(
  registry: TestRegistry,
  image: TestImage | undefined,
  {
    tries = 6,
    ...options
  }: {
    readonly seed: number;
    readonly faults: number;
    readonly kinds?: readonly string[];
    readonly tries?: number;
  },
): Promise<Pull> {
  assert.ok(image);
  const faulty = await startFaultyRegistry(registry, options);
  let failure: unknown;
  try {
    await withDirectory(async (directory) => {
      const auth = Buffer.from(`ann:${PASSWORD}`).toString('base64');
      const config = { auths: { [faulty.host]: { auth } } };
      await writeFile(join(directory, 'config.json'), JSON.stringify(config));
      const places = { dockerConfig: directory };
      const client = createRegistryClient({ places, retryDelay: 1, attempts: tries });
      const store = await openStore(join(directory, 'store'), { signal });
      const scratch = join(directory, 'scratch');
      try {
        await pullInto(store, { host: faulty.host, client, scratch });
        for (const { descriptor } of image.layers) assert.ok(await store.hasBlob(descriptor));
      } catch (error) {
        failure = error;
      } finally {
        await client.close();
      }
      await assertWhole(dirname(store.blobPath(image.manifest.descriptor.digest)));
      const left = (await readdir(directory)).filter((name) => name.startsWith('scratch'));
      assert.deepEqual(left, [], 'temporary files');
    });
  } finally {
    await faulty.close();
  }
  // The other host has got no credentials, ever.
  for (const { path, authorization } of faulty.elsewhere)
    assert.equal(authorization, undefined, path);
  return { failure, injected: faulty.injected };
}

async function pullInto(
  store: Store,
  {
    host,
    client,
    scratch,
  }: { host: string; client: ReturnType<typeof createRegistryClient>; scratch: string },
): Promise<void> {
  const documents = {
    get: (digest: Parameters<Store['blobPath']>[0]) =>
      readFile(store.blobPath(digest)).catch(() => undefined),
    put: async (_: unknown, bytes: Uint8Array) => void (await store.putBytes(bytes)),
  };
  const source = registrySource(parseReference(`${host}/team/app:v1`), { client, documents });
  const { layers } = await source.resolve(PLATFORM, signal);
  const all = layers.map(async (layer, number) => {
    const temporary = `${scratch}-${number}`;
    await source.fetchBlob(layer, temporary, signal);
    await store.addBlob(temporary, layer);
  });
  await Promise.allSettled(all);
  await Promise.all(all);
}

/** Every blob that has its final name has the bytes that the name says. */
async function assertWhole(folder: string): Promise<void> {
  for (const name of await readdir(folder).catch(() => [])) {
    assert.equal(digestOf(await readFile(join(folder, name))), `sha256:${name}`);
  }
}
