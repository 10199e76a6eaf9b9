import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type ErrorCode, hasCode } from '../../src/errors.ts';
import { MEDIA_TYPE } from '../../src/oci/descriptor.ts';
import { digestOf, type Digest } from '../../src/oci/digest.ts';
import { encodeManifest } from '../../src/oci/image.ts';
import type { Platform } from '../../src/oci/platform.ts';
import { parseReference } from '../../src/oci/reference.ts';
import {
  createRegistryClient,
  type DocumentCache,
  fetchBlob,
  type RegistryClient,
  resolveImage,
} from '../../src/registry/index.ts';
import { blob, makeImage, makeIndex, type TestImage } from '../support/image.ts';
import { startRegistry, type TestRegistry } from '../support/registry.ts';
import { withDirectory } from '../support/temporary.ts';

const AMD64: Platform = { os: 'linux', architecture: 'amd64' };
const signal = new AbortController().signal;

interface Fixture {
  readonly registry: TestRegistry;
  readonly client: RegistryClient;
}

async function withRegistry(use: (fixture: Fixture) => Promise<void>): Promise<void> {
  const registry = await startRegistry();
  const client = createRegistryClient({ retryDelay: 1 });
  try {
    await use({ registry, client });
  } finally {
    await client.close();
    await registry.close();
  }
}

function code(expected: ErrorCode): (error: unknown) => boolean {
  return (error) => {
    assert.ok(hasCode(error, expected), String(error));
    return true;
  };
}

describe('resolveImage()', () => {
  for (const isDocker of [false, true]) {
    it(`reads an image of ${isDocker ? 'Docker' : 'OCI'} types by tag and by digest`, () =>
      withRegistry(async ({ registry, client }) => {
        const image = await makeImage({ isDocker });
        registry.add('a/app', 'v1', image);
        const { digest, mediaType, size } = image.manifest.descriptor;
        for (const suffix of [':v1', `@${digest}`, `:other@${digest}`]) {
          const reference = parseReference(`${registry.host}/a/app${suffix}`);
          const pulled = await resolveImage(reference, { platform: AMD64, client, signal });
          assert.deepEqual(pulled.descriptor, { digest, mediaType, size });
          assert.equal(pulled.root, digest);
          assert.deepEqual(pulled.configBytes, Buffer.from(image.config.bytes));
          assert.deepEqual(pulled.config.config.Env, ['PATH=/bin']);
          assert.deepEqual(
            pulled.layers,
            image.layers.map((layer) => layer.descriptor),
          );
        }
      }));
  }

  it('chooses the best platform of an index, passing attestations over (MP-3)', () =>
    withRegistry(async ({ registry, client }) => {
      const of = (architecture: string, variant?: string): Promise<TestImage> =>
        makeImage({ platform: { os: 'linux', architecture, ...(variant && { variant }) } });
      const images = [await of('arm', 'v5'), await of('arm', 'v6'), await of('amd64')];
      const attestation = {
        ...blob(MEDIA_TYPE.manifest, Buffer.from('{}')).descriptor,
        platform: AMD64,
        annotations: { 'vnd.docker.reference.type': 'attestation-manifest' },
      };
      const index = makeIndex(images, [attestation]);
      registry.addIndex('app', 'v1', index, images);
      const reference = parseReference(`${registry.host}/app:v1`);
      const arm: Platform = { os: 'linux', architecture: 'arm', variant: 'v7' };
      const pulled = await resolveImage(reference, { platform: arm, client, signal });
      assert.deepEqual(pulled.descriptor, images[1]?.manifest.descriptor);
      assert.equal(pulled.root, index.descriptor.digest);

      const s390x = { os: 'linux', architecture: 's390x' };
      await assert.rejects(
        resolveImage(reference, { platform: s390x, client, signal }),
        (error) => {
          assert.ok(hasCode(error, 'ERR_PLATFORM_MISSING'));
          assert.equal(error.hint, 'It exists for linux/arm/v5, linux/arm/v6, linux/amd64.');
          return true;
        },
      );
    }));

  it('follows an index of indexes, but not for ever', () =>
    withRegistry(async ({ registry, client }) => {
      const image = await makeImage();
      let index = makeIndex([image]);
      registry.addIndex('app', 'v0', index, [image]);
      for (let depth = 1; depth <= 3; depth++) {
        index = makeIndex([], [index.descriptor]);
        registry.addIndex('app', `v${depth}`, index, []);
      }
      const at = (tag: string): Promise<unknown> =>
        resolveImage(parseReference(`${registry.host}/app:${tag}`), {
          platform: AMD64,
          client,
          signal,
        });
      await at('v2');
      await assert.rejects(at('v3'), code('ERR_IMAGE_INVALID'));
    }));

  it('costs one HEAD when the documents are known, and nothing by digest (T-29)', () =>
    withRegistry(async ({ registry, client }) => {
      const image = await makeImage();
      registry.add('app', 'v1', image);
      const known = new Map<Digest, Uint8Array>();
      const documents: DocumentCache = {
        get: async (digest) => known.get(digest),
        put: async (digest, bytes) => void known.set(digest, bytes),
      };
      const tagged = parseReference(`${registry.host}/app:v1`);
      const first = await resolveImage(tagged, { platform: AMD64, client, documents, signal });
      assert.equal(registry.log.length, 3);
      registry.log.length = 0;
      // Another build asks what the tag means by now; this one does not change its mind.
      const other = createRegistryClient();
      const later = { platform: AMD64, client: other, documents, signal };
      const second = await resolveImage(tagged, later);
      await resolveImage(tagged, later);
      await other.close();
      assert.deepEqual(registry.log, ['HEAD /v2/app/manifests/v1']);
      const pinned = parseReference(`${registry.host}/app@${image.manifest.descriptor.digest}`);
      const third = await resolveImage(pinned, { platform: AMD64, client, documents, signal });
      assert.equal(registry.log.length, 1);
      assert.deepEqual([second, third], [first, first]);
    }));

  it('fails with ERR_IMAGE_NOT_FOUND for a tag that is not there', () =>
    withRegistry(async ({ registry, client }) => {
      const reference = parseReference(`${registry.host}/app:v9`);
      await assert.rejects(
        resolveImage(reference, { platform: AMD64, client, signal }),
        code('ERR_IMAGE_NOT_FOUND'),
      );
    }));

  it('fails with ERR_DIGEST_MISMATCH when a config is not what the manifest names', () =>
    withRegistry(async ({ registry, client }) => {
      const image = await makeImage();
      registry.add('app', 'v1', image);
      registry.faults.wrongBytes = true;
      await assert.rejects(
        resolveImage(parseReference(`${registry.host}/app:v1`), {
          platform: AMD64,
          client,
          signal,
        }),
        code('ERR_DIGEST_MISMATCH'),
      );
    }));

  it('fails with ERR_IMAGE_INVALID for a manifest of more than 4 MiB', () =>
    withRegistry(async ({ registry, client }) => {
      const image = await makeImage();
      const bytes = Buffer.concat([image.manifest.bytes, Buffer.alloc(4 * 1024 * 1024, ' ')]);
      registry.add('app', 'v1', { ...image, manifest: blob(MEDIA_TYPE.manifest, bytes) });
      await assert.rejects(
        resolveImage(parseReference(`${registry.host}/app:v1`), {
          platform: AMD64,
          client,
          signal,
        }),
        code('ERR_IMAGE_INVALID'),
      );
    }));

  it('fails with ERR_IMAGE_INVALID when layers and diffIDs do not pair', () =>
    withRegistry(async ({ registry, client }) => {
      const image = await makeImage();
      const bytes = encodeManifest({
        schemaVersion: 2,
        config: image.config.descriptor,
        layers: image.layers.slice(1).map((layer) => layer.descriptor),
      });
      registry.add('app', 'v1', { ...image, manifest: blob(MEDIA_TYPE.manifest, bytes) });
      await assert.rejects(
        resolveImage(parseReference(`${registry.host}/app:v1`), {
          platform: AMD64,
          client,
          signal,
        }),
        code('ERR_IMAGE_INVALID'),
      );
    }));
});

describe('fetchBlob()', () => {
  async function withBlob(
    use: (
      fixture: Fixture & {
        directory: string;
        bytes: Uint8Array;
        fetch: (signal?: AbortSignal) => Promise<void>;
      },
    ) => Promise<void>,
  ): Promise<void> {
    await withRegistry(({ registry, client }) =>
      withDirectory(async (directory) => {
        const image = await makeImage({ layers: 1, layerSize: 3_000_000 });
        registry.add('app', 'v1', image);
        const [layer] = image.layers;
        assert.ok(layer);
        const reference = parseReference(`${registry.host}/app:v1`);
        const fetch = (stop = signal): Promise<void> =>
          fetchBlob(reference, layer.descriptor, {
            to: join(directory, 'blob'),
            client,
            signal: stop,
          });
        await use({ registry, client, directory, bytes: layer.bytes, fetch });
      }),
    );
  }

  it('writes the bytes of a blob to a new file', () =>
    withBlob(async ({ directory, bytes, fetch }) => {
      await fetch();
      assert.deepEqual(await readdir(directory), ['blob']);
      assert.ok((await readFile(join(directory, 'blob'))).equals(bytes));
    }));

  for (const ignoreRange of [false, true]) {
    const server = ignoreRange ? 'a server without ranges' : 'the place it was cut off';
    it(`goes on after a cut connection, from ${server}`, () =>
      withBlob(async ({ registry, directory, bytes, fetch }) => {
        Object.assign(registry.faults, { cutAfter: 1_000_000, cuts: 2, ignoreRange });
        await fetch();
        assert.equal(registry.log.length, 3);
        assert.ok((await readFile(join(directory, 'blob'))).equals(bytes));
      }));
  }

  it('gives up when every connection is cut, and leaves no file', () =>
    withBlob(async ({ registry, directory, fetch }) => {
      Object.assign(registry.faults, { cutAfter: 10, cuts: Infinity });
      await assert.rejects(fetch(), code('ERR_REGISTRY_UNREACHABLE'));
      assert.deepEqual(await readdir(directory), []);
    })).timeout(120_000);

  it('rejects wrong bytes, and leaves no file', () =>
    withBlob(async ({ registry, directory, fetch }) => {
      registry.faults.wrongBytes = true;
      await assert.rejects(fetch(), code('ERR_DIGEST_MISMATCH'));
      assert.deepEqual(await readdir(directory), []);
    }));

  it('rejects a blob of another size, and leaves no file', () =>
    withBlob(async ({ registry, directory, bytes, fetch }) => {
      for (const other of [bytes.subarray(1), Buffer.concat([bytes, Buffer.of(0)])]) {
        registry.blobs.set(digestOf(bytes), other);
        await assert.rejects(fetch(), code('ERR_DIGEST_MISMATCH'));
        assert.deepEqual(await readdir(directory), []);
      }
    }));

  it('leaves a file alone that was there before', () =>
    withBlob(async ({ directory, fetch }) => {
      await writeFile(join(directory, 'blob'), 'mine');
      await assert.rejects(fetch(), code('ERR_STORE_UNUSABLE'));
      assert.equal(await readFile(join(directory, 'blob'), 'utf8'), 'mine');
    }));

  it('ends with the reason of an abort, and leaves no file and no listener', () =>
    withBlob(async ({ registry, directory, fetch }) => {
      registry.faults.stall = true;
      const controller = new AbortController();
      const reason = new Error('enough');
      setTimeout(() => controller.abort(reason), 50);
      await assert.rejects(fetch(controller.signal), (error) => error === reason);
      assert.deepEqual(await readdir(directory), []);
      assert.equal(getEventListeners(controller.signal, 'abort').length, 0);
      await assert.rejects(fetch(controller.signal), (error) => error === reason);
    }));

  it('leaves no listener after a success', () =>
    withBlob(async ({ fetch }) => {
      const controller = new AbortController();
      await fetch(controller.signal);
      assert.equal(getEventListeners(controller.signal, 'abort').length, 0);
    }));

  it('follows a redirect without taking the credentials along', () =>
    withBlob(async ({ registry, fetch }) => {
      registry.faults.redirect = true;
      await fetch();
      assert.match(registry.log.at(-1) ?? '', /^GET \/storage\/[0-9a-f]+$/);
    }));
});
