/**
 * What the distribution spec says of pushing, rule by rule.
 *
 * https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#push
 */

import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { hasCode } from '../../src/errors.ts';
import { MEDIA_TYPE } from '../../src/oci/descriptor.ts';
import { parseReference } from '../../src/oci/reference.ts';
import { createPusher, createRegistryClient, readContent } from '../../src/registry/index.ts';
import {
  blobsOf,
  makeImage,
  makeIndex,
  type TestImage,
  writeTestLayout,
} from '../support/image.ts';
import { type RegistryOptions, startRegistry, type TestRegistry } from '../support/registry.ts';
import { withDirectory } from '../support/temporary.ts';

const { signal } = new AbortController();
/** A layer is larger than what is sent at once; config and manifest are not. */
const SIZES = { small: 50_000, part: 60_000 };
const LAYER = 200_000;

interface Place {
  readonly registry: TestRegistry;
  readonly image: TestImage;
  /** Pushes the image, or an index over it, as `app:1`. */
  readonly push: (options?: {
    readonly index?: boolean;
    readonly origin?: string;
  }) => Promise<void>;
}

async function withPlace(
  use: (place: Place) => Promise<void>,
  options: RegistryOptions = {},
): Promise<void> {
  const registry = await startRegistry(options);
  const { user = '', password = '' } = options;
  try {
    await withDirectory(async (directory) => {
      const image = await makeImage({ layers: 1, layerSize: LAYER });
      const index = makeIndex([image]);
      const auth = Buffer.from(`${user}:${password}`).toString('base64');
      const config = { auths: user === '' ? {} : { [registry.host]: { auth } } };
      await writeFile(join(directory, 'config.json'), JSON.stringify(config));
      const client = createRegistryClient({ places: { dockerConfig: directory }, retryDelay: 1 });
      const pusher = createPusher({ client, sizes: SIZES, signal });
      const push: Place['push'] = async ({ index: isIndex = false, origin } = {}) => {
        const top = isIndex ? index : image.manifest;
        const layout = join(directory, isIndex ? 'index' : 'image');
        await writeTestLayout(layout, [top.descriptor], [...blobsOf(image), index]);
        const origins = image.layers.map(({ descriptor: { digest } }) => [digest, origin]);
        const known =
          origin === undefined ? {} : (Object.fromEntries(origins) as Record<string, string>);
        const content = await readContent({ directory: layout }, known);
        const reference = parseReference(`${registry.host}/app:1`);
        await pusher.push(content, [{ reference }], () => () => undefined);
      };
      try {
        await use({ registry, image, push });
      } finally {
        await pusher.close();
        await client.close();
      }
    });
  } finally {
    await registry.close();
  }
}

function sent({ requests }: TestRegistry, method: string) {
  return requests.filter((request) => request.method === method);
}

/** The layer is there, and the tag names the image. */
function assertPushed({ registry, image }: Place): void {
  for (const { descriptor, bytes } of image.layers) {
    assert.deepEqual(registry.blobs.get(descriptor.digest), Buffer.from(bytes));
  }
  const { digest } = image.manifest.descriptor;
  assert.equal(registry.manifests.get('app:1')?.descriptor.digest, digest);
}

describe('the distribution spec, pushing', () => {
  it('monolithic: POST, then PUT with digest, Content-Length and application/octet-stream', () =>
    withPlace(async ({ registry, image, push }) => {
      await push();
      const { digest, size } = image.config.descriptor;
      const put = sent(registry, 'PUT').find(({ url }) => url.includes(encodeURIComponent(digest)));
      assert.equal(put?.headers['content-length'], String(size));
      assert.equal(put.headers['content-type'], 'application/octet-stream');
      for (const post of sent(registry, 'POST')) assert.equal(post.headers['content-length'], '0');
    }));

  it('a Location may be relative, changes with each answer, and keeps its query to the letter', () =>
    withPlace(async (place) => {
      await place.push();
      const urls = place.registry.requests
        .map(({ url }) => url)
        .filter((url) => url.includes('?at='));
      assert.ok(urls.length >= 3);
      for (const url of urls)
        assert.match(url, /\?at=\d+%2f&x=(?:&digest=sha256%3A[0-9a-f]{64})?$/);
      assertPushed(place);
    }));

  it('streamed: a large blob is one PATCH, closed by a PUT without a body', () =>
    withPlace(async (place) => {
      await place.push();
      const [patch, ...more] = sent(place.registry, 'PATCH');
      assert.equal(more.length, 0);
      assert.equal(patch?.headers['content-type'], 'application/octet-stream');
      const { size, digest } = place.image.layers[0]?.descriptor ?? assert.fail();
      assert.equal(patch.headers['content-length'], String(size));
      const put = sent(place.registry, 'PUT').find(({ url }) =>
        url.includes(encodeURIComponent(digest)),
      );
      assert.equal(put?.headers['content-length'], '0');
    }));

  it('chunked: after a cut the registry is asked, and the rest goes with its Content-Range', () =>
    withPlace(async (place) => {
      place.registry.uploads.cutAfter = 70_000;
      await place.push();
      const [, rest, ...more] = sent(place.registry, 'PATCH');
      const { size } = place.image.layers[0]?.descriptor ?? assert.fail();
      assert.equal(more.length, 0);
      assert.equal(rest?.headers['content-range'], `70000-${size - 1}`);
      assert.equal(sent(place.registry, 'GET').length, 1);
      assertPushed(place);
    }));

  it('an upload that cannot be asked for, or is not known any more, is begun anew', async () => {
    await withPlace(async (place) => {
      place.registry.uploads.cutAfter = 70_000;
      place.registry.uploads.isSilent = true;
      await place.push();
      assert.equal(sent(place.registry, 'PATCH').length, 2);
      assertPushed(place);
    });
  });

  it('413: parts, in order, at least as long as OCI-Chunk-Min-Length says', () =>
    withPlace(async (place) => {
      Object.assign(place.registry.uploads, { most: 90_000, least: 80_000 });
      await place.push();
      const parts = sent(place.registry, 'PATCH').slice(1);
      const { size } = place.image.layers[0]?.descriptor ?? assert.fail();
      const ranges = ['0-79999', '80000-159999', `160000-${size - 1}`];
      assert.deepEqual(
        parts.map(({ headers }) => headers['content-range']),
        ranges,
      );
      assertPushed(place);
    }));

  it('a blob that is there is not sent', () =>
    withPlace(async (place) => {
      await place.push();
      place.registry.requests.length = 0;
      await place.push({ index: true });
      assert.equal(sent(place.registry, 'POST').length, 0);
    }));

  it('mount: 201 is the end of it', () =>
    withPlace(
      async (place) => {
        const { registry, image } = place;
        for (const { descriptor, bytes } of image.layers) {
          registry.blobs.set(descriptor.digest, bytes);
          registry.holders.set(descriptor.digest, new Set(['base']));
        }
        await place.push({ origin: `${registry.host}/base` });
        const { digest } = image.layers[0]?.descriptor ?? assert.fail();
        const query = new URLSearchParams({ mount: digest, from: 'base' });
        assert.ok(sent(registry, 'POST').some(({ url }) => url.endsWith(`?${query.toString()}`)));
        assert.equal(sent(registry, 'PATCH').length, 0);
        assert.equal(
          registry.manifests.get('app:1')?.descriptor.digest,
          image.manifest.descriptor.digest,
        );
      },
      { separate: true },
    ));

  it('mount: 202 is an upload, which is used', () =>
    withPlace(
      async (place) => {
        await place.push({ origin: `${place.registry.host}/base` });
        assert.equal(sent(place.registry, 'POST').length, 2);
        assertPushed(place);
      },
      { separate: true },
    ));

  it('mount: the token is for both repositories', () =>
    withPlace(
      async (place) => {
        await place.push({ origin: `${place.registry.host}/base` });
        const tokens = place.registry.requests.filter(({ url }) => url.startsWith('/token'));
        assert.ok(
          tokens.some(({ url }) => decodeURIComponent(url).includes('repository:base:pull')),
        );
        assertPushed(place);
      },
      { auth: 'bearer', user: 'me', password: 'secret', separate: true },
    ));

  it('a manifest is sent after its blobs, an index after its manifests, with their media types', () =>
    withPlace(async ({ registry, image, push }) => {
      await push({ index: true });
      const puts = sent(registry, 'PUT').slice(-2);
      const { digest } = image.manifest.descriptor;
      assert.deepEqual(
        puts.map(({ url, headers }) => [url, headers['content-type']]),
        [
          [`/v2/app/manifests/${digest}`, MEDIA_TYPE.manifest],
          ['/v2/app/manifests/1', MEDIA_TYPE.index],
        ],
      );
      assert.equal(registry.requests.at(-1)?.method, 'PUT');
    }));

  it('Docker-Content-Digest must be what was sent', () =>
    withPlace(async ({ registry, push }) => {
      registry.faults.claim = `sha256:${'0'.repeat(64)}`;
      await assert.rejects(push(), (error) => hasCode(error, 'ERR_DIGEST_MISMATCH'));
    }));

  it('credentials do not go along to an upload at another host', () =>
    withPlace(
      async (place) => {
        const { registry } = place;
        registry.uploads.elsewhere = `http://localhost:${registry.host.split(':')[1]}`;
        await place.push();
        const away = registry.requests.filter(({ headers }) =>
          headers.host?.startsWith('localhost'),
        );
        assert.ok(away.length >= 3);
        for (const { headers } of away) assert.equal(headers.authorization, undefined);
        assertPushed(place);
      },
      { auth: 'basic', user: 'me', password: 'secret' },
    ));
});
