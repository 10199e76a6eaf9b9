/**
 * What the distribution spec says of pulling, rule by rule.
 *
 * https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#pull
 */

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type ErrorCode, hasCode } from '../../src/errors.ts';
import { MEDIA_TYPE } from '../../src/oci/descriptor.ts';
import type { Digest } from '../../src/oci/digest.ts';
import { parseReference } from '../../src/oci/reference.ts';
import { createRegistryClient, registrySource, resolveImage } from '../../src/registry/index.ts';
import { makeImage, type TestImage } from '../support/image.ts';
import { startRegistry, type TestRegistry } from '../support/registry.ts';
import { withDirectory } from '../support/temporary.ts';

const { signal } = new AbortController();
const platform = { os: 'linux', architecture: 'amd64' };
const ZEROS = `sha256:${'0'.repeat(64)}`;

interface Place {
  readonly registry: TestRegistry;
  readonly image: TestImage;
  /** Resolves `a/b/app` with this tag or digest; knows documents when told to. */
  readonly resolve: (
    suffix?: string,
    isKnowing?: boolean,
  ) => Promise<{ readonly digest: Digest; readonly config: Uint8Array }>;
  /** Fetches the first layer. */
  readonly fetch: () => Promise<Buffer>;
}

async function withPlace(use: (place: Place) => Promise<void>, layerSize = 1000): Promise<void> {
  const registry = await startRegistry();
  const client = createRegistryClient({ retryDelay: 1, attempts: 2 });
  try {
    const image = await makeImage({ layers: 1, layerSize });
    registry.add('a/b/app', 'v1', image);
    const known = new Map<string, Uint8Array>();
    const documents = {
      get: async (digest: Digest) => await Promise.resolve(known.get(digest)),
      put: async (digest: Digest, bytes: Uint8Array) =>
        await Promise.resolve(void known.set(digest, bytes)),
    };
    await withDirectory(async (directory) => {
      await use({
        ...{ registry, image },
        resolve: async (suffix = ':v1', isKnowing = false) => {
          const reference = parseReference(`${registry.host}/a/b/app${suffix}`);
          const options = { platform, client, signal, ...(isKnowing && { documents }) };
          const { descriptor, configBytes } = await resolveImage(reference, options);
          return { digest: descriptor.digest, config: configBytes };
        },
        fetch: async () => {
          const reference = parseReference(`${registry.host}/a/b/app:v1`);
          const [layer] = image.layers;
          assert.ok(layer);
          const path = join(directory, 'layer');
          await registrySource(reference, { client }).fetchBlob(layer.descriptor, path, signal);
          return await readFile(path);
        },
      });
    });
  } finally {
    await client.close();
    await registry.close();
  }
}

function failsWith(code: ErrorCode, message = /./) {
  return (error: unknown): boolean => {
    assert.ok(hasCode(error, code), String(error));
    assert.match(error.message, message);
    return true;
  };
}

describe('the distribution spec, pulling', () => {
  it('a manifest is asked for by tag or digest, with every media type that is known in Accept', () =>
    withPlace(async ({ registry, image, resolve }) => {
      const { digest } = image.manifest.descriptor;
      await resolve();
      await resolve(`@${digest}`);
      const asked = registry.requests.filter(({ url }) => url.includes('/manifests/'));
      const path = '/v2/a/b/app/manifests';
      assert.deepEqual(
        asked.map(({ method, url }) => `${method} ${url}`),
        [`GET ${path}/v1`, `GET ${path}/${digest}`],
      );
      const { index, manifest, dockerIndex, dockerManifest } = MEDIA_TYPE;
      for (const { headers } of asked) {
        const accepted = headers.accept?.split(', ').toSorted();
        assert.deepEqual(accepted, [index, manifest, dockerIndex, dockerManifest].toSorted());
      }
    }));

  it('a HEAD tells what a GET would, and the digest is asked for afterwards', () =>
    withPlace(async ({ registry, image, resolve }) => {
      const { digest } = image.manifest.descriptor;
      assert.equal((await resolve(':v1', true)).digest, digest);
      const path = '/v2/a/b/app/manifests';
      assert.deepEqual(registry.log.slice(0, 2), [`HEAD ${path}/v1`, `GET ${path}/${digest}`]);
    }));

  it('a HEAD need not tell a digest: then the tag is asked for', () =>
    withPlace(async ({ registry, image, resolve }) => {
      registry.faults.answers = [{ status: 200 }];
      assert.equal((await resolve(':v1', true)).digest, image.manifest.descriptor.digest);
      const path = '/v2/a/b/app/manifests';
      assert.deepEqual(registry.log.slice(0, 2), [`HEAD ${path}/v1`, `GET ${path}/v1`]);
    }));

  it('Content-Type may have parameters, and Docker-Content-Digest may be missing', () =>
    withPlace(async ({ registry, image, resolve }) => {
      const { bytes, descriptor } = image.manifest;
      const headers = { 'content-type': `${descriptor.mediaType}; charset=utf-8` };
      const body = Buffer.from(bytes).toString();
      registry.faults.answers = [{ status: 200, headers, body }];
      assert.equal((await resolve()).digest, descriptor.digest);
    }));

  it('Docker-Content-Digest, and the digest that was asked for, must be those of the bytes', () =>
    withPlace(async ({ registry, image, resolve }) => {
      const { mediaType, digest } = image.manifest.descriptor;
      const wrong = (told: string) => ({
        ...{ status: 200, body: '{"schemaVersion":2}' },
        headers: { 'content-type': mediaType, 'docker-content-digest': told },
      });
      registry.faults.answers = [wrong(ZEROS), wrong(ZEROS), wrong(ZEROS)];
      await assert.rejects(resolve(), failsWith('ERR_DIGEST_MISMATCH'));
      registry.faults.answers = [wrong(digest), wrong(digest), wrong(digest)];
      await assert.rejects(resolve(`@${digest}`), failsWith('ERR_DIGEST_MISMATCH'));
    }));

  it('404 is an image that is not there, other refusals have the code that was sent', () =>
    withPlace(async ({ registry, resolve }) => {
      await assert.rejects(resolve(':v2'), failsWith('ERR_IMAGE_NOT_FOUND'));
      const body = '{"errors":[{"code":"NAME_INVALID","message":"no such name","detail":{}}]}';
      registry.faults.answers = [{ status: 400, body }];
      await assert.rejects(resolve(), (error) => {
        assert.ok(hasCode(error, 'ERR_REGISTRY_FAILED'));
        assert.deepEqual([error.details.status, error.details.code], [400, 'NAME_INVALID']);
        return true;
      });
    }));

  it('a blob is asked for by digest, and may be at another place', () =>
    withPlace(async ({ registry, image, fetch }) => {
      registry.faults.redirect = true;
      const [layer] = image.layers;
      assert.deepEqual(await fetch(), Buffer.from(layer?.bytes ?? ''));
      const [first, second] = registry.log;
      assert.equal(first, `GET /v2/a/b/app/blobs/${layer?.descriptor.digest}`);
      assert.match(second ?? '', /^GET \/storage\//);
    }));

  it('a blob that was cut off goes on by Range, if that is served', () =>
    withPlace(async ({ registry, image, fetch }) => {
      Object.assign(registry.faults, { cutAfter: 2_000_000, cuts: 1 });
      assert.deepEqual(await fetch(), Buffer.from(image.layers[0]?.bytes ?? ''));
      const [first, second, ...more] = registry.requests.map(({ headers }) => headers.range);
      assert.deepEqual([first, more], [undefined, []]);
      // Not all that was sent before a reset arrives.
      const [, start] = /^bytes=(\d+)-$/.exec(second ?? '') ?? [];
      assert.ok(Number(start) > 0 && Number(start) <= 2_000_000, second);
    }, 3_000_000));
});
